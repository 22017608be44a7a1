import type { Release } from "./types.ts";

/** When the oldest release of an index was published (Unix ms); null: none of them says. */
export function firstPublished(releases: readonly Release[]): number | null {
  let first: number | null = null;
  for (const { publishedAt } of releases) {
    if (publishedAt === null || !Number.isFinite(publishedAt)) continue;
    if (first === null || publishedAt < first) first = publishedAt;
  }
  return first;
}
