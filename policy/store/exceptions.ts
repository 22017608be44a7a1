/** Exceptions that end: made for an hour in an emergency, announced before their end, and taken away after it. */
import * as v from "valibot";
import { formatInstant, parseInstant } from "../duration.ts";
import { entryId } from "../entry.ts";
import { isVersion, type PackagePattern, parsePattern } from "../pattern.ts";
import { RULES } from "../rules/mod.ts";
import { oneLine, type Rule } from "../rules/rule.ts";
import type { VersionSchemes } from "../types.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { PolicyInvalid, PreconditionFailed } from "./errors.ts";
import { firstNotice } from "./exception_notices.ts";
import { announceEnds } from "./exception_ends.ts";
import { idMaker } from "./id_maker.ts";
import { type Journal, storedBytes } from "./journal.ts";
import { keys } from "./keys.ts";
import { guarded, STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock, Page, Policies } from "./types.ts";

const HOUR = 3600_000;
/** How long ended exceptions are listed. */
const KEPT_MS = 400 * 24 * HOUR;
/**
 * Bytes of those that end together, which one audit entry holds twice: what it
 * was before, and what changed. The rest follows in the next change.
 */
const MAX_TOGETHER = 28_000;
/** Of one policy in one run. */
const MAX_CHANGES = 100;
const ATTEMPTS = 3;
/** Name of the list in its cursors. */
const LIST = "ended_exceptions";

const entrySchema = v.looseObject({
  purl: v.string(),
  versions: v.optional(v.string()),
  rules: v.array(v.string()),
  until: v.optional(v.string()),
  reason: v.optional(v.string()),
});
const documentSchema = v.looseObject({ exceptions: v.array(entrySchema) });

/** An exception as a policy document has it. */
export type ExceptionEntry = v.InferOutput<typeof entrySchema>;

const endedSchema = v.object({
  ...entrySchema.entries,
  id: v.string(),
  until: v.string(),
  /** When it was taken out of the policy (RFC 3339). */
  ended: v.string(),
});

export type EndedException = v.InferOutput<typeof endedSchema>;

export interface Expiry {
  /** Exceptions taken out of policies. */
  readonly ended: number;
  /** Ends that were announced. */
  readonly told: number;
  /** Orgs whose policy could not be looked through; the next run tries again. */
  readonly failed: readonly { readonly org: string; readonly error: unknown }[];
}

/** All methods throw StoreUnavailable where KV fails. */
export interface Exceptions {
  /**
   * Lets one release through for an hour, whatever waivable rules say of it. Throws
   * PolicyInvalid where `purl` does not name exactly one, or its name alone is refused.
   */
  breakGlass(
    org: string,
    glass: { purl: string; reason: string; by: string },
  ): Promise<ExceptionEntry>;
  /** Takes away what has ended and announces what ends soon, in all orgs. */
  expire(): Promise<Expiry>;
  /** What was taken away, newest first. Throws CursorInvalid. */
  ended(org: string, page: { limit: number; cursor?: string }): Promise<Page<EndedException>>;
}

export interface ExceptionsOptions {
  readonly now: Clock;
  readonly journal: Journal;
  readonly policies: Policies;
  readonly schemes: VersionSchemes;
  readonly timeoutMs?: number;
}

export function openExceptions(kv: Deno.Kv, options: ExceptionsOptions): Exceptions {
  return new KvExceptions(kv, options);
}

class KvExceptions implements Exceptions {
  readonly #ulid = idMaker();
  readonly #timeoutMs: number;

  constructor(readonly kv: Deno.Kv, readonly options: ExceptionsOptions) {
    this.#timeoutMs = options.timeoutMs ?? STORE_TIMEOUT_MS;
  }

  async breakGlass(
    org: string,
    { purl, reason, by }: { purl: string; reason: string; by: string },
  ): Promise<ExceptionEntry> {
    const { policies, journal, schemes } = this.options;
    const { ecosystem, name } = demandOneRelease(purl, schemes);
    const now = this.options.now();
    const byName = (await policies.get(org)).judgeName?.(ecosystem, name, now);
    if (byName?.action === "deny") {
      throw faultOf(`${byName.message}; only an exception for all versions lifts that`);
    }
    const until = now + HOUR;
    const exception: ExceptionEntry = {
      purl,
      rules: RULES.filter((rule: Rule) => rule.waivable && !rule.byName).map(({ id }) => id),
      until: formatInstant(until),
      reason: `break-glass by ${by}: ${oneLine(reason, 500)}`,
    };
    await policies.update(org, (document) => {
      const { exceptions } = v.parse(documentSchema, document);
      return { ...document, exceptions: [...exceptions, exception] };
    }, {
      by,
      reason,
      passing: true,
      audit: { action: "break_glass", target: purl, before: null, after: exception },
      also(atomic) {
        firstNotice(atomic, org, { id: entryId(exception), since: now, until }, { told: true });
        journal.news(atomic, {
          org,
          kind: "break_glass",
          event: "break_glass",
          text: `${by} broke the glass for ${purl} until ${exception.until}: ${oneLine(reason)}`,
          details: { by, purl, until: exception.until, reason },
        });
      },
    });
    return exception;
  }

  async expire(): Promise<Expiry> {
    const { policies } = this.options;
    let ended = 0;
    let told = 0;
    const failed: { org: string; error: unknown }[] = [];
    for (const org of await policies.orgs()) {
      try {
        ended += await this.#prune(org);
        told += await this.#announce(org);
      } catch (error) {
        failed.push({ org, error });
      }
    }
    return { ended, told, failed };
  }

  /** Number of exceptions taken away. */
  async #prune(org: string): Promise<number> {
    let ended = 0;
    for (let i = 0; i < MAX_CHANGES; i++) {
      const some = await this.#pruneSome(org);
      if (some === 0) break;
      ended += some;
    }
    return ended;
  }

  /** The same of one change of the policy at most. */
  async #pruneSome(org: string): Promise<number> {
    for (let i = 1;; i++) {
      try {
        return await this.#pruneOnce(org);
      } catch (error) {
        if (!(error instanceof PreconditionFailed) || i === ATTEMPTS) throw error;
      }
    }
  }

  async #pruneOnce(org: string): Promise<number> {
    const { policies } = this.options;
    const stored = await policies.read(org);
    if (stored === null) return 0;
    const now = this.options.now();
    const over = fitting(exceptionsOf(stored.document).filter((entry) => endOf(entry) <= now));
    if (over.length === 0) return 0;
    const gone = new Set(over.map(entryId));
    await policies.update(org, (document) => {
      const { exceptions } = v.parse(documentSchema, document);
      return { ...document, exceptions: exceptions.filter((entry) => !gone.has(entryId(entry))) };
    }, {
      by: "proxy",
      passing: true,
      // Exactly what was read is what ends.
      ifMatch: stored.revision,
      audit: { action: "exception.expired", target: null, before: over, after: null },
      also: (atomic) => {
        for (const entry of over) this.#bury(atomic, org, entry);
      },
    });
    return over.length;
  }

  #bury(atomic: Deno.AtomicOperation, org: string, entry: ExceptionEntry): void {
    const now = this.options.now();
    const id = entryId(entry);
    const ended = { ...entry, id, ended: new Date(now).toISOString() };
    atomic.set(keys.endedException(org, this.#ulid(now)), ended, { expireIn: KEPT_MS })
      .delete(keys.exceptionNotice(org, id));
  }

  async #announce(org: string): Promise<number> {
    const { policies, journal } = this.options;
    const stored = await policies.read(org);
    if (stored === null) return 0;
    const now = this.options.now();
    const ending = exceptionsOf(stored.document).map((entry) => ({
      id: entryId(entry),
      until: endOf(entry),
      entry,
    })).filter(({ until }) => until > now && until < Infinity);
    const told = await announceEnds(this.kv, org, { ending, now, timeoutMs: this.#timeoutMs }, {
      tell(atomic, { id, entry }) {
        const { purl, rules, until, reason } = entry;
        journal.news(atomic, {
          org,
          kind: "exception",
          event: "exception.expiring",
          text: `The exception for ${purl} (${rules.join(", ")}) ends at ${until}.`,
          details: { id, purl, rules, until, reason: reason ?? null },
        });
      },
    });
    if (told > 0) journal.committed();
    return told;
  }

  async ended(
    org: string,
    { limit, cursor }: { limit: number; cursor?: string },
  ): Promise<Page<EndedException>> {
    const before = cursor === undefined ? undefined : decodeCursor(LIST, cursor, 1)[0];
    const prefix = keys.endedExceptions(org);
    const selector = before === undefined
      ? { prefix }
      : { prefix, end: keys.endedException(org, before) };
    const found = await guarded(
      "list ended exceptions",
      this.#timeoutMs,
      () => Array.fromAsync(this.kv.list(selector, { reverse: true, limit: limit + 1 })),
    );
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return {
      items: page.map(({ value }) => v.parse(endedSchema, value)),
      cursor: last === undefined ? null : encodeCursor(LIST, [String(last.key[2])]),
    };
  }
}

function exceptionsOf(document: unknown): ExceptionEntry[] {
  return v.parse(documentSchema, document).exceptions;
}

/** Unix ms. */
function endOf({ until }: ExceptionEntry): number {
  return until === undefined ? Infinity : parseInstant(until);
}

/** As many as one audit entry holds, one at least. */
function fitting(entries: readonly ExceptionEntry[]): readonly ExceptionEntry[] {
  let size = 0;
  const end = entries.findIndex((entry) => (size += storedBytes(entry)) > MAX_TOGETHER);
  return end < 0 ? entries : entries.slice(0, Math.max(end, 1));
}

function faultOf(detail: string): PolicyInvalid {
  return new PolicyInvalid([{ pointer: "/purl", detail }]);
}

/** Throws PolicyInvalid. */
function demandOneRelease(purl: string, schemes: VersionSchemes): PackagePattern {
  let pattern: PackagePattern;
  try {
    pattern = parsePattern(purl, schemes);
  } catch (error) {
    throw faultOf(error instanceof SyntaxError ? error.message : "is no package URL");
  }
  const { version, wildcard } = pattern;
  const scheme = schemes.get(pattern.ecosystem);
  if (version === null || wildcard || scheme === undefined || !isVersion(version, scheme)) {
    throw faultOf('names no single release: give its version, as in "pkg:npm/axios@1.14.0"');
  }
  return pattern;
}
