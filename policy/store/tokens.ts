/** Tokens in Deno KV: by the hash of their secret, and by org and id. */
import * as v from "valibot";
import { recent } from "../recent.ts";
import { committed } from "./committed.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { StoreUnavailable } from "./errors.ts";
import { idMaker } from "./id_maker.ts";
import { type Journal, openJournal } from "./journal.ts";
import { keys } from "./keys.ts";
import { listOrgs } from "./leaps.ts";
import { hashSecret, isSameHash, newSecret } from "./secrets.ts";
import { guarded, guardedList, STORE_TIMEOUT_MS } from "./timeout.ts";
import { TokenUses } from "./token_uses.ts";
import type { Clock, Page, StoredToken, Tokens } from "./types.ts";

/** `StoredToken.org` of the root token, which may act for any org. No org can be called that. */
export const ANY_ORG = "*";

/** The root token is in no list and cannot be removed. */
const ROOT: StoredToken = {
  id: "root",
  org: ANY_ORG,
  user: "root",
  role: "admin",
  created: "1970-01-01T00:00:00.000Z",
  by: "root",
  expires: null,
};

const CACHE_MS = 5_000;
/** How long a token that was good is remembered. */
const RECALL_MS = 3600_000;
const CACHE_ENTRIES = 10_000;
/** Longer ones are not hashed: no token is that long. */
const MAX_SECRET = 1_024;
/** Deno KV's own bound on keys of one `getMany`. */
const MANY = 10;
/** Name of the list in its cursors. */
const LIST = "tokens";

const Stored = v.object({
  id: v.string(),
  org: v.string(),
  user: v.string(),
  role: v.picklist(["admin", "editor", "viewer", "client"]),
  created: v.string(),
  by: v.string(),
  expires: v.nullable(v.string()),
});

export interface TokensOptions {
  readonly now: Clock;
  /** SHA-256 of the root token, from `ensureRootToken`; absent: there is none. */
  readonly root?: string;
  /** Where changes are written down. */
  readonly journal?: Journal;
  /** How long one answer of KV is waited for. */
  readonly timeoutMs?: number;
}

interface Cached {
  readonly at: number;
  readonly token: Promise<StoredToken | null>;
  /** Once KV has answered that there is one. */
  found?: StoredToken;
}

/** A token that KV has confirmed. */
interface Good {
  /** When KV was asked. */
  readonly at: number;
  readonly token: StoredToken;
}

/**
 * Tokens in Deno KV. All methods throw StoreUnavailable where KV fails or takes
 * longer than `timeoutMs`.
 */
export function openTokens(
  kv: Deno.Kv,
  { now, root, journal = openJournal({ now }), timeoutMs = STORE_TIMEOUT_MS }: TokensOptions,
): Tokens {
  const cache = recent<string, Cached>(CACHE_ENTRIES);
  const good = recent<string, Good>(CACHE_ENTRIES);
  const uses = new TokenUses(kv, { now, timeoutMs });
  const ulid = idMaker();
  const guard = <T>(what: string, work: () => Promise<T>) => guarded(what, timeoutMs, work);

  function isFresh({ at }: Cached): boolean {
    const age = now() - at;
    return age >= 0 && age < CACHE_MS;
  }

  /** The promise is cached rather than its value, so that a removal also undoes look-ups under way. */
  function look(sha256: string): Promise<StoredToken | null> {
    const at = now();
    const cached = cache.get(sha256);
    if (cached !== undefined && isFresh(cached)) return cached.token;
    const token = guard(
      "look up a token",
      async () => readToken((await kv.get(keys.token(sha256))).value),
    );
    const entry: Cached = { at, token };
    cache.set(sha256, entry);
    token.then((found) => {
      if (cache.get(sha256) !== entry) return;
      if (found === null) good.delete(sha256);
      else {
        entry.found = found;
        good.set(sha256, { at, token: found });
      }
    }, () => {
      if (cache.get(sha256) === entry) cache.delete(sha256);
    });
    return token;
  }

  return {
    async find(secret) {
      if (secret === "" || secret.length > MAX_SECRET) return null;
      const sha256 = hashSecret(secret);
      if (root !== undefined && isSameHash(sha256, root)) return ROOT;
      const token = await look(sha256);
      if (token === null || hasExpired(token, now())) return null;
      uses.note(token);
      return token;
    },

    peek(secret) {
      if (secret === "" || secret.length > MAX_SECRET) return undefined;
      const sha256 = hashSecret(secret);
      if (root !== undefined && isSameHash(sha256, root)) return ROOT;
      const cached = cache.get(sha256);
      const token = cached !== undefined && isFresh(cached) ? cached.found : undefined;
      if (token === undefined || hasExpired(token, now())) return undefined;
      uses.note(token);
      return token;
    },

    recall(secret) {
      if (secret === "" || secret.length > MAX_SECRET) return null;
      const sha256 = hashSecret(secret);
      if (root !== undefined && isSameHash(sha256, root)) return ROOT;
      const known = good.get(sha256);
      if (known === undefined || !(now() - known.at < RECALL_MS)) return null;
      return hasExpired(known.token, now()) ? null : known.token;
    },

    async create({ org, user, role, expires, by }) {
      const secret = newSecret();
      const sha256 = hashSecret(secret);
      const at = now();
      const token: StoredToken = {
        id: ulid(at),
        org,
        user,
        role,
        created: new Date(at).toISOString(),
        by,
        expires,
      };
      const byId = keys.tokenOfOrg(org, token.id);
      const atomic = kv.atomic().check({ key: byId, versionstamp: null })
        .set(keys.token(sha256), token).set(byId, sha256);
      const after = told(token);
      journal.audit(atomic, { org, by, action: "token.created", target: token.id, after });
      const stored = await committed(
        "store a token",
        timeoutMs,
        async () => (await atomic.commit()).ok || (await kv.get(byId)).value === sha256,
        { always: true },
      );
      if (!stored) throw new StoreUnavailable("Cannot store the token: its id is taken");
      cache.delete(sha256);
      return { token, secret };
    },

    get: (org, id) =>
      guard("read a token", async () => {
        const { value } = await kv.get(keys.tokenOfOrg(org, id));
        if (typeof value !== "string") return null;
        return readToken((await kv.get(keys.token(value))).value);
      }),

    async list(org, { limit, cursor }) {
      const before = cursor === undefined ? undefined : decodeCursor(LIST, cursor, 1)[0];
      const page = await listTokens(kv, org, { limit, before, timeoutMs });
      const used = await uses.of(org, page.items.map(({ id }) => id));
      const items = page.items.map((it) => ({ ...it, last_used: used.get(it.id) ?? null }));
      return { ...page, items };
    },

    async remove(org, id, { by }) {
      const what = "remove a token";
      const entry = await guard(what, () => kv.get<unknown>(keys.tokenOfOrg(org, id)));
      const sha256 = entry.value;
      if (typeof sha256 !== "string") return false;
      const token = readToken((await guard(what, () => kv.get(keys.token(sha256)))).value);
      // Checked, so that of two who remove it at once one alone is told to have done so.
      const atomic = kv.atomic().check(entry)
        .delete(entry.key).delete(keys.token(sha256)).delete(keys.tokenUse(org, id));
      const before = token === null ? null : told(token);
      journal.audit(atomic, { org, by, action: "token.removed", target: id, before });
      try {
        return (await committed(what, timeoutMs, () => atomic.commit())).ok;
      } finally {
        // Also where that failed: it may have taken effect all the same.
        cache.delete(sha256);
        good.delete(sha256);
      }
    },

    orgs: () => listOrgs(kv, keys.tokensOfOrgs(), timeoutMs),
  };
}

/** Each call of KV has its own time: of a long list there are many. */
async function listTokens(
  kv: Deno.Kv,
  org: string,
  { limit, before, timeoutMs }: { limit: number; before?: string; timeoutMs: number },
): Promise<Page<StoredToken>> {
  const prefix = keys.tokensOfOrg(org);
  const selector = before === undefined
    ? { prefix }
    : { prefix, end: keys.tokenOfOrg(org, before) };
  const options = { reverse: true, limit: limit + 1, batchSize: 500 };
  const found: { id: string; sha256: string }[] = [];
  for await (const { key, value } of guardedList(kv, selector, options, timeoutMs)) {
    found.push({ id: String(key[2]), sha256: String(value) });
  }
  const page = found.slice(0, limit);
  const items: StoredToken[] = [];
  for (let i = 0; i < page.length; i += MANY) {
    const wanted = page.slice(i, i + MANY).map((it) => keys.token(it.sha256));
    const entries = await guarded("list tokens", timeoutMs, () => kv.getMany<unknown[]>(wanted));
    for (const { value } of entries) {
      const token = readToken(value);
      if (token) items.push(token);
    }
  }
  const last = found.length > limit ? page.at(-1) : undefined;
  return { items, cursor: last ? encodeCursor(LIST, [last.id]) : null };
}

/** What the audit log tells of a token. */
function told({ user, role, expires }: StoredToken) {
  return { user, role, expires };
}

/** What cannot be read is no token. */
function readToken(value: unknown): StoredToken | null {
  const parsed = v.safeParse(Stored, value);
  return parsed.success ? parsed.output : null;
}

/** An instant that cannot be read has passed. */
function hasExpired(token: StoredToken, now: number): boolean {
  return token.expires !== null && !(Date.parse(token.expires) > now);
}
