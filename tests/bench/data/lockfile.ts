/** A package-lock.json over the catalogue, with sizes of documents as real projects have them. */
import { shapeOf, tarballAddress, versionOf } from "./packument.ts";

/** Bytes of a document, and how many of a hundred packages have one like that. */
const SIZES: readonly (readonly [bytes: number, share: number])[] = [
  [5_000, 60],
  [20_000, 25],
  [80_000, 12],
  [400_000, 3],
];
/** Every so manieth package is locked at a version that is too young. */
const YOUNG_EACH = 50;

export interface Lockfile {
  readonly text: string;
  /** Names of its packages. */
  readonly names: readonly string[];
  /** How many of them a policy with a minimum age withholds. */
  readonly young: number;
}

export function lockfile(entries: number, base: string): Lockfile {
  const names: string[] = [];
  const packages: Record<string, unknown> = { "": { name: "checked", version: "1.0.0" } };
  let young = 0;
  for (let position = 0; position < entries; position++) {
    const bytes = bytesOf(position % 100);
    const name = `doc-${bytes}-${position}`;
    const shape = shapeOf(bytes);
    const isYoung = position % YOUNG_EACH === 0;
    if (isYoung) young++;
    const version = versionOf(shape.versions - 1 - (isYoung ? 0 : shape.young));
    names.push(name);
    packages[`node_modules/${name}`] = {
      version,
      resolved: tarballAddress(base, name, version),
      integrity: `sha512-${"A".repeat(86)}==`,
    };
  }
  const lock = { name: "checked", version: "1.0.0", lockfileVersion: 3, requires: true, packages };
  return { text: JSON.stringify(lock, null, 2), names, young };
}

function bytesOf(percentile: number): number {
  let sum = 0;
  for (const [bytes, share] of SIZES) {
    sum += share;
    if (percentile < sum) return bytes;
  }
  return SIZES[0][0];
}
