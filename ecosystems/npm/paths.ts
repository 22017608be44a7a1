/** npm's paths: https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md, and what clients send. */
import type { RegistryRequest, Target } from "../ecosystem.ts";
import { npmVersions } from "./versions.ts";

export const FULL = "full";
export const ABBREVIATED = "abbreviated";
export const DIST_TAGS = "dist-tags";
/** Followed by a version or a tag. */
export const MANIFEST = "manifest:";

const CORGI = "application/vnd.npm.install-v1+json";
const JSON_TYPE = "application/json";

/** What a path below an npm mount means; null: nothing. */
export function matchNpm(request: RegistryRequest): Target | null {
  const segments = decodeSegments(request.path);
  if (segments === null) return null;
  if (segments[0] === "-") return matchService(request, segments.slice(1));
  if (request.method !== "GET") return null;
  if (segments.length === 0) return ROOT;
  return matchPackage(request, segments);
}

const ROOT: Target = {
  kind: "fixed",
  render: ({ mount }) => ({
    body: `${JSON.stringify({ registry: "npm", address: mount, read_only: true })}\n`,
    type: JSON_TYPE,
  }),
};

/** Decoded once; a scoped name counts as one segment however its slash is written. */
function decodeSegments(path: string): string[] | null {
  const segments: string[] = [];
  const raw = path.split("/");
  if (raw.at(-1) === "") raw.pop();
  // corepack puts a slash behind an address that ends in one.
  if (raw[0] === "") raw.shift();
  for (const part of raw) {
    const decoded = decodeSegment(part);
    if (decoded === null) return null;
    if (decoded.includes("/")) {
      const pieces = decoded.split("/");
      if (!decoded.startsWith("@") || pieces.length !== 2 || pieces[1] === "") return null;
    }
    segments.push(decoded);
  }
  return joinScope(segments);
}

function joinScope(segments: string[]): string[] {
  const [first, second] = segments;
  if (first === undefined || second === undefined) return segments;
  if (!first.startsWith("@") || first.includes("/") || second === "-") return segments;
  return [`${first}/${second}`, ...segments.slice(2)];
}

function decodeSegment(part: string): string | null {
  if (part === "") return null;
  let decoded: string;
  try {
    decoded = decodeURIComponent(part);
  } catch {
    return null;
  }
  if (decoded === "." || decoded === ".." || /[\\\p{Cc}]/u.test(decoded)) return null;
  return decoded;
}

function matchPackage(request: RegistryRequest, segments: readonly string[]): Target | null {
  const [name, second, ...rest] = segments;
  if (npmVersions.normalizeName(name) === null) return null;
  if (second === undefined) return { kind: "index", name, form: formFor(request.headers) };
  if (second !== "-") {
    return rest.length === 0 ? { kind: "index", name, form: `${MANIFEST}${second}` } : null;
  }
  if (rest.length === 0) return null;
  return { kind: "file", names: [name], path: rest.join("/") };
}

function matchService(request: RegistryRequest, segments: readonly string[]): Target | null {
  const { method, search } = request;
  const path = segments.join("/");
  if (method === "GET") {
    if (path === "ping" || path === "npm/v1/keys") return pass("GET", `-/${path}`);
    if (path === "v1/search") return pass("GET", `-/v1/search${search}`);
    if (path.startsWith("npm/v1/attestations/")) return matchAttestations(path.slice(20));
    if (segments[0] === "package") return matchDistTags(joinScope(segments.slice(1)));
    return null;
  }
  if (method !== "POST" || !AUDITS.has(path)) return null;
  return { kind: "pass", method: "POST", path: `-/${path}`, accept: JSON_TYPE, audit: true };
}

const AUDITS = new Set([
  "npm/v1/security/advisories/bulk",
  "npm/v1/security/audits/quick",
  "npm/v1/security/audits",
]);

function pass(method: "GET", path: string): Target {
  return { kind: "pass", method, path, accept: JSON_TYPE };
}

/** `<name>@<version>`; the name may be scoped, so the last `@` counts. */
function matchAttestations(spec: string): Target | null {
  const at = spec.lastIndexOf("@");
  const name = spec.slice(0, at);
  if (at <= 0 || npmVersions.normalizeName(name) === null) return null;
  const path = `-/npm/v1/attestations/${encodeName(name)}@${
    encodeURIComponent(spec.slice(at + 1))
  }`;
  return { kind: "pass", method: "GET", path, accept: JSON_TYPE, name };
}

function matchDistTags(segments: readonly string[]): Target | null {
  const [name, last, ...rest] = segments;
  if (name === undefined || last !== "dist-tags" || rest.length > 0) return null;
  if (npmVersions.normalizeName(name) === null) return null;
  return { kind: "index", name, form: DIST_TAGS };
}

/** A name as npm writes it in a path: the scope's slash encoded. */
export function encodeName(name: string): string {
  return encodeURIComponent(name).replace(/^%40/, "@");
}

/** The abbreviated form for clients that prefer it at least as much as plain JSON. */
function formFor(headers: Headers): string {
  const accept = headers.get("accept");
  if (accept === null || !accept.includes(CORGI)) return FULL;
  let corgi = 0;
  let json = 0;
  for (const part of accept.split(",")) {
    const [type, ...parameters] = part.split(";");
    const quality = qualityOf(parameters);
    if (type.trim() === CORGI) corgi = quality;
    else if (type.trim() === JSON_TYPE) json = quality;
  }
  return corgi > 0 && corgi >= json ? ABBREVIATED : FULL;
}

function qualityOf(parameters: readonly string[]): number {
  const parameter = parameters.find((text) => /^\s*q\s*=/i.test(text));
  if (parameter === undefined) return 1;
  const quality = Number(parameter.split("=")[1]);
  return quality >= 0 && quality <= 1 ? quality : 0;
}
