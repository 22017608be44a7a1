/** Numbers that look random and are the same in every run. */
import { createHash } from "node:crypto";

export interface Random {
  /** 0 ≤ number < 1. */
  next(): number;
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  hex(length: number): string;
  /** Base64 of so many bytes. */
  base64(bytes: number): string;
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/** Mulberry32, seeded by a text. */
export function randomOf(seed: string): Random {
  let state = createHash("sha256").update(seed).digest().readUInt32LE(0);

  function word(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  function bytes(length: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(length / 4));
    for (let i = 0; i < words.length; i++) words[i] = word();
    return new Uint8Array(words.buffer, 0, length);
  }

  return {
    next: () => word() / 2 ** 32,
    below: (limit) => Math.floor(word() / 2 ** 32 * limit),
    hex: (length) => bytes(Math.ceil(length / 2)).toHex().slice(0, length),
    base64: (length) => bytes(length).toBase64(),
    bytes,
  };
}
