/** The file that somebody sends to be checked, in whichever way their tool sends files. */
import { MAX_LOCKFILE_BYTES } from "../ecosystems/lockfiles/mod.ts";
import type { BodyShare } from "../policy/bounded_body.ts";
import { readBody } from "./body.ts";
import { RequestError } from "./errors.ts";

export interface Upload {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** As given, with a path if it had one; null: not said. */
  readonly filename: string | null;
}

/** What a form may have around the file. */
const FORM_BYTES = 10_000;
const MAX_NAME = 500;

/** Throws RequestError (400, 408, 413, 503). */
export async function readUpload(
  request: Request,
  { named, share }: { named: string | null; share: BodyShare },
): Promise<Upload> {
  const bytes = await readBody(request, { maxBytes: MAX_LOCKFILE_BYTES + FORM_BYTES, share });
  const type = request.headers.get("content-type") ?? "";
  const upload = /^multipart\/form-data\b/i.test(type)
    ? await fromForm(bytes, type)
    : { bytes, filename: fromDisposition(request.headers.get("content-disposition")) };
  const filename = named ?? upload.filename;
  return { bytes: upload.bytes, filename: filename ? filename.slice(0, MAX_NAME) : null };
}

async function fromForm(bytes: Uint8Array<ArrayBuffer>, type: string): Promise<Upload> {
  let files: File[];
  try {
    const form = await new Response(bytes, { headers: { "content-type": type } }).formData();
    files = [...form.values()].filter((value) => value instanceof File);
  } catch (cause) {
    throw invalid("The form cannot be read.", cause);
  }
  if (files.length !== 1) {
    throw invalid(`The form has ${files.length} files: send one file at a time.`);
  }
  const [file] = files;
  return { bytes: new Uint8Array(await file.arrayBuffer()), filename: file.name };
}

/** RFC 6266; nothing where it cannot be read. */
function fromDisposition(header: string | null): string | null {
  if (header === null) return null;
  const encoded = /;\s*filename\*=utf-8'[^']*'([^;\s]+)/i.exec(header)?.[1];
  if (encoded !== undefined) {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return null;
    }
  }
  const [, quoted, bare] = /;\s*filename=(?:"((?:\\.|[^"\\])*)"|([^;\s"]+))/i.exec(header) ?? [];
  return quoted?.replaceAll(/\\(.)/g, "$1") ?? bare ?? null;
}

function invalid(message: string, cause?: unknown): RequestError {
  return new RequestError({ status: 400, code: "body_invalid", message }, { cause });
}
