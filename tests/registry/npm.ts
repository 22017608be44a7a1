/** A small npm registry on loopback, with packages that real clients install. */
import { gzipSync } from "node:zlib";
import semver from "semver";
import {
  abbreviate,
  buildPackage,
  type BuiltPackage,
  makeSigningKey,
  type Manifest,
  type NpmPublish,
} from "./npm_package.ts";
import {
  type Advisories,
  type Advisory,
  json,
  LONG_AGO,
  service,
  type Stored,
} from "./npm_service.ts";
import { type Answer, serveRegistry, type ServerOptions, type TestServer } from "./server.ts";

export type { NpmPublish } from "./npm_package.ts";
export type { Advisory } from "./npm_service.ts";

export interface NpmOptions extends ServerOptions {
  /** Only requests with exactly this Authorization header are answered; others get 401. */
  authorization?: string;
  /** Whether documents are sent gzipped to those who accept that; default false. */
  gzip?: boolean;
}

export interface NpmRegistry extends TestServer {
  publish(given: NpmPublish): BuiltPackage;
  /** Takes a version away, its entry in `time` stays, as in the public registry. */
  unpublish(name: string, version: string): void;
  tagged(name: string, tag: string, version: string): void;
  /** What audits are told of a package, unless it has no vulnerable version. */
  advise(name: string, advisory: Advisory): void;
}

const ABBREVIATED_TYPE = "application/vnd.npm.install-v1+json";

export function startNpmRegistry(options: NpmOptions = {}): NpmRegistry {
  const signing = makeSigningKey();
  const stored = new Map<string, Stored>();
  const advisories: Advisories = new Map();

  const server = serveRegistry(async (request, path) => {
    if (
      options.authorization !== undefined &&
      request.headers.get("authorization") !== options.authorization
    ) {
      return { ...json({ error: "authentication required" }), status: 401 };
    }
    const keys = [{
      expires: null,
      keyid: signing.id,
      keytype: "ecdsa-sha2-nistp256",
      scheme: "ecdsa-sha2-nistp256",
      key: signing.spki,
    }];
    const answer = path.startsWith("/-/")
      ? await service(request, { path: decode(path), stored, advisories, keys })
      : packageAnswer(request, decode(path), stored);
    return answer && options.gzip ? compressed(request, answer) : answer;
  }, options);

  const find = (name: string) => {
    const found = stored.get(name);
    if (!found) throw new Error(`Nobody published ${name}`);
    return found;
  };

  return Object.assign(server, {
    publish(given: NpmPublish) {
      const built = buildPackage(given, { base: server.url, signing });
      const { name, version } = given;
      const entry: Stored = stored.get(name) ?? { name, tags: {}, time: {}, packages: new Map() };
      stored.set(name, entry);
      entry.packages.set(version, built);
      entry.tags[given.tag ?? "latest"] = version;
      entry.tags.latest ??= version;
      const at = given.publishedAt === undefined ? LONG_AGO : given.publishedAt;
      if (at !== null) entry.time[version] = at instanceof Date ? at.toISOString() : at;
      return built;
    },
    unpublish(name: string, version: string) {
      const entry = find(name);
      entry.packages.delete(version);
      const left = [...entry.packages.keys()].sort(semver.compare);
      for (const [tag, target] of Object.entries(entry.tags)) {
        if (target !== version) continue;
        const next = left.at(-1);
        if (tag === "latest" && next) entry.tags[tag] = next;
        else delete entry.tags[tag];
      }
    },
    tagged: (name: string, tag: string, version: string) => void (find(name).tags[tag] = version),
    advise(name: string, advisory: Advisory) {
      const id = advisory.id ?? 1000 + [...advisories.values()].flat().length;
      const full = {
        id,
        title: `A fault of ${name}`,
        severity: "high",
        url: `https://advisories.example/${id}`,
        ...advisory,
      };
      advisories.set(name, [...advisories.get(name) ?? [], full]);
    },
  });
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path.slice(1));
  } catch {
    return "";
  }
}

function compressed(request: Request, answer: Answer): Answer {
  const accepted = request.headers.get("accept-encoding")?.includes("gzip");
  if (!accepted || typeof answer.body !== "string") return answer;
  return {
    ...answer,
    body: new Uint8Array(gzipSync(answer.body)),
    headers: { ...answer.headers, "content-encoding": "gzip" },
  };
}

/** Packuments, manifests of one version, tarballs. */
function packageAnswer(
  request: Request,
  path: string,
  stored: ReadonlyMap<string, Stored>,
): Answer | null {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { ...json({ error: "method not allowed" }), status: 405 };
  }
  const [, name, rest] = /^((?:@[^/]+\/)?[^/@]+)(?:\/(.+))?$/.exec(path) ?? [];
  const entry = stored.get(name ?? "");
  if (!entry) return { ...json({ error: "Not found" }), status: 404 };
  if (rest === undefined) {
    const short = request.headers.get("accept")?.includes(ABBREVIATED_TYPE);
    return short ? json(abbreviated(entry), ABBREVIATED_TYPE) : json(packument(entry));
  }
  if (rest.startsWith("-/")) {
    const suffix = `/${name}/${rest}`;
    const found = [...entry.packages.values()].find((each) => tarballPath(each) === suffix);
    return found ? { body: found.tarball, type: "application/octet-stream" } : null;
  }
  const found = entry.packages.get(entry.tags[rest] ?? rest);
  if (found) return json(found.manifest);
  return { ...json(`version not found: ${rest}`), status: 404 };
}

function tarballPath({ manifest: { name, version } }: BuiltPackage): string {
  return `/${name}/-/${name.split("/").at(-1)}-${version}.tgz`;
}

function packument(entry: Stored): Record<string, unknown> {
  const { name, tags, packages } = entry;
  const times = Object.values(entry.time).filter((time) => !Number.isNaN(Date.parse(time))).sort();
  const time = {
    created: times.at(0) ?? LONG_AGO,
    modified: times.at(-1) ?? LONG_AGO,
    ...entry.time,
  };
  const head = { _id: name, _rev: `${packages.size}-${"0".repeat(32)}`, name };
  if (packages.size === 0) {
    const unpublished = { time: time.modified, versions: Object.keys(entry.time) };
    return { ...head, time: { ...time, unpublished } };
  }
  const versions: Record<string, Manifest> = {};
  for (const [version, { manifest }] of packages) versions[version] = manifest;
  return {
    ...head,
    "dist-tags": tags,
    versions,
    time,
    description: `${name} of the test registry`,
    maintainers: [{ name: "maintainer", email: "maintainer@packages.example" }],
    license: "MIT",
    readme: `# ${name}\n`,
    readmeFilename: "README.md",
  };
}

function abbreviated(entry: Stored): Record<string, unknown> {
  const versions: Record<string, unknown> = {};
  for (const [version, { manifest }] of entry.packages) versions[version] = abbreviate(manifest);
  const modified = Object.values(entry.time).sort().at(-1) ?? LONG_AGO;
  return { name: entry.name, "dist-tags": entry.tags, versions, modified };
}
