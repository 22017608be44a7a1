/** Projects of many packages with a lockfile, as `npm ci` installs them. */
import { createHash } from "node:crypto";
import { tarGzip } from "../../registry/tar.ts";
import type { Place } from "./catalogue.ts";
import { packument, tarballAddress } from "./packument.ts";
import { randomOf } from "./random.ts";

/** At most so many versions a package has, bytes of its manifests, and of its one file's texts. */
const TRAITS = { versions: 80, manifest: 1_600, text: 30_000 } as const;
/** Packages that a direct dependency needs itself. */
const FAN = 8;

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

/** The packages `tree-<size>-<position>` and their files; a file is packed once, whoever asks. */
export class Tree {
  readonly #tarballs = new Map<string, Uint8Array<ArrayBuffer>>();
  /** How many packages the project itself depends on. */
  readonly #direct: number;

  constructor(readonly size: number) {
    this.#direct = Math.ceil(size * 0.06);
  }

  /** null: not a package of the tree. */
  document(name: string, { base, now }: Place): Record<string, unknown> | null {
    const position = this.#position(name);
    if (position === null) return null;
    const young = youngOf(position);
    const count = this.#versions(position);
    const packed = Array.from({ length: young + 1 }, (_, i) => `1.${count - 1 - i}.0`);
    return packument({
      name,
      base,
      now,
      versions: count,
      young,
      bytesPerVersion: TRAITS.manifest,
      version: (index) => `1.${index}.0`,
      dependencies: () => this.#ranges(position),
      dist: (version) => this.#dist(base, position, { version, known: packed.includes(version) }),
    });
  }

  /** null: no file of the tree. */
  tarball(path: string): Uint8Array<ArrayBuffer> | null {
    const match = /^\/([^/]+)\/-\/[^/]+-(1\.\d+\.0)\.tgz$/.exec(path);
    const position = match === null ? null : this.#position(match[1]);
    return match === null || position === null ? null : this.#packed(position, match[2]);
  }

  /** @param base of the registry, ends in `/` */
  project(base: string): TreeProject {
    const dependencies = Object.fromEntries(
      Array.from({ length: this.#direct }, (_, position) => [this.#name(position), "^1.0.0"]),
    );
    const about = { name: "tree", version: "1.0.0" };
    const manifest = { ...about, private: true, license: "MIT", dependencies };
    const packages: Record<string, Locked> = { "": manifest };
    for (let position = 0; position < this.size; position++) {
      const [name, version] = [this.#name(position), this.#pin(position)];
      packages[`node_modules/${name}`] = {
        version,
        resolved: tarballAddress(base, name, version),
        integrity: this.#dist(base, position, { version, known: true }).integrity,
        license: "MIT",
        dependencies: this.#ranges(position),
      };
    }
    return { manifest, lock: { ...about, lockfileVersion: 3, requires: true, packages } };
  }

  #name(position: number): string {
    return `tree-${this.size}-${position}`;
  }

  #position(name: string): number | null {
    const match = /^tree-(\d+)-(\d{1,5})$/.exec(name);
    if (match === null || Number(match[1]) !== this.size) return null;
    return Number(match[2]) < this.size ? Number(match[2]) : null;
  }

  /** The version that every range leads to where the young are withheld. */
  #pin(position: number): string {
    return `1.${this.#versions(position) - youngOf(position) - 1}.0`;
  }

  /** Most packages have few versions, some have many. */
  #versions(position: number): number {
    return 4 + Math.floor(TRAITS.versions * randomOf(this.#name(position)).next() ** 3);
  }

  #ranges(position: number): Record<string, string> {
    const needed = this.#dependencies(position);
    return Object.fromEntries(needed.map((other) => [this.#name(other), "^1.0.0"]));
  }

  /**
   * What a package needs lies behind it in the list, so the graph has no cycles;
   * the next row of `FAN` times `#direct` hangs on this one, so all are reached.
   */
  #dependencies(position: number): number[] {
    const row = this.#direct;
    const steps = position < row
      ? Array.from({ length: FAN }, (_, i) => (i + 1) * row)
      : [FAN * row];
    const random = randomOf(`${this.#name(position)} needs`);
    const behind = this.size - position - 1;
    const more = behind < 1 || position < row
      ? []
      : Array.from({ length: random.below(3) }, () => 1 + random.below(behind));
    const found = [...steps, ...more].map((step) => position + step);
    return [...new Set(found)].filter((other) => other < this.size);
  }

  /** Only files that are installed are packed; of the others a digest is made up. */
  #dist(
    base: string,
    position: number,
    { version, known }: { version: string; known: boolean },
  ): Record<string, unknown> {
    const name = this.#name(position);
    const random = randomOf(`${name}@${version} dist`);
    const integrity = known
      ? createHash("sha512").update(this.#packed(position, version)).digest("base64")
      : random.base64(64);
    return {
      integrity: `sha512-${integrity}`,
      shasum: random.hex(40),
      tarball: tarballAddress(base, name, version),
      fileCount: 4,
      unpackedSize: 9_000,
      signatures: [{ keyid: `SHA256:${"k".repeat(43)}`, sig: random.base64(71) }],
    };
  }

  #packed(position: number, version: string): Uint8Array<ArrayBuffer> {
    const key = `${position} ${version}`;
    let found = this.#tarballs.get(key);
    if (found === undefined) this.#tarballs.set(key, found = this.#pack(position, version));
    return found;
  }

  #pack(position: number, version: string): Uint8Array<ArrayBuffer> {
    const name = this.#name(position);
    const random = randomOf(`${name}@${version}`);
    const size = 500 + Math.floor(TRAITS.text * random.next() ** 3);
    const manifest = { name, version, license: "MIT", dependencies: this.#ranges(position) };
    const files = ["lib/main.js", "lib/parts.js", "README.md"].map((path) => ({
      path: `package/${path}`,
      content: `module.exports = "${random.base64(size >> 1)}";\n`.repeat(2),
    }));
    const first = { path: "package/package.json", content: JSON.stringify(manifest) };
    return tarGzip([first, ...files]);
  }
}

function youngOf(position: number): number {
  return position % 10 === 0 ? 1 : 0;
}
