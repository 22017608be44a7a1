/** Documents held as they came: packages have a tenth of their size on the wire, so ten times as many are held. */
import { LRUCache } from "lru-cache";
import type { Packed } from "./ecosystem.ts";

/** Smaller documents are a small part of what is held, and asked for often. */
const PACKED_FROM = 32 * 1024;
/** Inflating takes a millisecond for each 500 KB, so what is in use stays inflated. */
const IN_USE_BYTES = 16 * 1024 * 1024;

type Bytes = Uint8Array<ArrayBuffer>;
type Inflate = (wire: Bytes) => Bytes;
type InUse = LRUCache<Packed, Bytes>;

/** Packs what is worth it, and keeps a few megabytes of what was unpacked last. */
export class Packer {
  readonly #inUse: InUse = new LRUCache({ maxSize: IN_USE_BYTES });

  /** undefined: it is better held inflated. */
  pack({ wire, bytes }: { wire: Bytes; bytes: Bytes }, inflate: Inflate): Packed | undefined {
    if (bytes.length < PACKED_FROM || wire.length > bytes.length / 3) return undefined;
    return new PackedBytes(wire, inflate, this.#inUse);
  }
}

class PackedBytes implements Packed {
  readonly #wire: Bytes;
  readonly #inflate: Inflate;
  readonly #inUse: InUse;

  constructor(wire: Bytes, inflate: Inflate, inUse: InUse) {
    // A piece of what a socket was read into would keep all of that.
    this.#wire = wire.length < wire.buffer.byteLength ? wire.slice() : wire;
    this.#inflate = inflate;
    this.#inUse = inUse;
  }

  get size(): number {
    return this.#wire.length;
  }

  unpack(): Bytes {
    const known = this.#inUse.get(this);
    if (known !== undefined) return known;
    const bytes = this.#inflate(this.#wire);
    this.#inUse.set(this, bytes, { size: bytes.length });
    return bytes;
  }
}
