import type { Alert } from "../policy/store/alert.ts";

/** Columns of CSV: a spreadsheet shows no members of members. */
export const ALERT_COLUMNS = [
  "id",
  "at",
  "org",
  "advisory",
  "malware",
  "severity",
  "summary",
  "ecosystem",
  "package",
  "versions",
  "installs",
  "users",
  "first",
  "last",
  "status",
  "acknowledged_by",
];

/** An alert in one line, for people and spreadsheets. */
export function alertRow({ advisory, installs, acknowledged, ...rest }: Alert) {
  return {
    ...rest,
    advisory: advisory.id,
    malware: advisory.malware,
    severity: advisory.severity,
    summary: advisory.summary,
    installs: installs.count,
    users: installs.users.map(({ user }) => user),
    acknowledged_by: acknowledged?.by ?? null,
  };
}
