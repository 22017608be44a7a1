/** What the contract suite needs to know of one ecosystem: how to publish, what to ask, how to read. */
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";
import type { ServerOptions, TestServer } from "../registry/server.ts";

export interface Driver {
  readonly id: string;
  /** Mount and a name that lives there, e.g. `/npm/`. */
  readonly mount: string;
  /** What its clients send. */
  readonly headers: Record<string, string>;
  start(options?: ServerOptions): World;
  /** Path of a package's index below the mount. */
  index(name: string): string;
  /** The versions a client would choose from, oldest first. */
  visible(body: string): string[];
  /** Paths that no package has, but that try to leave theirs. */
  readonly traversals: readonly string[];
}

export interface World {
  readonly server: TestServer;
  /** Value of `UPSTREAM_<ID>`. */
  readonly upstream: string;
  publish(given: { name: string; version: string; publishedAt: Date | null }): Published;
  /** Paths of the server that are files, for faults. */
  readonly files: RegExp;
  /** Paths of the server that are indexes. */
  readonly indexes: RegExp;
}

export interface Published {
  /** Path of its file below the mount. */
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const npm: Driver = {
  id: "npm",
  mount: "/npm/",
  headers: { "accept": "application/json", "user-agent": "npm/12.0.0 node/v24.0.0 linux x64" },
  start(options) {
    const server = startNpmRegistry(options);
    return {
      server,
      upstream: server.url,
      publish({ name, version, publishedAt }) {
        const { tarball } = server.publish({ name, version, publishedAt });
        return { path: `${name}/-/${name}-${version}.tgz`, bytes: tarball };
      },
      files: /\.tgz$/,
      indexes: /^\/(?!.*\.tgz$)[^-]/,
    };
  },
  index: (name) => name,
  visible: (body) => Object.keys(JSON.parse(body).versions),
  traversals: [
    "..%2f..%2fadmin",
    "pkg/-/..%2f..%2fsecret.tgz",
    "%252e%252e/etc/passwd",
    "pkg/-/%00.tgz",
  ],
};

const pypi: Driver = {
  id: "pypi",
  mount: "/pypi/",
  headers: {
    "accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.1",
    "user-agent": "pip/25.0",
  },
  start(options) {
    const server = startPypiRegistry(options);
    return {
      server,
      upstream: server.index,
      publish({ name, version, publishedAt }) {
        const uploadedAt = publishedAt === null ? null : publishedAt.toISOString();
        const [file] = server.publish({ name, version, uploadedAt });
        return { path: file.path, bytes: file.bytes };
      },
      files: /^\/packages\/.*\.whl$/,
      indexes: /^\/simple\/./,
    };
  },
  index: (name) => `simple/${name}/`,
  visible(body) {
    const { files } = JSON.parse(body) as { files: { filename: string; yanked?: unknown }[] };
    return files.filter((file) => file.yanked === false || file.yanked === undefined)
      .map((file) => file.filename.split("-")[1]);
  },
  traversals: [
    "simple/..%2f..%2fadmin/",
    "packages/%252e%252e/etc/x-1.0.whl",
    "packages/..%2f..%2fsecret-1.0.whl",
    "simple/%00/",
  ],
};

const cargo: Driver = {
  id: "cargo",
  mount: "/cargo/",
  headers: { "accept": "text/plain", "user-agent": "cargo/1.95.0" },
  start(options) {
    const server = startCargoRegistry(options);
    return {
      server,
      upstream: server.url,
      publish({ name, version, publishedAt }) {
        const { crate } = server.publish({ name, version, publishedAt });
        return { path: `crates/${name}/${version}/download`, bytes: crate };
      },
      files: /\/download$/,
      indexes: /^\/(?:[123]|..\/..)\/[^/]+/,
    };
  },
  index: (name) => `${name.slice(0, 2)}/${name.slice(2, 4)}/${name}`,
  visible(body) {
    return body.trim().split("\n").map((line) =>
      JSON.parse(line) as { vers: string; yanked: boolean }
    )
      .filter((line) => !line.yanked).map((line) => line.vers);
  },
  traversals: [
    "..%2f..%2fadmin",
    "pa/ck/..%2f..%2fx",
    "crates/..%2f../1.0.0/download",
    "pa/ck/%00",
  ],
};

export const DRIVERS: readonly Driver[] = [npm, pypi, cargo];
