/** Small files that were verified, in memory, by what they are: whoever asks again needs no upstream. */
import { LRUCache } from "lru-cache";
import type { Digest, ReleaseFile } from "../policy/types.ts";
import type { Source } from "./ecosystem.ts";
import type { SharedBodies, SharedBody } from "./shared_body.ts";

/** Largest file that is kept, in bytes. */
const MAX_FILE = 2 * 1024 * 1024;
/** What an entry holds besides its bytes, roughly. */
const OVERHEAD = 700;
/** Where others can make two files of one digest, the digest is no name for a file. */
const STRONG: ReadonlySet<Digest["algorithm"]> = new Set(["sha512", "sha384", "sha256"]);

export interface KeptFile {
  readonly body: SharedBody;
  /** Media type as upstream gave it; null: it gave none. */
  readonly type: string | null;
}

/** A file on its way into memory; exactly one of `keep` and `drop` ends it, later calls do nothing. */
export interface Gathering {
  add(piece: Uint8Array): void;
  /** All pieces came, and they are the file its digest names. */
  keep(): void;
  drop(): void;
}

export class VerifiedFiles {
  readonly #kept: LRUCache<string, KeptFile>;
  readonly #bytes: number;
  readonly #bodies: SharedBodies;
  #underWay = 0;

  /** @param bytes bound on what is held, and again on what is under way */
  constructor(bytes: number, bodies: SharedBodies) {
    this.#bodies = bodies;
    this.#bytes = Math.max(bytes, 1);
    this.#kept = new LRUCache({ maxSize: this.#bytes });
  }

  find(source: Source, { digest, size }: ReleaseFile): KeptFile | undefined {
    if (digest === null || !STRONG.has(digest.algorithm)) return undefined;
    const kept = this.#kept.get(keyOf(source, digest));
    return size === null || kept?.body.length === size ? kept : undefined;
  }

  /** null: this file is not to be kept. */
  gather(
    source: Source,
    { digest }: ReleaseFile,
    { length, type }: { length: number | null; type: string | null },
  ): Gathering | null {
    if (digest === null || !STRONG.has(digest.algorithm)) return null;
    if (length === null || length > MAX_FILE || length + OVERHEAD > this.#bytes / 4) return null;
    if (this.#underWay + length > this.#bytes) return null;
    this.#underWay += length;
    let bytes: Uint8Array<ArrayBuffer> | null = new Uint8Array(length);
    let at = 0;
    const drop = () => {
      if (bytes === null) return;
      bytes = null;
      this.#underWay -= length;
    };
    return {
      add(piece) {
        if (at + piece.length > length) drop();
        bytes?.set(piece, at);
        at += piece.length;
      },
      keep: () => {
        if (bytes !== null && at === length) {
          const file = { body: this.#bodies.of(bytes), type };
          this.#kept.set(keyOf(source, digest), file, { size: length + OVERHEAD });
        }
        drop();
      },
      drop,
    };
  }
}

/** A private registry's files stay with those who may read it. */
function keyOf({ ecosystem, url, partition }: Source, { algorithm, hex }: Digest): string {
  return `${ecosystem}\n${url}\n${partition}\n${algorithm}\n${hex}`;
}
