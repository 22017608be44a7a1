import type { Advisory, AdvisoryState, Facts, FirstPublish } from "../../../policy/types.ts";

/** An advisory that affects nothing, but for what the test says. */
export function advisory(more: Partial<Advisory> = {}): Advisory {
  return {
    id: "GHSA-aaaa-bbbb-cccc",
    malware: false,
    reviewed: true,
    severity: "high",
    versions: [],
    ranges: [],
    fixed: [],
    ...more,
  };
}

/** One that affects everything below a version, which mends it. */
export function fixedIn(version: string, more: Partial<Advisory> = {}): Advisory {
  const events = [
    { kind: "introduced", version: "0" } as const,
    { kind: "fixed", version } as const,
  ];
  return advisory({ ranges: [{ events }], fixed: [version], ...more });
}

export function malware(...versions: string[]): Advisory {
  return advisory({ id: "MAL-2026-1", malware: true, reviewed: false, severity: null, versions });
}

export function facts(
  list: readonly Advisory[],
  { state = "current", asOf = null, dependencies = {} }: {
    state?: AdvisoryState;
    asOf?: number | null;
    dependencies?: Readonly<Record<string, FirstPublish>>;
  } = {},
): Facts {
  return {
    id: "test",
    advisories: { state, list, asOf },
    dependencies: new Map(Object.entries(dependencies)),
  };
}
