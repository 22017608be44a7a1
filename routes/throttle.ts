/**
 * How much each token, user and address may ask of this process. Runs on every
 * request, so it waits for nothing. A bucket is the instant at which it will be
 * full again (GCRA), and how far off that can be.
 */
import type { LRUCache } from "lru-cache";
import { DEFAULT_LIMITS } from "../policy/limits.ts";
import { recent } from "../policy/recent.ts";
import type { Policy, RequestRate, Role } from "../policy/types.ts";

/** Buckets of a kind; the least used are forgotten, and with them what was asked. */
const MAX_BUCKETS = 50_000;
/**
 * Asking the runtime for an address takes microseconds. Where the limit is this
 * high, it is asked only once all addresses together have used half of it.
 */
const LAZY_FROM = 10_000;
/** Wrong tokens from one address: room for a team whose CI has an old one, none for guessing. */
const WRONG_TOKENS: RequestRate = { count: 60, ms: 60_000 };

interface Bucket {
  /** When it is full again (Unix ms). */
  full: number;
  /** How long an empty one takes by the rate of whoever took from it last; further off `full` never is. */
  ms: number;
}

export interface Asking {
  readonly org: string;
  readonly user: string;
  /** null: the user is whoever the address or Basic name says, without proof. */
  readonly role: Role | null;
  /** null: no token was given. */
  readonly tokenId: string | null;
}

/** What is used up, and when there is enough of it again. */
export interface Exceeded {
  readonly what: "token" | "user" | "address";
  readonly waitMs: number;
}

export class Throttle {
  readonly #tokens = recent<string, Bucket>(MAX_BUCKETS);
  readonly #users = recent<string, Bucket>(MAX_BUCKETS);
  readonly #addresses = recent<string, Bucket>(MAX_BUCKETS);
  /** All addresses of a policy together. */
  readonly #totals = recent<string, Bucket>(MAX_BUCKETS);
  readonly #wrong = recent<string, Bucket>(MAX_BUCKETS);

  constructor(readonly now: () => number) {}

  /**
   * Counts a request; null: it may go on.
   * @param policy undefined: not known yet, so that the default limits hold
   * @param client its address is read only when it counts
   */
  take(
    { org, user, role, tokenId }: Asking,
    { policy, client, cost }: {
      policy: Pick<Policy, "org" | "limits"> | undefined;
      client: { readonly ip: string };
      cost: number;
    },
  ): Exceeded | null {
    const limits = policy?.limits ?? DEFAULT_LIMITS;
    if (tokenId !== null && limits.token !== null) {
      const waitMs = this.#take(this.#tokens, tokenId, { rate: limits.token, cost });
      if (waitMs > 0) return { what: "token", waitMs };
    }
    if (user !== "" && limits.user !== null) {
      // Apart, so that nobody uses up a limit by somebody else's name; names hold no "?".
      const key = `${org}\n${role === null ? "?" : ""}${user}`;
      const waitMs = this.#take(this.#users, key, { rate: limits.user, cost });
      if (waitMs > 0) return { what: "user", waitMs };
    }
    if (limits.address === null) return null;
    // Anybody may make up orgs, so those that share a policy share its buckets.
    const waitMs = this.#takeAddress(policy?.org ?? "", client, { rate: limits.address, cost });
    return waitMs > 0 ? { what: "address", waitMs } : null;
  }

  /**
   * Milliseconds until tokens of an address are looked up again; 0: they are.
   * @param client its address is read only when it counts
   */
  tokensWait(client: { readonly ip: string }): number {
    if (this.#wrong.size === 0) return 0;
    const { ip } = client;
    const bucket = ip === "" ? undefined : this.#wrong.get(networkOf(ip));
    return overdraft(owedOf(bucket, this.now(), WRONG_TOKENS), { rate: WRONG_TOKENS, cost: 1 });
  }

  /** An address has given a token that there is not. */
  wrongToken(ip: string): void {
    if (ip !== "") this.#take(this.#wrong, networkOf(ip), { rate: WRONG_TOKENS, cost: 1 });
  }

  #takeAddress(
    policy: string,
    client: { readonly ip: string },
    asked: { rate: RequestRate; cost: number },
  ): number {
    const { rate } = asked;
    if (rate.count >= LAZY_FROM && !this.#isBusy(policy, asked)) return 0;
    const { ip } = client;
    if (ip === "") return 0;
    return this.#take(this.#addresses, `${policy}\n${networkOf(ip)}`, asked);
  }

  /** Whether all addresses together have used more than half of what one may. */
  #isBusy(policy: string, asked: { rate: RequestRate; cost: number }): boolean {
    const now = this.now();
    const { ms } = asked.rate;
    const bucket = this.#totals.get(policy);
    const full = now + Math.min(owedOf(bucket, now, asked.rate) + priceOf(asked), ms);
    put(this.#totals, { key: policy, bucket, full, ms });
    return full - now > ms / 2;
  }

  /** 0: taken; else the milliseconds to wait, and nothing was taken. */
  #take(
    buckets: LRUCache<string, Bucket>,
    key: string,
    asked: { rate: RequestRate; cost: number },
  ): number {
    const now = this.now();
    const bucket = buckets.get(key);
    const owed = owedOf(bucket, now, asked.rate);
    const wait = overdraft(owed, asked);
    if (wait > 0) return wait;
    put(buckets, { key, bucket, full: now + owed + priceOf(asked), ms: asked.rate.ms });
    return 0;
  }
}

/**
 * Milliseconds until the bucket is full: at most what an empty one takes, as the
 * rate may be another now. One that is further off than it can be was used before
 * the clock was set back, and is brought near, whoever asks.
 */
function owedOf(bucket: Bucket | undefined, now: number, { ms }: RequestRate): number {
  if (bucket === undefined) return 0;
  bucket.full = Math.min(bucket.full, now + bucket.ms);
  return Math.min(Math.max(bucket.full - now, 0), ms);
}

function put(
  buckets: LRUCache<string, Bucket>,
  { key, bucket, full, ms }: Bucket & { key: string; bucket: Bucket | undefined },
): void {
  if (bucket === undefined) {
    buckets.set(key, { full, ms });
    return;
  }
  bucket.full = full;
  bucket.ms = ms;
}

/** Milliseconds that a request uses up; one that costs more than there can be uses all of it. */
function priceOf({ rate, cost }: { rate: RequestRate; cost: number }): number {
  return Math.min(cost / rate.count, 1) * rate.ms;
}

function overdraft(owed: number, asked: { rate: RequestRate; cost: number }): number {
  const over = owed + priceOf(asked) - asked.rate.ms;
  // Less than a microsecond is what adding fractions has left.
  return over > 1e-3 ? Math.min(over, asked.rate.ms) : 0;
}

/** One network is one sender: whoever has an IPv6 address has 2^64 of them. */
function networkOf(ip: string): string {
  if (!ip.includes(":")) return ip;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip);
  if (mapped !== null) return mapped[1];
  const [head, tail] = ip.split("%", 1)[0].toLowerCase().split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  return groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}
