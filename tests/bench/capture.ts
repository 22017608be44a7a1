/** Takes answers down from one server, so that a floor can give the very same bytes. */
import { join } from "node:path";
import { RawClient } from "./raw_client.ts";

/** One form of one document, as a client asks for it. */
export interface Variant {
  /** Path below the server's root, without a slash at its beginning. */
  readonly path: string;
  readonly abbreviated: boolean;
  readonly gzip: boolean;
}

export interface Captured {
  /** `<path> <abbreviated> <gzip>`. */
  readonly key: string;
  readonly file: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For a floor that asks whether it is still so. */
  readonly upstreamUrl: string;
  readonly upstreamEtag: string;
}

const CORGI = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*";

export function headersOf({ abbreviated, gzip }: Pick<Variant, "abbreviated" | "gzip">) {
  return {
    accept: abbreviated ? CORGI : "application/json",
    ...(gzip ? { "accept-encoding": "gzip" } : {}),
  };
}

/** Writes `answers.json` and the bodies into the folder. Throws if an answer is not what it should be. */
export async function capture(
  base: string,
  variants: readonly Variant[],
  { folder, upstream }: { folder: string; upstream: string },
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  using client = await RawClient.open(base);
  using source = await RawClient.open(upstream);
  const list: Captured[] = [];
  for (const [position, variant] of variants.entries()) {
    const answer = await client.get(`/${variant.path}`, headersOf(variant));
    check(variant, answer);
    const name = variant.path.slice(variant.path.lastIndexOf("/") + 1);
    const original = await source.get(`/${name}`, headersOf({ abbreviated: false, gzip: true }));
    const file = `${position}.bin`;
    await Deno.writeFile(join(folder, file), answer.body);
    const headers = Object.fromEntries(answer.headers.entries().filter(([key]) => key !== "date"));
    list.push({
      key: `/${variant.path} ${variant.abbreviated} ${variant.gzip}`,
      file,
      headers,
      upstreamUrl: `${upstream}${name}`,
      upstreamEtag: original.headers.get("etag") ?? "",
    });
  }
  await Deno.writeTextFile(join(folder, "answers.json"), JSON.stringify(list));
}

function check(
  { path, gzip }: Variant,
  { status, headers, body }: {
    status: number;
    headers: ReadonlyMap<string, string>;
    body: Uint8Array;
  },
): void {
  const encoded = headers.get("content-encoding") === "gzip";
  const length = Number(headers.get("content-length"));
  if (status !== 200 || encoded !== gzip || length !== body.length || length === 0) {
    throw new Error(
      `Cannot measure ${path}: ${status}, content-length ${length}, ${body.length} bytes came` +
        `${encoded ? ", gzip" : ""}`,
    );
  }
}
