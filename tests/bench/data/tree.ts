/** A project of about 1,000 packages with a lockfile, as `npm ci` installs it. */
import { createHash } from "node:crypto";
import { tarGzip } from "../../registry/tar.ts";
import type { Place } from "./catalogue.ts";
import { packument, tarballAddress } from "./packument.ts";
import { randomOf } from "./random.ts";

export const TREE_SIZE = 1_000;
/** How many packages the project itself depends on. */
const DIRECT = 60;
/** Versions of a package, bytes of its manifests, and of its one file's text. */
const TRAITS = { versions: 60, manifest: 1_600, text: 30_000 } as const;

function nameOf(position: number): string {
  return `tree-package-${position}`;
}

function positionOf(name: string): number | null {
  const match = /^tree-package-(\d{1,4})$/.exec(name);
  return match !== null && Number(match[1]) < TREE_SIZE ? Number(match[1]) : null;
}

/** The version every range leads to: the newest old enough. */
function pinOf(position: number): string {
  return `1.${versionsOf(position) - youngOf(position) - 1}.0`;
}

/** Most packages have few versions, some have many. */
function versionsOf(position: number): number {
  return 4 + Math.floor(TRAITS.versions * randomOf(nameOf(position)).next() ** 3 * 3);
}

function youngOf(position: number): number {
  return position % 10 === 0 ? 1 : 0;
}

/** What a package needs lies behind it in the list, so the graph has no cycles. */
function dependenciesOf(position: number): number[] {
  if (position < DIRECT) {
    const found: number[] = [];
    for (let next = DIRECT + position; next < TREE_SIZE && found.length < 8; next += DIRECT) {
      found.push(next);
    }
    return found;
  }
  const random = randomOf(`${nameOf(position)} needs`);
  const next = position + DIRECT * 8;
  const found = next < TREE_SIZE ? [next] : [];
  for (let i = random.below(3); i > 0 && position + 1 < TREE_SIZE; i--) {
    found.push(position + 1 + random.below(TREE_SIZE - position - 1));
  }
  return [...new Set(found)];
}

function rangesOf(position: number): Record<string, string> {
  return Object.fromEntries(dependenciesOf(position).map((other) => [nameOf(other), "^1.0.0"]));
}

function tarball(position: number, version: string): Uint8Array<ArrayBuffer> {
  const name = nameOf(position);
  const random = randomOf(`${name}@${version}`);
  const size = 500 + Math.floor(TRAITS.text * random.next() ** 3);
  const manifest = { name, version, license: "MIT", dependencies: rangesOf(position) };
  const files = ["lib/main.js", "lib/parts.js", "README.md"].map((path) => ({
    path: `package/${path}`,
    content: `module.exports = "${random.base64(size >> 1)}";\n`.repeat(2),
  }));
  return tarGzip([{ path: "package/package.json", content: JSON.stringify(manifest) }, ...files]);
}

/** null: not a package of the tree. */
export function treePackage(name: string, { base, now }: Place): Record<string, unknown> | null {
  const position = positionOf(name);
  if (position === null) return null;
  const young = youngOf(position);
  const count = versionsOf(position);
  const packed = Array.from({ length: young + 1 }, (_, i) => `1.${count - 1 - i}.0`);
  return packument({
    name,
    base,
    now,
    versions: count,
    young,
    bytesPerVersion: TRAITS.manifest,
    version: (index) => `1.${index}.0`,
    dependencies: () => rangesOf(position),
    dist: (version) => distOf(base, position, { version, known: packed.includes(version) }),
  });
}

/** Only files that are installed are packed; of the others a digest is made up. */
function distOf(
  base: string,
  position: number,
  { version, known }: { version: string; known: boolean },
): Record<string, unknown> {
  const name = nameOf(position);
  const random = randomOf(`${name}@${version} dist`);
  const integrity = known
    ? createHash("sha512").update(tarball(position, version)).digest("base64")
    : random.base64(64);
  return {
    integrity: `sha512-${integrity}`,
    shasum: random.hex(40),
    tarball: tarballAddress(base, name, version),
    fileCount: 4,
    unpackedSize: 9_000,
    signatures: [{
      keyid: "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA",
      sig: random.base64(71),
    }],
  };
}

/** null: no file of the tree. */
export function treeTarball(path: string): Uint8Array<ArrayBuffer> | null {
  const match = /^\/([^/]+)\/-\/[^/]+-(1\.\d+\.0)\.tgz$/.exec(path);
  const position = match === null ? null : positionOf(match[1]);
  return match === null || position === null ? null : tarball(position, match[2]);
}

interface Locked {
  readonly version: string;
  readonly [key: string]: unknown;
}

export interface TreeProject {
  readonly manifest: Record<string, unknown>;
  /** By path; the project itself comes first. */
  readonly lock: {
    readonly packages: Readonly<Record<string, Locked>>;
    readonly [key: string]: unknown;
  };
}

/** `package.json` and `package-lock.json` of the project. @param base of the registry, ends in `/` */
export function treeProject(base: string): TreeProject {
  const dependencies = Object.fromEntries(
    Array.from({ length: DIRECT }, (_, position) => [nameOf(position), "^1.0.0"]),
  );
  const project = { name: "tree", version: "1.0.0", private: true, license: "MIT", dependencies };
  const packages: Record<string, Locked> = { "": project };
  for (const position of reachable()) {
    const [name, version] = [nameOf(position), pinOf(position)];
    packages[`node_modules/${name}`] = {
      version,
      resolved: tarballAddress(base, name, version),
      integrity: distOf(base, position, { version, known: true }).integrity,
      license: "MIT",
      dependencies: rangesOf(position),
    };
  }
  return {
    manifest: project,
    lock: { name: "tree", version: "1.0.0", lockfileVersion: 3, requires: true, packages },
  };
}

function reachable(): number[] {
  const found = new Set(Array.from({ length: DIRECT }, (_, position) => position));
  for (const position of found) for (const next of dependenciesOf(position)) found.add(next);
  return [...found].sort((a, b) => a - b);
}
