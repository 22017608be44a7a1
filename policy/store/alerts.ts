/** Alerts in Deno KV: one for each advisory, package and org. */
import * as v from "valibot";
import { type Alert, alertId, alertSchema, type Found, grown, newAlert } from "./alert.ts";
import { committed } from "./committed.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { StoreUnavailable } from "./errors.ts";
import type { Journal, NewsInput } from "./journal.ts";
import { keys } from "./keys.ts";
import { guarded, guardedList, STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock, Page } from "./types.ts";

export type { Alert, Found } from "./alert.ts";

/** Name of the list in its cursors. */
const LIST = "alerts";
const ATTEMPTS = 20;
/** Deno KV's own bound on keys of one `getMany`. */
const MANY = 10;

export interface AlertQuery {
  readonly status?: Alert["status"];
  /** When it was raised: Unix ms, inclusive. */
  readonly since?: number;
  /** Unix ms, exclusive. */
  readonly until?: number;
}

/** All methods throw StoreUnavailable where KV fails. */
export interface Alerts {
  /**
   * Raises an alert, once however many find the same at once, or adds what is
   * new to the one there is, of which nobody is told again.
   * @param name the package's normalised name
   */
  raise(found: Found, name: string): Promise<"raised" | "updated" | "known">;
  /** null: there is none. */
  find(org: string, advisory: string, of: { ecosystem: string; name: string }): Promise<
    Alert | null
  >;
  get(org: string, id: string): Promise<Alert | null>;
  /** Newest first. Throws CursorInvalid. */
  list(
    org: string,
    page: AlertQuery & { limit: number; cursor?: string },
  ): Promise<Page<Alert>>;
  /** null: there is no such alert. One that was acknowledged already stays as it is. */
  acknowledge(
    org: string,
    id: string,
    ack: { by: string; comment: string },
  ): Promise<Alert | null>;
}

export function openAlerts(
  kv: Deno.Kv,
  { now, journal, timeoutMs = STORE_TIMEOUT_MS }: {
    now: Clock;
    journal: Journal;
    timeoutMs?: number;
  },
): Alerts {
  const guard = <T>(what: string, work: () => Promise<T>) => guarded(what, timeoutMs, work);
  const instant = () => new Date(now()).toISOString();

  async function entry(org: string, id: string) {
    const { key, value, versionstamp } = await guard(
      "read an alert",
      () => kv.get<unknown>(keys.alert(org, id)),
    );
    return { key, alert: readAlert(value), versionstamp };
  }

  /** False: a check does not hold. The checks make repeating harmless. */
  async function commit(atomic: Deno.AtomicOperation): Promise<boolean> {
    const always = { always: true };
    return (await committed("store an alert", timeoutMs, () => atomic.commit(), always)).ok;
  }

  async function create(
    found: Found,
    id: string,
    versionstamp: string | null,
  ): Promise<boolean> {
    const alert = newAlert(id, found, instant());
    const key = keys.alert(found.org, id);
    const atomic = kv.atomic()
      .check({ key, versionstamp })
      .set(key, alert)
      .set(keys.alertInTime(alert.org, alert.at, id), null);
    journal.news(atomic, newsOf(alert));
    const ok = await commit(atomic);
    if (ok) journal.committed();
    return ok;
  }

  return {
    async raise(found, name) {
      const id = alertId(found.advisory.id, found.ecosystem, name);
      for (let i = 0; i < ATTEMPTS; i++) {
        const { key, alert, versionstamp } = await entry(found.org, id);
        // One that cannot be read tells nobody anything.
        if (alert === null) {
          if (await create(found, id, versionstamp)) return "raised";
          continue; // somebody else has raised it
        }
        const next = grown(alert, found);
        if (next === alert) return "known";
        const atomic = kv.atomic().check({ key, versionstamp }).set(key, next);
        if (await commit(atomic)) return "updated";
      }
      throw new StoreUnavailable(`Cannot store the alert ${id}: others were always faster`);
    },

    find: async (org, advisory, { ecosystem, name }) =>
      (await entry(org, alertId(advisory, ecosystem, name))).alert,

    get: async (org, id) => (await entry(org, id)).alert,

    async list(org, { limit, cursor, ...query }) {
      const before = cursor === undefined ? null : decodeCursor(LIST, cursor, 2);
      const items: Alert[] = [];
      for await (const alert of newest(org, query, before)) {
        if (items.length >= limit) {
          const last = items[items.length - 1];
          return { items, cursor: encodeCursor(LIST, [last.at, last.id]) };
        }
        items.push(alert);
      }
      return { items, cursor: null };
    },

    async acknowledge(org, id, { by, comment }) {
      for (let i = 0; i < ATTEMPTS; i++) {
        const { key, alert, versionstamp } = await entry(org, id);
        if (alert === null || alert.status === "acknowledged") return alert;
        const acknowledged = { by, at: instant(), comment };
        const next: Alert = { ...alert, status: "acknowledged", acknowledged };
        const atomic = kv.atomic().check({ key, versionstamp }).set(key, next);
        journal.audit(atomic, {
          org,
          by,
          action: "alert.acknowledged",
          target: id,
          reason: comment === "" ? null : comment,
          before: { status: alert.status },
          after: { status: next.status, advisory: alert.advisory.id, package: alert.package },
        });
        if (await commit(atomic)) return next;
      }
      throw new StoreUnavailable(`Cannot store the alert ${id}: others were always faster`);
    },
  };

  async function* newest(
    org: string,
    { status, since, until }: AlertQuery,
    before: readonly string[] | null,
  ): AsyncGenerator<Alert> {
    const prefix = keys.alertsInTime(org);
    const rfc3339 = (time: number) => new Date(time).toISOString();
    const start = since === undefined ? prefix : [...prefix, rfc3339(since)];
    const ends = [
      ...(until === undefined ? [] : [[...prefix, rfc3339(until)]]),
      ...(before === null ? [] : [[...prefix, ...before]]),
    ].sort((a, b) => text(a) < text(b) ? -1 : 1);
    if (ends.length > 0 && text(ends[0]) <= text(start)) return;
    // `true` sorts after every string.
    const selector = { start, end: ends[0] ?? [...prefix, true] };
    const options = { reverse: true, batchSize: 100 };
    let places: Place[] = [];
    for await (const { key } of guardedList(kv, selector, options, timeoutMs)) {
      const [at, id] = key.slice(-2).map(String);
      places.push({ at, id });
      if (places.length < MANY) continue;
      yield* await read(org, places, status);
      places = [];
    }
    yield* await read(org, places, status);
  }

  async function read(
    org: string,
    places: readonly Place[],
    status: AlertQuery["status"],
  ): Promise<Alert[]> {
    const wanted = places.map(({ id }) => keys.alert(org, id));
    const entries = await guard("read alerts", () => kv.getMany<unknown[]>(wanted));
    return entries.flatMap(({ value }, i) => {
      const alert = readAlert(value);
      if (alert === null || alert.at !== places[i].at) return [];
      return status === undefined || alert.status === status ? [alert] : [];
    });
  }
}

/** Where an alert is in time. */
interface Place {
  readonly at: string;
  readonly id: string;
}

/** Sorts as KV sorts keys of texts. */
function text(key: readonly string[]): string {
  return key.join("\0");
}

/** What cannot be read is no alert. */
function readAlert(value: unknown): Alert | null {
  const parsed = v.safeParse(alertSchema, value);
  return parsed.success ? parsed.output : null;
}

function newsOf(alert: Alert): NewsInput {
  return {
    org: alert.org,
    kind: "alert",
    event: "alert",
    text: sentence(alert),
    link: alert.advisory.url,
    details: { alert },
  };
}

function sentence({ advisory, installs, versions, more_versions, ...alert }: Alert): string {
  const what = advisory.malware
    ? "is malware"
    : `is vulnerable${advisory.severity === null ? "" : ` (${advisory.severity})`}`;
  const shown = versions.slice(0, 3).join(", ");
  const more = versions.length + more_versions - Math.min(3, versions.length);
  const others = more === 0 ? "" : ` and ${more} more version${more === 1 ? "" : "s"}`;
  const users = installs.users.length + installs.more_users;
  return `${alert.package} ${shown}${others} ` +
    `(${alert.ecosystem}) ${what}: ${advisory.id}. It was handed out ` +
    `${times(installs.count)} to ${users === 1 ? "one user" : `${users} users`}, ` +
    `last on ${alert.last}.`;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
