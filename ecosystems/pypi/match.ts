import type { Document, PageTarget, RegistryRequest, Target } from "../ecosystem.ts";
import { AS_IT_CAME } from "../readings.ts";
import { chooseForm, INDEX_ACCEPT } from "./accept.ts";
import { segmentsOf, upstreamAddresses } from "./addresses.ts";
import { projectsOf } from "./filename.ts";
import { renderProjects } from "./project_list.ts";
import { pypiVersions } from "./versions.ts";

const VERSION = /^[A-Za-z0-9][A-Za-z0-9.!+_-]{0,127}$/;
const METADATA = ".metadata";

/** What a path means; `simple`, `packages` and `integrity` are projects too where nothing else fits. */
export function match(request: RegistryRequest): Target | null {
  if (request.method !== "GET") return null;
  const segments = segmentsOf(request.path);
  if (segments === null) return null;
  const slash = segments.at(-1) === "";
  if (slash) segments.pop();
  if (segments.includes("")) return null;
  const file = slash ? null : fileTarget(segments, request.path);
  if (file !== null || request.mount === "files") return file;
  return simpleTarget(segments, slash, request) ??
    integrityTarget(segments, slash) ??
    legacyTarget(segments, slash);
}

function fileTarget(segments: readonly string[], path: string): Target | null {
  if (segments[0] !== "packages" || segments.length < 2) return null;
  const last = segments[segments.length - 1];
  const filename = last.endsWith(METADATA) ? last.slice(0, -METADATA.length) : last;
  if (segments[1] === "+") {
    const name = segments.length === 4 ? pypiVersions.normalizeName(segments[2]) : null;
    return name === null ? null : { kind: "file", names: [name], path };
  }
  const names = projectsOf(filename);
  return names.length === 0 ? null : { kind: "file", names, path };
}

function simpleTarget(
  segments: readonly string[],
  slash: boolean,
  { headers }: RegistryRequest,
): Target | null {
  const form = chooseForm(headers.get("accept"));
  const [first, second] = segments;
  if (segments.length === 0 || (segments.length === 1 && first === "simple" && slash)) {
    const page: PageTarget<Document> = {
      kind: "page",
      document: { url: upstreamAddresses.projects(), accept: INDEX_ACCEPT },
      reading: AS_IT_CAME,
      form: () => form,
      render: (document) => renderProjects(document, form),
    };
    return page;
  }
  if (segments.length === 1) {
    return first === "simple"
      ? { kind: "redirect", path: "simple/" }
      : indexTarget("", first, slash, form);
  }
  if (segments.length === 2 && first === "simple") {
    return indexTarget("simple/", second, slash, form);
  }
  return null;
}

function indexTarget(prefix: string, written: string, slash: boolean, form: string): Target | null {
  const name = pypiVersions.normalizeName(written);
  if (name === null) return null;
  return name === written && slash
    ? { kind: "index", name, form }
    : { kind: "redirect", path: `${prefix}${name}/` };
}

function integrityTarget(segments: readonly string[], slash: boolean): Target | null {
  if (segments.length !== 5 || slash) return null;
  const [first, written, version, filename, last] = segments;
  const name = pypiVersions.normalizeName(written);
  if (first !== "integrity" || last !== "provenance" || name === null) return null;
  if (!VERSION.test(version) || projectsOf(filename).length === 0) return null;
  return {
    kind: "pass",
    method: "GET",
    path: upstreamAddresses.integrity(name, version, filename),
    accept: "application/vnd.pypi.integrity.v1+json",
    name,
  };
}

/** PyPI's older JSON API: `<name>/json` and `<name>/<version>/json`. */
function legacyTarget(segments: readonly string[], slash: boolean): Target | null {
  if (segments.length < 2 || segments.length > 3 || segments.at(-1) !== "json") return null;
  const name = pypiVersions.normalizeName(segments[0]);
  const version = segments.length === 3 ? segments[1] : null;
  if (name === null || (version !== null && !VERSION.test(version))) return null;
  if (slash || name !== segments[0]) {
    const middle = version === null ? "" : `${encodeURIComponent(version)}/`;
    return { kind: "redirect", path: `${name}/${middle}json` };
  }
  const accept = "application/json";
  return version === null
    ? {
      kind: "index",
      name,
      form: "legacy",
      document: { url: upstreamAddresses.legacy(name), accept },
    }
    : {
      kind: "index",
      name,
      form: `legacy/${version}`,
      document: { url: upstreamAddresses.legacyVersion(name, version), accept },
    };
}
