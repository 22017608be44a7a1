/** A small PyPI: simple index in both forms, files, `.metadata`, JSON API, integrity API. */
import { createHash } from "node:crypto";
import {
  buildSdist,
  buildWheel,
  coreMetadata,
  type Distribution,
  escaped,
  wheelFilename,
} from "./python_files.ts";
import { type Answer, serveRegistry, type ServerOptions, type TestServer } from "./server.ts";

export interface Publication {
  name: string;
  version: string;
  /** RFC 3339; default 2020-01-01; null: the index gives no time. */
  uploadedAt?: string | null;
  yanked?: boolean | string;
  /** Whether each file has a provenance address. */
  provenance?: boolean;
  /** Default: a wheel. */
  files?: readonly ("wheel" | "sdist")[];
  dependencies?: readonly string[];
  requiresPython?: string;
  /** Build tag of the wheel, so that a version can get a second one. */
  build?: string;
  /** States a digest that the file does not have. */
  tamper?: boolean;
  /** Whether `.metadata` is offered beside wheels; default true. */
  metadata?: boolean;
}

export interface PypiFile {
  readonly filename: string;
  /** Below the registry's address, e.g. `packages/ab/cd/.../x.whl`. */
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly publication: Publication;
  readonly sha256: string;
  readonly metadata: string | null;
  yanked: boolean | string;
}

export interface PypiOptions extends ServerOptions {
  /** Which forms of the index there are; default both, by Accept. */
  forms?: "both" | "json" | "html";
  /** Default `1.4`. */
  apiVersion?: string;
  /** Keys added to every project's JSON, such as `project-status`. */
  extra?: Record<string, unknown>;
}

export interface PypiRegistry extends TestServer {
  /** Address of the simple index, for `UPSTREAM_PYPI` and pip's `--index-url`. */
  readonly index: string;
  /** Publishes files; again for the same version adds to it. */
  publish(publication: Publication): PypiFile[];
  /** Yanks all files of a version there are. */
  yank(name: string, version: string, reason?: string): void;
  files(name: string): readonly PypiFile[];
}

const JSON_TYPE = "application/vnd.pypi.simple.v1+json";

export function startPypiRegistry(options: PypiOptions = {}): PypiRegistry {
  const projects = new Map<string, PypiFile[]>();
  const filesOf = (name: string) => projects.get(normalized(name)) ?? [];
  const server = serveRegistry((request, path) => {
    const base = new URL("/", request.url).href;
    return answer(path, { projects, base, options, accept: request.headers.get("accept") ?? "" });
  }, options);
  return Object.assign(server, {
    index: `${server.url}simple/`,
    publish(publication: Publication) {
      const added = build(publication);
      const name = normalized(publication.name);
      projects.set(name, [...filesOf(name), ...added]);
      return added;
    },
    yank(name: string, version: string, reason?: string) {
      for (const file of filesOf(name)) {
        if (file.publication.version === version) file.yanked = reason ?? true;
      }
    },
    files: filesOf,
  });
}

function normalized(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

function build(publication: Publication): PypiFile[] {
  const distribution: Distribution = {
    name: publication.name,
    version: publication.version,
    dependencies: publication.dependencies ?? [],
    requiresPython: publication.requiresPython,
  };
  return (publication.files ?? ["wheel"]).map((kind) => {
    const wheel = kind === "wheel";
    const bytes = wheel ? buildWheel(distribution) : buildSdist(distribution);
    const filename = wheel
      ? wheelFilename(distribution, publication.build)
      : `${escaped(publication.name)}-${publication.version}.tar.gz`;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const spread = createHash("sha256").update(filename).digest("hex");
    return {
      filename,
      path: `packages/${spread.slice(0, 2)}/${spread.slice(2, 4)}/${spread.slice(4)}/` +
        encodeURIComponent(filename),
      bytes,
      publication,
      sha256: publication.tamper ? "0".repeat(64) : sha256,
      metadata: wheel && publication.metadata !== false ? coreMetadata(distribution) : null,
      yanked: publication.yanked ?? false,
    };
  });
}

interface Context {
  projects: ReadonlyMap<string, readonly PypiFile[]>;
  base: string;
  options: PypiOptions;
  accept: string;
}

function answer(path: string, context: Context): Answer | null {
  const { projects, base } = context;
  const [top, name, ...rest] = path.slice(1).split("/");
  if (top === "simple" && name === "") return list([...projects.keys()], context);
  if (top === "simple" && rest.length === 1 && rest[0] === "") {
    const files = projects.get(name);
    return files === undefined ? null : project(name, files, context);
  }
  if (top === "packages") return file(path.slice(1), context);
  if (top === "pypi" && rest.at(-1) === "json") {
    const files = projects.get(name) ?? [];
    return legacy(name, files, { base, version: rest.length === 2 ? rest[0] : null });
  }
  if (top === "integrity" && rest[2] === "provenance") return provenance(name, rest[1], context);
  return null;
}

function file(path: string, { projects }: Context): Answer | null {
  for (const found of [...projects.values()].flat()) {
    if (path === found.path) return { body: found.bytes, type: "application/octet-stream" };
    if (path === `${found.path}.metadata` && found.metadata !== null) {
      return { body: found.metadata, type: "application/octet-stream" };
    }
  }
  return null;
}

function wantsJson({ accept, options }: Context): boolean {
  if (options.forms === "json" || options.forms === "html") return options.forms === "json";
  return accept.includes(JSON_TYPE);
}

function list(names: readonly string[], context: Context): Answer {
  if (!wantsJson(context)) {
    const links = names.map((name) => `<a href="/simple/${name}/">${name}</a>\n`);
    return {
      body: `<!DOCTYPE html><html><body>${links.join("")}</body></html>`,
      type: "text/html",
    };
  }
  const body = { meta: { "api-version": "1.4" }, projects: names.map((name) => ({ name })) };
  return { body: JSON.stringify(body), type: JSON_TYPE };
}

function project(name: string, files: readonly PypiFile[], context: Context): Answer {
  const { base, options } = context;
  if (!wantsJson(context)) {
    const links = files.map((entry) => anchor(entry, base));
    return {
      body: `<!DOCTYPE html>\n<html><body><h1>Links for ${name}</h1>\n${
        links.join("")
      }</body></html>`,
      type: "text/html; charset=utf-8",
    };
  }
  const body = {
    files: files.map((entry) => fields(entry, name, base)),
    meta: { "_last-serial": files.length, "api-version": options.apiVersion ?? "1.4" },
    name,
    versions: [...new Set(files.map(({ publication }) => publication.version))],
    ...options.extra,
  };
  return { body: JSON.stringify(body), type: JSON_TYPE };
}

function fields(entry: PypiFile, name: string, base: string): Record<string, unknown> {
  const { publication, filename, sha256, metadata } = entry;
  const core = metadata === null ? false : { sha256: sha256Of(metadata) };
  const { uploadedAt = "2020-01-01T00:00:00.000000Z", version } = publication;
  return {
    "core-metadata": core,
    "data-dist-info-metadata": core,
    filename,
    hashes: { sha256 },
    provenance: publication.provenance
      ? `${base}integrity/${name}/${version}/${encodeURIComponent(filename)}/provenance`
      : null,
    "requires-python": publication.requiresPython ?? null,
    size: entry.bytes.length,
    ...(uploadedAt !== null && { "upload-time": uploadedAt }),
    url: base + entry.path,
    yanked: entry.yanked,
  };
}

function anchor({ path, sha256, yanked, metadata, publication, filename }: PypiFile, base: string) {
  const attributes = [`href="${base}${path}#sha256=${sha256}"`];
  if (publication.requiresPython) {
    const python = publication.requiresPython.replaceAll(">", "&gt;").replaceAll("<", "&lt;");
    attributes.push(`data-requires-python="${python}"`);
  }
  if (yanked !== false) attributes.push(`data-yanked="${yanked === true ? "" : yanked}"`);
  if (metadata !== null) attributes.push(`data-core-metadata="sha256=${sha256Of(metadata)}"`);
  return `<a ${attributes.join(" ")}>${filename}</a><br />\n`;
}

function legacy(
  name: string,
  files: readonly PypiFile[],
  { base, version }: { base: string; version: string | null },
): Answer | null {
  const releases: Record<string, unknown[]> = {};
  for (const entry of files) {
    const { publication: { version: of, uploadedAt, requiresPython } } = entry;
    (releases[of] ??= []).push({
      digests: { sha256: entry.sha256 },
      filename: entry.filename,
      packagetype: entry.filename.endsWith(".whl") ? "bdist_wheel" : "sdist",
      requires_python: requiresPython ?? null,
      size: entry.bytes.length,
      upload_time_iso_8601: uploadedAt ?? "2020-01-01T00:00:00.000000Z",
      url: base + entry.path,
      yanked: entry.yanked !== false,
      yanked_reason: typeof entry.yanked === "string" ? entry.yanked : null,
    });
  }
  const shown = version ?? files.at(-1)?.publication.version;
  if (shown === undefined || releases[shown] === undefined) return null;
  const info = { name, version: shown, summary: `${name} for a test`, yanked: false };
  const body = { info, last_serial: files.length, urls: releases[shown], vulnerabilities: [] };
  return {
    body: JSON.stringify(version === null ? { ...body, releases } : body),
    type: "application/json",
  };
}

function provenance(name: string, filename: string, { projects }: Context): Answer | null {
  const wanted = decodeURIComponent(filename);
  const found = projects.get(name)?.find((entry) => entry.filename === wanted);
  if (!found?.publication.provenance) return null;
  const publisher = { kind: "GitHub", repository: `example/${name}`, workflow: "release.yml" };
  const body = { version: 1, attestation_bundles: [{ publisher, attestations: [] }] };
  return { body: JSON.stringify(body), type: "application/vnd.pypi.integrity.v1+json" };
}

function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
