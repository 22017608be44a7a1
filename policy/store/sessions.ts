/** Who has signed in, in Deno KV: by the hash of the session's id, and by person. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { EVERY_ORG, type Grant } from "../grants.ts";
import { committed } from "./committed.ts";
import { idMaker } from "./id_maker.ts";
import type { Journal } from "./journal.ts";
import { keys } from "./keys.ts";
import { guarded, STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock } from "./types.ts";

export const SESSION_MS = 12 * 3600_000;
/** What has longer to go was dated by a clock that was ahead. */
const MAX_LEFT_MS = SESSION_MS + 3600_000;
/** An attempt to sign in may take this long. */
export const ATTEMPT_MS = 10 * 60_000;
/** The oldest of one person's sessions end where there are more. */
const MAX_OF_USER = 20;
/** Of an id, in characters: 32 bytes as base64url. */
const ID = /^[\w-]{43}$/;
/** Where a grant for every org is written down. */
const MAIN_ORG = "default";

export interface Session {
  /** ULID; tells nothing about the secret. */
  readonly id: string;
  /** The verified e-mail address, in lower case. */
  readonly user: string;
  readonly grants: readonly Grant[];
  /** What every form and script of this session has to show. */
  readonly csrf: string;
  /** RFC 3339. */
  readonly created: string;
  readonly expires: string;
}

/** All methods throw StoreUnavailable. */
export interface Sessions {
  /**
   * Begins a session. The secret is for the cookie, and in this answer alone;
   * null: this attempt to sign in has begun one already.
   * @param attempt a random text that the attempt began with
   */
  open(
    session: { user: string; grants: readonly Grant[]; attempt: string },
  ): Promise<{ session: Session; secret: string } | null>;
  find(secret: string): Promise<Session | null>;
  /** One person's, newest first. */
  list(user: string): Promise<Session[]>;
  /** Ends one; false: there is no such session. */
  remove(user: string, id: string, change: { by: string }): Promise<boolean>;
  /** Ends all of one person's, those begun under other rules too, which may come back. */
  removeAll(user: string, change: { by: string }): Promise<void>;
}

const Stored = v.object({
  id: v.string(),
  user: v.string(),
  grants: v.array(v.object({ org: v.string(), role: v.picklist(["admin", "editor", "viewer"]) })),
  csrf: v.string(),
  created: v.string(),
  expires: v.string(),
  rules: v.string(),
});

export interface SessionsOptions {
  readonly now: Clock;
  readonly journal: Journal;
  /** Names the settings that grants come from: a session begun under others does not count. */
  readonly rules: string;
  readonly timeoutMs?: number;
}

export function openSessions(
  kv: Deno.Kv,
  { now, journal, rules, timeoutMs = STORE_TIMEOUT_MS }: SessionsOptions,
): Sessions {
  const ulid = idMaker();
  const guard = <T>(what: string, work: () => Promise<T>) => guarded(what, timeoutMs, work);
  const commit = async (atomic: Deno.AtomicOperation) =>
    (await committed("store a session", timeoutMs, () => atomic.commit())).ok;

  /** Under whichever rules it was begun, and by whichever clock. */
  async function stored(sha256: string): Promise<v.InferOutput<typeof Stored> | null> {
    const parsed = v.safeParse(Stored, (await kv.get(keys.session(sha256))).value);
    return parsed.success && Date.parse(parsed.output.expires) > now() ? parsed.output : null;
  }

  async function load(sha256: string): Promise<Session | null> {
    const found = await stored(sha256);
    if (found === null || found.rules !== rules) return null;
    if (Date.parse(found.expires) > now() + MAX_LEFT_MS) return null;
    const { rules: _, ...session } = found;
    return session;
  }

  async function hashesOf(user: string): Promise<{ id: string; sha256: string }[]> {
    const found: { id: string; sha256: string }[] = [];
    const selector = { prefix: keys.sessionsOfUser(user) };
    for await (const { key, value } of kv.list(selector, { reverse: true, limit: 100 })) {
      found.push({ id: String(key[2]), sha256: String(value) });
    }
    return found;
  }

  /** Each org is told of the roles in it alone: which others somebody has elsewhere is not its business. */
  function audit(
    atomic: Deno.AtomicOperation,
    { id, user, grants }: Session,
    { action, by }: { action: "session.opened" | "session.ended"; by: string },
  ): void {
    const byOrg = Map.groupBy(grants, ({ org }) => org === EVERY_ORG ? MAIN_ORG : org);
    for (const [org, here] of byOrg) {
      const told = { user, grants: here };
      const values = action === "session.opened" ? { after: told } : { before: told };
      journal.audit(atomic, { org, by, action, target: id, ...values });
    }
  }

  async function end(session: Session, sha256: string, by: string): Promise<boolean> {
    const key = keys.session(sha256);
    const { value, versionstamp } = await kv.get(key);
    if (value === null) return false;
    const atomic = kv.atomic().check({ key, versionstamp })
      .delete(key).delete(keys.sessionOfUser(session.user, session.id));
    audit(atomic, session, { action: "session.ended", by });
    return await commit(atomic);
  }

  return {
    open: ({ user, grants, attempt }) =>
      guard("begin a session", async () => {
        const at = now();
        const secret = randomText();
        const sha256 = hash(secret);
        const session: Session = {
          id: ulid(at),
          user,
          grants,
          csrf: randomText(),
          created: new Date(at).toISOString(),
          expires: new Date(at + SESSION_MS).toISOString(),
        };
        const once = keys.signIn(hash(attempt));
        const kept = { expireIn: SESSION_MS };
        const atomic = kv.atomic().check({ key: once, versionstamp: null })
          .set(once, at, { expireIn: 2 * ATTEMPT_MS })
          .set(keys.session(sha256), { ...session, rules }, kept)
          .set(keys.sessionOfUser(user, session.id), sha256, kept);
        audit(atomic, session, { action: "session.opened", by: user });
        if (!await commit(atomic)) return null;
        for (const old of (await hashesOf(user)).slice(MAX_OF_USER)) {
          const known = await stored(old.sha256);
          if (known !== null) await end(known, old.sha256, "proxy");
        }
        return { session, secret };
      }),

    find: async (secret) =>
      ID.test(secret) ? await guard("look up a session", () => load(hash(secret))) : null,

    list: (user) =>
      guard("list sessions", async () => {
        const found: Session[] = [];
        for (const { sha256 } of await hashesOf(user)) {
          const session = await load(sha256);
          if (session !== null) found.push(session);
        }
        return found;
      }),

    remove: (user, id, { by }) =>
      guard("end a session", async () => {
        const { value } = await kv.get(keys.sessionOfUser(user, id));
        if (typeof value !== "string") return false;
        const session = await load(value);
        return session !== null && await end(session, value, by);
      }),

    removeAll: (user, { by }) =>
      guard("end sessions", async () => {
        const ended = (await hashesOf(user)).map(async ({ sha256 }) => {
          const session = await stored(sha256);
          if (session !== null) await end(session, sha256, by);
        });
        await Promise.all(ended);
      }),
  };
}

/** 256 random bits. */
function randomText(): string {
  return crypto.getRandomValues(new Uint8Array(32))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
