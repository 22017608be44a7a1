import assert from "node:assert/strict";
import { keys } from "../../../policy/store/keys.ts";
import { openTokens } from "../../../policy/store/tokens.ts";
import type { Tokens } from "../../../policy/store/types.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const MINUTE = 60_000;

interface World {
  readonly kv: Deno.Kv;
  readonly clock: { now: number };
  readonly tokens: Tokens;
  readonly made: Awaited<ReturnType<Tokens["create"]>>;
  /** `last_used` of the only token, after what is under way. */
  lastUsed(): Promise<string | null>;
}

async function inStore(work: (world: World) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = { now: NOW };
  const tokens = openTokens(kv, { now: () => clock.now });
  const token = { org: "acme", user: "bob", role: "client", expires: null, by: "root" } as const;
  const made = await tokens.create(token);
  const lastUsed = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return (await tokens.list("acme", { limit: 10 })).items[0].last_used;
  };
  try {
    await work({ kv, clock, tokens, made, lastUsed });
  } finally {
    kv.close();
  }
}

Deno.test("a token's last use is known to the hour, and a look at the list is none", () =>
  inStore(async ({ clock, tokens, made: { secret }, lastUsed }) => {
    assert.equal(await lastUsed(), null);
    await tokens.find(secret);
    assert.equal(await lastUsed(), "2026-11-20T12:00:00.000Z");
    clock.now += 59 * MINUTE;
    await tokens.find(secret);
    assert.equal(await lastUsed(), "2026-11-20T12:00:00.000Z");
    clock.now += MINUTE;
    await tokens.find(secret);
    assert.equal(await lastUsed(), "2026-11-20T13:00:00.000Z");
  }));

Deno.test("many uses are one write, in another process too", () =>
  inStore(async ({ kv, clock, tokens, made: { secret, token }, lastUsed }) => {
    const version = async () => (await kv.get(keys.tokenUse("acme", token.id))).versionstamp;
    await tokens.find(secret);
    await lastUsed();
    const first = await version();
    assert(first !== null);
    clock.now += 10 * MINUTE;
    const other = openTokens(kv, { now: () => clock.now });
    for (let i = 0; i < 50; i++) await Promise.all([tokens.find(secret), other.find(secret)]);
    await lastUsed();
    assert.equal(await version(), first);
  }));

Deno.test("an expired or unknown token is not used, and a removed one leaves nothing behind", () =>
  inStore(async ({ kv, clock, tokens, made: { secret, token }, lastUsed }) => {
    await tokens.find("pp_unknown");
    assert.equal(await lastUsed(), null);
    await tokens.find(secret);
    await lastUsed();
    await tokens.remove("acme", token.id, { by: "root" });
    clock.now += 61 * MINUTE;
    assert.equal(await tokens.find(secret), null);
    const left = await Array.fromAsync(kv.list({ prefix: keys.tokenUse("acme", "").slice(0, 1) }));
    assert.deepEqual(left, []);
  }));

Deno.test("a use that KV cannot note delays and fails nothing", () =>
  inStore(async ({ kv, clock, made: { secret } }) => {
    let asked = 0;
    const slow = new Proxy(kv, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "get") return value.bind(target);
        // The look-up of the token itself, then silence.
        return (key: Deno.KvKey) => asked++ === 0 ? target.get(key) : Promise.reject(new Error());
      },
    });
    const tokens = openTokens(slow, { now: () => clock.now });
    assert.equal((await tokens.find(secret))?.user, "bob");
    assert.equal((await tokens.find(secret))?.user, "bob");
    assert.equal(asked, 2);
  }));
