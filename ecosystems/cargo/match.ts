/** What a path below one of cargo's mounts means. */
import type { PageTarget, RegistryRequest, Target } from "../ecosystem.ts";
import { versionForm } from "./crate_index.ts";
import { CONFIG, CONFIG_READING, type RegistryConfig, renderConfig } from "./config.ts";
import {
  type CrateFile,
  filePath,
  isName,
  isVersion,
  readFilePath,
  readIndexPath,
  segmentsOf,
} from "./paths.ts";

/** The path of `PassTarget` for a search; `resolvePass` finds the API it belongs to. */
const SEARCH = "api/v1/crates";

/** The query keys that a search may carry: cargo's own two, and what pages are asked for with. */
const SEARCH_KEYS: ReadonlyMap<string, RegExp> = new Map([
  ["q", /^.{0,200}$/su],
  ["per_page", /^\d{1,3}$/],
  ["page", /^\d{1,5}$/],
  ["sort", /^[a-z-]{1,20}$/],
]);

const CONFIG_PAGE: PageTarget<RegistryConfig> = {
  kind: "page",
  document: CONFIG,
  reading: CONFIG_READING,
  form: ({ mount, policy }) => `${policy.revision}\n${mount}`,
  render: renderConfig,
};

/** null: nothing (404). Total. */
export function matchCargo(request: RegistryRequest): Target | null {
  if (request.method !== "GET") return null;
  const segments = segmentsOf(request.path);
  if (segments === null) return null;
  if (request.mount === "cargofiles") {
    return matchFile(segments) ?? matchFile(segments.slice(1), segments[0]);
  }
  if (segments.length === 1 && segments[0] === CONFIG.url) {
    return CONFIG_PAGE;
  }
  if (segments[0] === "api") return matchApi(segments, request.search);
  const file = matchFile(segments.slice(1), segments[0]);
  if (file) return file;
  const name = readIndexPath(segments);
  return name === null ? null : { kind: "index", name, form: "index" };
}

function matchFile(segments: readonly string[], first = "crates"): Target | null {
  const file = first === "crates" ? readFilePath(segments) : null;
  return file && fileTarget(file);
}

function fileTarget(file: CrateFile): Target {
  return { kind: "file", names: [file.name], path: filePath(file) };
}

/** Reading only: publish, yank, owners and the like are no paths here. */
function matchApi(segments: readonly string[], search: string): Target | null {
  const [, v1, crates, name, version, ...rest] = segments;
  if (v1 !== "v1" || crates !== "crates") return null;
  if (name === undefined) return matchSearch(search);
  if (!isName(name)) return null;
  if (version === undefined) return { kind: "index", name, form: "crate" };
  if (!isVersion(version)) return null;
  if (rest.length === 0) return { kind: "index", name, form: versionForm(version) };
  return rest.length === 1 && rest[0] === "download" ? fileTarget({ name, version }) : null;
}

function matchSearch(search: string): Target | null {
  const given = new URLSearchParams(search);
  const query = new URLSearchParams();
  for (const [key, shape] of SEARCH_KEYS) {
    const value = given.get(key);
    if (value !== null && shape.test(value)) query.set(key, value);
  }
  if (!query.has("q")) return null;
  const path = `${SEARCH}?${query}`;
  return { kind: "pass", method: "GET", path, accept: "application/json" };
}
