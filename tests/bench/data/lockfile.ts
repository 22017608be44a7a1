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

/** A release that it locks. */
export interface Locked {
  readonly name: string;
  readonly version: string;
}

/** How many of them a policy with a minimum age withholds. */
export function youngOf(locked: readonly Locked[]): number {
  return Math.ceil(locked.length / YOUNG_EACH);
}

export function lockedReleases(entries: number): Locked[] {
  const locked: Locked[] = [];
  for (let position = 0; position < entries; position++) {
    const bytes = bytesOf(position % 100);
    const name = `doc-${bytes}-${position}`;
    const shape = shapeOf(bytes);
    const isYoung = position % YOUNG_EACH === 0;
    locked.push({ name, version: versionOf(shape.versions - 1 - (isYoung ? 0 : shape.young)) });
  }
  return locked;
}

/** @param integrity digests of the releases' files, in their order */
export function lockfile(
  locked: readonly Locked[],
  { base, integrity }: { base: string; integrity: readonly string[] },
): string {
  const packages = locked.map(({ name, version }, at) =>
    [`node_modules/${name}`, {
      version,
      resolved: tarballAddress(base, name, version),
      integrity: integrity[at],
    }] as const
  );
  const root = { name: "checked", version: "1.0.0" };
  const lock = {
    ...root,
    lockfileVersion: 3,
    requires: true,
    packages: { "": root, ...Object.fromEntries(packages) },
  };
  return JSON.stringify(lock, null, 2);
}

function bytesOf(percentile: number): number {
  let sum = 0;
  for (const [bytes, share] of SIZES) {
    sum += share;
    if (percentile < sum) return bytes;
  }
  return SIZES[0][0];
}
