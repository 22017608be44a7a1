import type { Found } from "../../../policy/store/alerts.ts";

export const START = Date.parse("2026-11-01T12:00:00Z");
export const at = (minutes: number) => new Date(START + minutes * 60_000).toISOString();

export const user = (name: string, more: Partial<Found["installs"]["users"][number]> = {}) => ({
  user: name,
  versions: ["1.14.1"],
  count: 1,
  first: at(0),
  last: at(0),
  ips: ["10.0.0.1"],
  ...more,
});

/** `axios@1.14.1` was handed out to alice of acme. */
export function found(more: Partial<Found> = {}): Found {
  return {
    org: "acme",
    advisory: {
      id: "MAL-2026-1",
      malware: true,
      severity: null,
      summary: "Malicious code in axios (npm)",
      url: "https://osv.dev/vulnerability/MAL-2026-1",
    },
    ecosystem: "npm",
    package: "axios",
    versions: ["1.14.1"],
    installs: { count: 1, users: [user("alice")], more_users: 0 },
    first: at(0),
    last: at(0),
    ...more,
  };
}
