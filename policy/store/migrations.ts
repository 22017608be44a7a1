/** The version of what is in the database: a newer one is refused, an older one brought up to date once. */
import { committed } from "./committed.ts";
import { StoreUnavailable } from "./errors.ts";
import { keys } from "./keys.ts";
import { withLease } from "./leases.ts";
import { guarded, STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock } from "./types.ts";

/** Name of the lease, and of what it guards. */
const LEASE = "migrate";
/** How long others wait after the one at work has vanished. */
const LEASE_MS = 30_000;
const POLL_MS = 250;
/** Processes that share a database file find it locked by each other. */
const ATTEMPTS = 10;
/** A start that takes longer is better tried again by whoever supervises it. */
const PATIENCE_MS = 10 * 60_000;

/** What one step works with. */
export interface MigrationWork {
  /** For reading. */
  readonly kv: Deno.Kv;
  /** Aborted when somebody else has taken over. */
  readonly signal: AbortSignal;
  /**
   * One atomic operation that takes effect only while the database is still of
   * the version before this step. False: a check of the step's own failed.
   * Throws when the step is somebody else's by now, and StoreUnavailable.
   */
  commit(change: (atomic: Deno.AtomicOperation) => void): Promise<boolean>;
}

/** From one version to the next. May be interrupted anywhere and begun anew, so it must bear both. */
export interface MigrationStep {
  /** What it does; completes the sentence "Cannot ...". */
  readonly what: string;
  run(work: MigrationWork): Promise<void>;
}

/**
 * The steps from version 1 on: the first leads to version 2. Only ever
 * appended to. Instances of the version before may still be running during a
 * step, so what they read and write has to stay possible.
 */
export const MIGRATIONS: readonly MigrationStep[] = [];

export interface MigrateOptions {
  readonly now: Clock;
  /** Who migrates, for people who look into the database. */
  readonly holder: string;
  readonly steps?: readonly MigrationStep[];
  /** How long one answer of KV is waited for; 5 s by default. */
  readonly timeoutMs?: number;
  /** How long another instance that is at it is waited for; 10 minutes by default. */
  readonly patienceMs?: number;
}

/**
 * Before anything else is read or written: brings the database to this
 * program's version. A database without a version is new, or from before there
 * were versions, which was version 1.
 *
 * Throws where the version is newer than this program or cannot be read, in
 * which case nothing was changed; and StoreUnavailable.
 * @returns the version there was (0: the database was empty) and the one there is
 */
export async function migrate(
  kv: Deno.Kv,
  options: MigrateOptions,
): Promise<{ readonly from: number; readonly to: number }> {
  const { steps = MIGRATIONS, timeoutMs = STORE_TIMEOUT_MS, patienceMs = PATIENCE_MS } = options;
  const known = steps.length + 1;
  const deadline = performance.now() + patienceMs;
  let from: number | undefined;
  let failures = 0;
  while (true) {
    try {
      const { entry, version } = await readVersion(kv, timeoutMs);
      const current = supported(version, known);
      from ??= current;
      if (current === known && entry.value !== null) return { from, to: known };
      if (current === 0 || current === known) {
        await setVersion(kv, entry, { version: known, timeoutMs });
      } else await takeTurn(kv, { ...options, steps, timeoutMs });
      failures = 0;
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || ++failures >= ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS * Math.random()));
    }
    if (performance.now() > deadline) {
      throw new Error(`another instance has been migrating it for ${patienceMs / 1000} s`);
    }
  }
}

/** Takes the steps that are left, or waits a little for whoever is at it. */
async function takeTurn(
  kv: Deno.Kv,
  options: MigrateOptions & { steps: readonly MigrationStep[]; timeoutMs: number },
): Promise<void> {
  const done = await withLease(kv, LEASE, { ...options, ms: LEASE_MS }, async ({ signal }) => {
    try {
      await takeSteps(kv, { ...options, signal });
    } catch (error) {
      // Whoever took over will see to it.
      if (!(error instanceof TakenOver) && !signal.aborted) throw error;
    }
  });
  if (done === null) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

/**
 * For programs that use the database beside the proxy and migrate nothing.
 * Throws where its version is not this program's, and StoreUnavailable.
 */
export async function checkVersion(
  kv: Deno.Kv,
  { steps = MIGRATIONS, timeoutMs = STORE_TIMEOUT_MS }: {
    steps?: readonly MigrationStep[];
    timeoutMs?: number;
  } = {},
): Promise<void> {
  const known = steps.length + 1;
  const version = supported((await readVersion(kv, timeoutMs)).version, known);
  if (version === 0 || version === known) return;
  throw new Error(
    `the database is of schema ${version}, this program of ${known}: start the proxy once first`,
  );
}

class TakenOver extends Error {
  override readonly name = "TakenOver";
}

interface StoredVersion {
  readonly entry: Deno.KvEntryMaybe<unknown>;
  /** 0: there is nothing in the database; null: what is stored is no version. */
  readonly version: number | null;
}

function readVersion(kv: Deno.Kv, timeoutMs: number): Promise<StoredVersion> {
  return guarded("read the version of the database", timeoutMs, async () => {
    const entry = await kv.get<unknown>(keys.meta("schema"));
    const { value } = entry;
    if (value === null) {
      const first = await kv.list({ prefix: [] }, { limit: 1 }).next();
      return { entry, version: first.done ? 0 : 1 };
    }
    const isVersion = typeof value === "number" && Number.isSafeInteger(value) && value > 0;
    return { entry, version: isVersion ? value : null };
  });
}

function supported(version: number | null, known: number): number {
  if (version === null) {
    throw new Error("the version of its schema cannot be read; nothing was changed");
  }
  if (version <= known) return version;
  throw new Error(
    `it was written by a newer version (schema ${version}, this one knows ${known}); nothing was changed`,
  );
}

/** False: somebody was faster. */
function setVersion(
  kv: Deno.Kv,
  before: Deno.KvEntryMaybe<unknown>,
  { version, timeoutMs }: { version: number; timeoutMs: number },
): Promise<boolean> {
  const atomic = kv.atomic().check(before).set(keys.meta("schema"), version);
  return committed(
    "store the version of the database",
    timeoutMs,
    async () => (await atomic.commit()).ok,
  );
}

async function takeSteps(
  kv: Deno.Kv,
  { steps, signal, timeoutMs }: {
    steps: readonly MigrationStep[];
    signal: AbortSignal;
    timeoutMs: number;
  },
): Promise<void> {
  while (true) {
    // Read anew under the lease: whoever had it before may have done the work.
    const { entry, version } = await readVersion(kv, timeoutMs);
    const current = supported(version, steps.length + 1);
    const step = steps[current - 1];
    if (step === undefined) return;
    signal.throwIfAborted();
    const lost = () => new TakenOver(`Cannot ${step.what}: another instance took over`);
    await step.run({
      kv,
      signal,
      commit: async (change) => {
        if (signal.aborted) throw lost();
        const atomic = kv.atomic().check(entry);
        change(atomic);
        const { ok } = await committed(step.what, timeoutMs, () => atomic.commit());
        if (ok) return true;
        const now = await guarded(step.what, timeoutMs, () => kv.get<unknown>(entry.key));
        if (now.versionstamp === entry.versionstamp) return false;
        throw lost();
      },
    });
    if (!await setVersion(kv, entry, { version: current + 1, timeoutMs })) throw lost();
  }
}
