/** How releases stand to the versions that advisories name. */
import type { VersionScheme } from "../types.ts";

/**
 * A version that an advisory names, ready to be compared. Databases write `1.2`
 * where an ecosystem of three parts has `1.2.0`; PEP 440 holds them to be equal.
 */
export function border(version: string, scheme: VersionScheme): string {
  const parts = /^v?(\d+)(?:\.(\d+))?$/.exec(version);
  if (parts !== null) return `${parts[1]}.${parts[2] ?? "0"}.0`;
  return scheme.ordersBuilds ? version : withoutBuild(version, scheme);
}

/**
 * Below 0: the release comes before the border; 0: the border means it. What
 * was built of a version (`1.0.0+curl-8`, `1.0+ubuntu1`) is that version, unless
 * the border names one build and the ecosystem orders them.
 * @param named from `border`
 */
export function compareToBorder(version: string, named: string, scheme: VersionScheme): number {
  return scheme.compare(named.includes("+") ? version : withoutBuild(version, scheme), named);
}

function withoutBuild(version: string, scheme: VersionScheme): string {
  const end = version.indexOf("+");
  // What does not parse keeps its place before all others.
  return end < 0 || !scheme.reads(version) ? version : version.slice(0, end);
}
