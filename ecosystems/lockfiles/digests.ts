/** What a lockfile says of the bytes that it locks, to be held against an index. */
import type { Digest } from "../../policy/types.ts";

const BYTES: readonly (readonly [Digest["algorithm"], number])[] = [
  ["sha512", 64],
  ["sha384", 48],
  ["sha256", 32],
  ["sha1", 20],
  ["md5", 16],
];

/**
 * Digests of files, each once; other words (yarn's checksums of its own archives)
 * and what is no whole digest are left out.
 * @param integrity `sha512-<Base64>` or `sha256:<hex>`, any number of them with blanks between
 */
export function statedDigests(integrity: string): readonly Digest[] {
  const found = new Map<string, Digest>();
  for (const word of integrity.split(/\s+/)) {
    const digest = readDigest(word);
    if (digest !== null) found.set(`${digest.algorithm} ${digest.hex}`, digest);
  }
  return [...found.values()];
}

function readDigest(word: string): Digest | null {
  const [, name, separator, value] = /^(\w+)([-:])(.+)$/s.exec(word) ?? [];
  const [algorithm, bytes] = BYTES.find(([one]) => one === name) ?? [];
  if (algorithm === undefined || bytes === undefined) return null;
  const hex = separator === "-" ? fromBase64(value) : value.toLowerCase();
  return hex.length === bytes * 2 && /^[0-9a-f]+$/.test(hex) ? { algorithm, hex } : null;
}

/** In hex, `""` if it is none; options, which SRI puts behind a `?`, say nothing of the bytes. */
function fromBase64(text: string): string {
  try {
    return Uint8Array.fromBase64(text.replace(/\?.*$/s, "")).toHex();
  } catch {
    return "";
  }
}
