/** A small sparse cargo registry on loopback, with crates that real cargo builds. */
import { createHash } from "node:crypto";
import { type Answer, serveRegistry, type ServerOptions, type TestServer } from "./server.ts";
import { tarGzip } from "./tar.ts";

export interface CargoPublish {
  name: string;
  version: string;
  /** Default 2020-01-01; null: neither index nor API knows. */
  publishedAt?: Date | null;
  /** false: only the API knows the time. Default true. */
  pubtime?: boolean;
  yanked?: boolean;
  /** Name to range. */
  dependencies?: Record<string, string>;
  /** Whether the API says that it came from a trusted publisher; default false. */
  trustpub?: boolean;
  /** Text of `src/lib.rs`. */
  lib?: string;
  /** Merged into the index line. */
  extra?: Record<string, unknown>;
}

export interface CargoOptions extends ServerOptions {
  /** Path of downloads with cargo's markers; default `crates`, to which cargo adds the rest. */
  dl?: string;
  /** Whether there is a web API; default true. */
  api?: boolean;
  /** Whether downloads and API have an origin of their own, as crates.io's do; default false. */
  separate?: boolean;
  /** Only requests with exactly this Authorization header are answered; others get 401. */
  authorization?: string;
}

export interface CargoRegistry extends TestServer {
  /** The server of downloads and API; this one itself unless they are `separate`. */
  readonly files: TestServer;
  publish(given: CargoPublish): { checksum: string; crate: Uint8Array<ArrayBuffer>; line: string };
  yank(name: string, version: string): void;
  /** Takes the line away, as registries do on request. */
  remove(name: string, version: string): void;
}

interface StoredCrate {
  name: string;
  version: string;
  createdAt: string | null;
  trustpub: boolean;
  line: Record<string, unknown>;
  bytes: Uint8Array<ArrayBuffer>;
}

const LONG_AGO = new Date("2020-01-01T00:00:00Z");

export function startCargoRegistry(options: CargoOptions = {}): CargoRegistry {
  const crates: StoredCrate[] = [];
  const template = options.dl ?? "crates";
  const guarded = (answer: (path: string, search: URLSearchParams) => Answer | null) =>
    serveRegistry((request, path) => {
      const { authorization } = options;
      if (authorization && request.headers.get("authorization") !== authorization) {
        return { status: 401, body: "unauthorized", type: "text/plain" };
      }
      return answer(decodeURIComponent(path.slice(1)), new URL(request.url).searchParams);
    }, options);

  const fileAnswer = (path: string, search: URLSearchParams) =>
    download(crates, { path, template }) ??
      (options.api === false ? null : apiAnswer(crates, { path, search }));
  const files = options.separate ? guarded(fileAnswer) : null;
  const server = guarded((path, search) => {
    if (path === "config.json") {
      const { url } = files ?? server;
      const api = options.api === false ? {} : { api: url.slice(0, -1) };
      const auth = options.authorization ? { "auth-required": true } : {};
      return json({ dl: `${url}${template}`, ...api, ...auth });
    }
    return indexAnswer(crates, path) ?? (files ? null : fileAnswer(path, search));
  });

  const find = (name: string, version: string) => {
    const position = crates.findIndex((each) => each.name === name && each.version === version);
    if (position < 0) throw new Error(`Nobody published ${name} ${version}`);
    return position;
  };
  const stop = server[Symbol.asyncDispose];
  return Object.assign(server, {
    files: files ?? server,
    publish(given: CargoPublish) {
      const stored = buildCrate(given);
      crates.push(stored);
      const { bytes, line } = stored;
      return { checksum: String(line.cksum), crate: bytes, line: JSON.stringify(line) };
    },
    yank: (name: string, version: string) => void (crates[find(name, version)].line.yanked = true),
    remove: (name: string, version: string) => void crates.splice(find(name, version), 1),
    async [Symbol.asyncDispose]() {
      await stop();
      await files?.[Symbol.asyncDispose]();
    },
  });
}

function json(document: unknown): Answer {
  return { body: JSON.stringify(document), type: "application/json" };
}

function buildCrate(given: CargoPublish): StoredCrate {
  const { name, version } = given;
  const dependencies = Object.entries(given.dependencies ?? {});
  const manifest = [
    "[package]",
    `name = ${JSON.stringify(name)}`,
    `version = ${JSON.stringify(version)}`,
    'edition = "2021"',
    'description = "A crate of the test registry"',
    'license = "MIT"',
    "",
    "[dependencies]",
    ...dependencies.map(([dependency, range]) => `${dependency} = ${JSON.stringify(range)}`),
    "",
  ].join("\n");
  const root = `${name}-${version}`;
  const bytes = tarGzip([
    { path: `${root}/Cargo.toml`, content: manifest },
    { path: `${root}/src/lib.rs`, content: given.lib ?? "" },
  ]);
  const at = given.publishedAt === undefined ? LONG_AGO : given.publishedAt;
  const line = {
    name,
    vers: version,
    deps: dependencies.map(([dependency, req]) => ({
      name: dependency,
      req,
      features: [],
      optional: false,
      default_features: true,
      target: null,
      kind: "normal",
    })),
    cksum: createHash("sha256").update(bytes).digest("hex"),
    features: {},
    yanked: given.yanked ?? false,
    ...(at && given.pubtime !== false && { pubtime: at.toISOString().replace(/\.\d+Z$/, "Z") }),
    ...given.extra,
  };
  const createdAt = at && at.toISOString().replace("Z", "123+00:00");
  return { name, version, createdAt, trustpub: given.trustpub ?? false, line, bytes };
}

function prefix(name: string): string {
  if (name.length < 3) return String(name.length);
  return name.length === 3 ? `3/${name[0]}` : `${name.slice(0, 2)}/${name.slice(2, 4)}`;
}

function indexAnswer(crates: readonly StoredCrate[], path: string): Answer | null {
  const lines = crates.filter(({ name }) => {
    const lower = name.toLowerCase();
    return path === `${prefix(lower)}/${lower}`;
  });
  if (lines.length === 0) return null;
  const body = lines.map(({ line }) => `${JSON.stringify(line)}\n`).join("");
  return { body, type: "text/plain" };
}

function download(
  crates: readonly StoredCrate[],
  { path, template }: { path: string; template: string },
): Answer | null {
  const full = template.includes("{") ? template : `${template}/{crate}/{version}/download`;
  const found = crates.find(({ name, version, line }) =>
    path === full
      .replaceAll("{crate}", name)
      .replaceAll("{version}", version)
      .replaceAll("{prefix}", prefix(name))
      .replaceAll("{lowerprefix}", prefix(name.toLowerCase()))
      .replaceAll("{sha256-checksum}", String(line.cksum))
  );
  return found ? { body: found.bytes, type: "application/gzip" } : null;
}

function apiAnswer(
  crates: readonly StoredCrate[],
  { path, search }: { path: string; search: URLSearchParams },
): Answer | null {
  const [, name, version] = /^api\/v1\/crates(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path) ?? [];
  if (path === "api/v1/crates") {
    const names = new Set(crates.map((each) => each.name));
    const found = [...names].filter((each) => each.includes(search.get("q") ?? ""));
    const page = found.map((each) => crateEntry(crates.filter((crate) => crate.name === each)));
    return json({ crates: page, meta: { total: page.length, next_page: null, prev_page: null } });
  }
  const own = crates.filter((each) => each.name === name);
  if (own.length === 0) return null;
  if (version === undefined) {
    return json({
      categories: [],
      crate: crateEntry(own),
      keywords: [],
      versions: own.map(versionEntry).toReversed(),
    });
  }
  const one = own.find((each) => each.version === version);
  return one ? json({ version: versionEntry(one) }) : null;
}

/** @param own in the order of publishing */
function crateEntry(own: readonly StoredCrate[]) {
  const { name, version } = own.findLast(({ line }) => line.yanked !== true) ?? own[0];
  return {
    id: name,
    name,
    description: "A crate of the test registry",
    max_version: version,
    max_stable_version: version,
    newest_version: version,
    default_version: version,
    num_versions: own.length,
    yanked: own.every((each) => each.line.yanked === true),
  };
}

function versionEntry({ name, version, createdAt, trustpub, line }: StoredCrate) {
  return {
    crate: name,
    num: version,
    checksum: line.cksum,
    ...(createdAt && { created_at: createdAt }),
    dl_path: `/api/v1/crates/${name}/${version}/download`,
    license: "MIT",
    yanked: line.yanked,
    yank_message: null,
    trustpub_data: trustpub ? { provider: "github", repository: `acme/${name}` } : null,
  };
}
