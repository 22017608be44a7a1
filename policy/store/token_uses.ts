/** When tokens were last used, to the hour: enough to find those that nobody needs. */
import { recent } from "../recent.ts";
import { committed } from "./committed.ts";
import { keys } from "./keys.ts";
import { guarded } from "./timeout.ts";
import type { Clock, StoredToken } from "./types.ts";

/** A use within this time of the last one is not written down. */
const HOUR_MS = 3600_000;
const MAX_NOTED = 10_000;
/** Deno KV's own bound on keys of one `getMany`. */
const MANY = 10;

type TokenId = Pick<StoredToken, "org" | "id">;

export class TokenUses {
  /** Unix ms, by org and id. */
  readonly #noted = recent<string, number>(MAX_NOTED);

  constructor(
    readonly kv: Deno.Kv,
    readonly options: { readonly now: Clock; readonly timeoutMs: number },
  ) {}

  /** Takes note of a use; nobody waits for it, and where KV fails it is lost. */
  note({ org, id }: TokenId): void {
    const at = this.options.now();
    const key = `${org} ${id}`;
    const last = this.#noted.get(key);
    if (last !== undefined && at >= last && at - last < HOUR_MS) return;
    this.#noted.set(key, at);
    this.#store({ org, id }, at).catch(() => {});
  }

  /** RFC 3339 by id; absent: never used. Throws StoreUnavailable. */
  async of(org: string, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (let i = 0; i < ids.length; i += MANY) {
      const some = ids.slice(i, i + MANY);
      const entries = await guarded(
        "read when tokens were used",
        this.options.timeoutMs,
        () => this.kv.getMany<unknown[]>(some.map((id) => keys.tokenUse(org, id))),
      );
      entries.forEach(({ value }, j) => {
        if (typeof value === "number") found.set(some[j], new Date(value).toISOString());
      });
    }
    return found;
  }

  async #store({ org, id }: TokenId, at: number): Promise<void> {
    await committed("note the use of a token", this.options.timeoutMs, async () => {
      const token = await this.kv.get(keys.tokenOfOrg(org, id));
      const use = await this.kv.get(keys.tokenUse(org, id));
      // Another process may have noted it, and a removed token leaves nothing behind.
      const known = typeof use.value === "number" && at - use.value < HOUR_MS;
      if (known || token.value === null) return;
      await this.kv.atomic().check(token, use).set(keys.tokenUse(org, id), at).commit();
    });
  }
}
