/** What an alert says, and how one grows when more of the same is found. */
import { createHash } from "node:crypto";
import * as v from "valibot";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const instant = v.pipe(v.string(), v.isoTimestamp());

const alertUserSchema = v.strictObject({
  user: v.pipe(v.string(), v.description('`""`: whoever gave no name')),
  versions: v.array(v.string()),
  count,
  first: instant,
  last: instant,
  ips: v.pipe(v.array(v.string()), v.description("The latest few")),
});

export const alertSchema = v.strictObject({
  id: v.pipe(v.string(), v.description("Computed from the advisory and the package")),
  org: v.string(),
  at: v.pipe(instant, v.description("When it was raised")),
  advisory: v.strictObject({
    id: v.string(),
    malware: v.boolean(),
    severity: v.nullable(v.picklist(["low", "medium", "high", "critical"])),
    summary: v.nullable(v.string()),
    url: v.string(),
  }),
  ecosystem: v.string(),
  package: v.string(),
  versions: v.pipe(
    v.array(v.string()),
    v.description("Affected versions that were handed out, newest first"),
  ),
  more_versions: v.pipe(count, v.description("How many further ones an alert does not hold")),
  installs: v.strictObject({
    count,
    users: v.pipe(v.array(alertUserSchema), v.description("Those who installed last, first")),
    more_users: v.pipe(count, v.description("How many further ones an alert does not hold")),
  }),
  first: v.pipe(instant, v.description("The first install of an affected version")),
  last: v.pipe(instant, v.description("The last one")),
  status: v.picklist(["open", "acknowledged"]),
  acknowledged: v.nullable(v.strictObject({ by: v.string(), at: instant, comment: v.string() })),
});

/** Something that was handed out before an advisory said what it is. */
export type Alert = v.InferOutput<typeof alertSchema>;
export type AlertUser = v.InferOutput<typeof alertUserSchema>;

/** What is found when packages on record are held against advisories. */
export type Found = Pick<
  Alert,
  "org" | "advisory" | "ecosystem" | "package" | "versions" | "installs" | "first" | "last"
>;

/**
 * UTF-16 units of an alert's JSON: V8 stores a unit in two bytes at most, a
 * value of KV ends at 64 KiB, and a webhook's message repeats the whole.
 */
const MAX_UNITS = 24_000;
const MAX_VERSIONS = 200;
const MAX_VERSIONS_OF_USER = 20;
const MAX_TEXT = 300;

/**
 * The same for one advisory and package, whoever computes it.
 * @param name normalised
 */
export function alertId(advisory: string, ecosystem: string, name: string): string {
  const text = JSON.stringify([advisory, ecosystem, name]);
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

/** A new alert, cut to what one value holds. @param at RFC 3339 */
export function newAlert(id: string, found: Found, at: string): Alert {
  return fitting({
    id,
    org: found.org,
    at,
    advisory: { ...found.advisory, summary: found.advisory.summary?.slice(0, MAX_TEXT) ?? null },
    ecosystem: found.ecosystem,
    package: found.package,
    versions: found.versions,
    more_versions: 0,
    installs: found.installs,
    first: found.first,
    last: found.last,
    status: "open",
    acknowledged: null,
  });
}

/**
 * The alert with what was found since; nothing it told before is lost, though
 * its records may have expired. The same object where nothing is new.
 */
export function grown(alert: Alert, found: Found): Alert {
  const users = new Map(alert.installs.users.map((user) => [user.user, user]));
  for (const user of found.installs.users) {
    const known = users.get(user.user);
    users.set(user.user, known === undefined ? user : joined(known, user));
  }
  const told = alert.installs.users.length + alert.installs.more_users;
  const seen = found.installs.users.length + found.installs.more_users;
  const versions = union(found.versions, alert.versions);
  const all = Math.max(alert.versions.length + alert.more_versions, versions.length);
  const next = fitting({
    ...alert,
    versions,
    more_versions: all - versions.length,
    installs: {
      count: Math.max(alert.installs.count, found.installs.count),
      users: [...users.values()].sort((a, b) => a.last < b.last ? 1 : a.last > b.last ? -1 : 0),
      more_users: Math.max(0, told - users.size, seen - users.size),
    },
    first: alert.first < found.first ? alert.first : found.first,
    last: alert.last > found.last ? alert.last : found.last,
  });
  return JSON.stringify(next) === JSON.stringify(alert) ? alert : next;
}

function joined(known: AlertUser, more: AlertUser): AlertUser {
  return {
    user: known.user,
    versions: union(more.versions, known.versions),
    count: Math.max(known.count, more.count),
    first: known.first < more.first ? known.first : more.first,
    last: known.last > more.last ? known.last : more.last,
    ips: union(more.ips, known.ips).slice(0, Math.max(more.ips.length, known.ips.length)),
  };
}

function union(first: readonly string[], second: readonly string[]): string[] {
  return [...new Set([...first, ...second])];
}

function fitting(alert: Alert): Alert {
  const versions = alert.versions.slice(0, MAX_VERSIONS);
  const users = alert.installs.users.map((user) => ({
    ...user,
    versions: user.versions.slice(0, MAX_VERSIONS_OF_USER),
  }));
  const frame = { ...alert, versions: [], installs: { ...alert.installs, users: [] } };
  let left = MAX_UNITS - JSON.stringify(frame).length;
  // Half for the versions at most, so that there is always somebody to talk to.
  const kept = taken(versions, left / 2);
  left -= kept.units;
  const told = taken(users, left);
  return {
    ...alert,
    versions: kept.items,
    more_versions: alert.more_versions + alert.versions.length - kept.items.length,
    installs: {
      ...alert.installs,
      users: told.items,
      more_users: alert.installs.more_users + users.length - told.items.length,
    },
  };
}

function taken<T>(items: readonly T[], most: number): { items: T[]; units: number } {
  let units = 0;
  const end = items.findIndex((item) => (units += JSON.stringify(item).length + 1) > most);
  if (end < 0) return { items: [...items], units };
  return { items: items.slice(0, end), units: most };
}
