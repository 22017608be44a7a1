import * as v from "valibot";
import { recent } from "../recent.ts";
import type { Lift, Release, VersionSchemes } from "../types.ts";
import { committed } from "./committed.ts";
import { StoreUnavailable } from "./errors.ts";
import { sizeOf } from "./group_commit.ts";
import { keys } from "./keys.ts";
import { guarded, STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock, Lifts } from "./types.ts";

/** How long an advisory answer lifts. */
const LIFETIME_MS = 60_000;
/** How far the clock of whoever made a lift may be ahead: further, it was wrong. */
const AHEAD_MS = 60_000;
/** How long a client's lifts are taken from memory: at every index and every file they are asked for. */
const CACHE_MS = 1_000;
const CACHED_CLIENTS = 5_000;
/** A value of KV ends at 65,536 bytes; two bytes a UTF-16 unit is the most it takes. */
const MAX_UNITS = 30_000;
const MAX_KEY_BYTES = 1_000;

const storedSchema = v.array(v.object({
  name: v.string(),
  vulnerable: v.array(v.string()),
  /** Unix ms. */
  expires: v.number(),
}));

type Stored = v.InferOutput<typeof storedSchema>;
type Client = Parameters<Lifts["find"]>[0];

interface Known {
  readonly stored: Stored;
  /** Of the packages asked for so far: whether a version is outside what is vulnerable. */
  readonly tests: Map<string, (version: string) => boolean>;
}

interface Cached {
  /** Unix ms. */
  readonly at: number;
  /** Never rejects. */
  readonly reading: Promise<Known>;
  /** What it read, once it has. */
  value: Known | undefined;
}

export interface LiftsOptions {
  readonly schemes: VersionSchemes;
  readonly now: Clock;
  /** How long KV is waited for; 5 s by default. */
  readonly timeoutMs?: number;
}

/** What npm's advisories lift for single clients, for a minute, kept in Deno KV. */
export function openLifts(kv: Deno.Kv, options: LiftsOptions): Lifts {
  const { schemes, now, timeoutMs = STORE_TIMEOUT_MS } = options;
  const cache = recent<string, Cached>(CACHED_CLIENTS);
  /** When KV was asked, and when any client was last lifted anything. */
  const last = { askedAt: -Infinity, at: -Infinity, asking: null as Promise<void> | null };

  async function add(
    client: Client,
    lifted: readonly { name: string; vulnerable: readonly string[] }[],
  ): Promise<void> {
    const key = keyOf(client);
    if (sizeOf(key) > MAX_KEY_BYTES || lifted.length === 0) return;
    const expires = now() + LIFETIME_MS;
    const fresh = lifted.map(({ name, vulnerable }) => ({
      name,
      vulnerable: [...vulnerable],
      expires,
    }));
    for (let attempt = 0; attempt < 5; attempt++) {
      const before = await guarded("read lifts", timeoutMs, () => kv.get<unknown>(key));
      const stored = fit([...live(before.value, now()).filter(isOther(fresh)), ...fresh]);
      const atomic = kv.atomic().check(before).set(key, stored, { expireIn: LIFETIME_MS })
        .set(keys.lastLift(), now(), { expireIn: LIFETIME_MS });
      if (!(await committed("store lifts", timeoutMs, () => atomic.commit())).ok) continue;
      cache.delete(nameOf(client));
      last.at = now();
      return;
    }
    throw new StoreUnavailable("Cannot store lifts: others of the same client were always faster");
  }

  async function find(client: Client): Promise<Lift | null> {
    if (!isCurrent(last.askedAt)) {
      await (last.asking ??= askLast().finally(() => last.asking = null));
    }
    return isQuiet() ? null : liftOf(await known(client).reading);
  }

  function peek(client: Client): Lift | null | undefined {
    if (!isCurrent(last.askedAt)) return undefined;
    if (isQuiet()) return null;
    const { value } = known(client);
    return value === undefined ? undefined : liftOf(value);
  }

  /** Whether what was asked of KV at an instant will still do. */
  function isCurrent(at: number): boolean {
    const age = now() - at;
    return age >= 0 && age < CACHE_MS;
  }

  /** No client was lifted anything for as long as that lasts. */
  function isQuiet(): boolean {
    return now() - last.at > LIFETIME_MS;
  }

  /** Where KV fails, each client is looked up for itself, and lifted nothing. */
  async function askLast(): Promise<void> {
    const askedAt = now();
    try {
      const entry = await guarded("read lifts", timeoutMs, () => kv.get<unknown>(keys.lastLift()));
      if (typeof entry.value === "number") last.at = Math.max(last.at, entry.value);
    } catch {
      last.at = askedAt;
    }
    last.askedAt = askedAt;
  }

  function liftOf({ stored, tests }: Known): Lift | null {
    if (!stored.some((one) => isLiving(one, now()))) return null;
    return (release) => lifts(release, stored, tests);
  }

  function known(client: Client): Cached {
    const name = nameOf(client);
    const held = cache.get(name);
    if (held !== undefined && isCurrent(held.at)) return held;
    const cached: Cached = { at: now(), reading: read(client), value: undefined };
    cached.reading.then((value) => cached.value = value);
    cache.set(name, cached);
    return cached;
  }

  /** A KV that fails lifts nothing: that is the stricter answer, and the next request finds out in a second. */
  async function read(client: Client): Promise<Known> {
    const key = keyOf(client);
    const none: Known = { stored: [], tests: new Map() };
    if (sizeOf(key) > MAX_KEY_BYTES) return none;
    try {
      const entry = await guarded("read lifts", timeoutMs, () => kv.get<unknown>(key));
      return { ...none, stored: live(entry.value, now()) };
    } catch {
      return none;
    }
  }

  function lifts(release: Release, stored: Stored, tests: Known["tests"]): boolean {
    if (release.ecosystem !== "npm") return false;
    let test = tests.get(release.name);
    if (test === undefined) {
      tests.set(release.name, test = outside(release.name, stored));
    }
    return test(release.version);
  }

  /** Lifts nothing where the answer names no range, or one that cannot be read. */
  function outside(name: string, stored: Stored): (version: string) => boolean {
    const nothing = () => false;
    const scheme = schemes.get("npm");
    const normal = scheme?.normalizeName(name) ?? null;
    if (scheme === undefined || normal === null) return nothing;
    const named = stored.filter((one) => scheme.normalizeName(one.name) === normal);
    const ranges = named.flatMap((one) => one.vulnerable);
    if (named.some((one) => one.vulnerable.length === 0) || ranges.length === 0) return nothing;
    if (!ranges.every((range) => scheme.readsWhole(range))) return nothing;
    try {
      const vulnerable = ranges.map((range) => scheme.range(range));
      const readable = scheme.range("*");
      return (version) =>
        named.some((one) => isLiving(one, now())) && readable(version) &&
        !vulnerable.some((holds) => holds(version));
    } catch {
      return nothing;
    }
  }

  return { add, find, peek };
}

function keyOf({ org, user, ip }: Client): string[] {
  return keys.lift(org, user, ip);
}

function nameOf(client: Client): string {
  return keyOf(client).join("\0");
}

function live(value: unknown, now: number): Stored {
  const parsed = v.safeParse(storedSchema, value);
  return parsed.success ? parsed.output.filter((one) => isLiving(one, now)) : [];
}

function isLiving({ expires }: Stored[number], now: number): boolean {
  return expires > now && expires <= now + LIFETIME_MS + AHEAD_MS;
}

/** Whether an entry says something else than any fresh one: repeated answers must not add up. */
function isOther(fresh: Stored): (entry: Stored[number]) => boolean {
  const saying = ({ name, vulnerable }: Stored[number]) => JSON.stringify([name, ...vulnerable]);
  const said = new Set(fresh.map(saying));
  return (entry) => !said.has(saying(entry));
}

/**
 * Leaves out what a value of KV cannot hold: all of a package's entries or none,
 * since a range that is missing would lift more.
 */
function fit(entries: Stored): Stored {
  const byName = Map.groupBy(entries, (one) => one.name);
  let units = 0;
  return [...byName.values()].reverse().filter((group) => {
    const size = JSON.stringify(group).length;
    if (units + size > MAX_UNITS) return false;
    units += size;
    return true;
  }).flat();
}
