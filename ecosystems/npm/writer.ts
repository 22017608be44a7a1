const encoder = new TextEncoder();

/** Up to here a loop is faster than a view and a call. */
const SHORT = 40;

/** Bytes that grow. */
export class Writer {
  #bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  /** @param size bytes it will likely take */
  constructor(size: number) {
    this.#bytes = new Uint8Array(Math.max(size, 1024));
  }

  text(text: string): void {
    this.#reserve(text.length * 3);
    if (text.length === 1 && text.charCodeAt(0) < 0x80) {
      this.#bytes[this.length++] = text.charCodeAt(0);
      return;
    }
    // Deno 2.9 counts in doubles, which would make doubles of all positions, and reading half as fast.
    this.length += encoder.encodeInto(text, this.#bytes.subarray(this.length)).written | 0;
  }

  copy(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    const into = this.#bytes;
    if (end - start === bytes.length) into.set(bytes, this.length);
    else if (end - start > SHORT) into.set(bytes.subarray(start, end), this.length);
    else for (let i = start, at = this.length; i < end; i++, at++) into[at] = bytes[i];
    this.length += end - start;
  }

  /** Exactly what was written; the writer is done with. */
  bytes(): Uint8Array<ArrayBuffer> {
    const written = this.#bytes.subarray(0, this.length);
    return this.length > this.#bytes.length * 0.8 ? written : written.slice();
  }

  #reserve(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + more));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
  }
}

/** The members of an object that are kept; those that stand side by side are copied together, with what stands between them. */
export class KeptMembers {
  /** Nothing has been written. */
  isFirst = true;
  /** What is kept and not yet written; `to` 0: nothing. */
  #from = 0;
  #to = 0;

  /** @param onCopy told what is about to be written where `out` ends */
  constructor(
    readonly out: Writer,
    readonly bytes: Uint8Array,
    readonly onCopy?: (from: number, to: number) => void,
  ) {}

  keep(start: number, end: number): void {
    if (this.#to === 0) this.#from = start;
    this.#to = end;
  }

  /** A member is left out, or there are no more. */
  flush(): void {
    if (this.#to === 0) return;
    if (!this.isFirst) this.out.text(",");
    this.isFirst = false;
    this.onCopy?.(this.#from, this.#to);
    this.out.copy(this.bytes, this.#from, this.#to);
    this.#to = 0;
  }
}
