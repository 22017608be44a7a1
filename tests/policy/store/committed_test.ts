import assert from "node:assert/strict";
import { committed } from "../../../policy/store/committed.ts";
import { StoreUnavailable } from "../../../policy/store/errors.ts";
import { openJournal } from "../../../policy/store/journal.ts";
import { openPolicies } from "../../../policy/store/policies.ts";
import { openRequests } from "../../../policy/store/requests.ts";
import { openSessions } from "../../../policy/store/sessions.ts";
import { openTokens } from "../../../policy/store/tokens.ts";
import { NOW, SCHEMES } from "../world.ts";
import { wish } from "./exceptions_fixture.ts";
import { FaultyKv } from "./policies_fixture.ts";
import { kvCommitting } from "./records_fixture.ts";

const LOCKED = "database is locked";

/** Fails so often, then answers. */
function failing(times: number, message: string) {
  const calls = { count: 0 };
  const call = () => {
    if (calls.count++ < times) return Promise.reject(new TypeError(message));
    return Promise.resolve("done");
  };
  return { calls, call };
}

Deno.test("a commit goes on being tried while the database is locked", async () => {
  const { calls, call } = failing(5, LOCKED);
  assert.equal(await committed("store it", 5_000, call), "done");
  assert.equal(calls.count, 6);
});

Deno.test("a database that stays locked is given up in time", async () => {
  const { calls, call } = failing(Infinity, LOCKED);
  await assert.rejects(
    committed("store it", 60, call),
    (error) => error instanceof StoreUnavailable && String(error.cause).includes(LOCKED),
  );
  assert.ok(calls.count > 1, `${calls.count} attempts`);
});

Deno.test("what failed for another reason is repeated twice, and where that is harmless alone", async () => {
  const other = failing(Infinity, "the connection broke");
  await assert.rejects(committed("store it", 5_000, other.call), StoreUnavailable);
  assert.equal(other.calls.count, 1);
  await assert.rejects(
    committed("store it", 5_000, other.call, { always: true }),
    StoreUnavailable,
  );
  assert.equal(other.calls.count, 1 + 3);
});

/** Every second commit finds the database locked by another process. */
async function withLocks(
  run: (world: { faulty: FaultyKv; open: ReturnType<typeof stores> }) => Promise<void>,
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    const faulty = new FaultyKv(kv);
    faulty.fault = (method, calls) => {
      if (method === "commit" && calls % 2 === 1) throw new TypeError(LOCKED);
    };
    await run({ faulty, open: stores(faulty.kv) });
  } finally {
    kv.close();
  }
}

function stores(kv: Deno.Kv) {
  const now = () => NOW;
  const journal = openJournal({ now });
  const policies = openPolicies(kv, { schemes: SCHEMES, now, journal });
  return {
    policies,
    tokens: openTokens(kv, { now, journal }),
    requests: openRequests(kv, { now, journal, policies }),
    sessions: openSessions(kv, { now, journal, rules: "" }),
  };
}

Deno.test("every store waits for another process that has the database locked", () =>
  withLocks(async ({ open: { policies, tokens, requests, sessions }, faulty }) => {
    await policies.replace("acme", { mode: "audit" }, { by: "eve" });
    await policies.update("acme", (document) => ({ ...document, auth: "token" }), { by: "eve" });
    assert.equal((await policies.history("acme", { limit: 9 })).items.length, 2);
    const made = { org: "acme", user: "bob", role: "client", expires: null, by: "eve" } as const;
    const { token } = await tokens.create(made);
    assert.equal(await tokens.remove("acme", token.id, { by: "eve" }), true);
    for (const decision of ["approve", "deny"] as const) {
      const { request } = await requests.ask(wish({ purl: `pkg:npm/${decision}@1.0.0` }));
      const by = { by: "eve", role: "editor", until: null, comment: null } as const;
      await requests.decide("acme", request.id, { decision, ...by });
    }
    const session = await sessions.open({ user: "eve@acme.example", grants: [], attempt: "a" });
    assert.ok(session !== null);
    assert.equal(
      await sessions.remove("eve@acme.example", session.session.id, { by: "eve" }),
      true,
    );
    assert.equal(await faulty.count("audit", "acme"), 8);
  }));

Deno.test("a token whose commit was not answered is made once", async () => {
  const kv = await Deno.openKv(":memory:");
  let commits = 0;
  const lost = kvCommitting(kv, async (commit) => {
    const result = await commit();
    if (commits++ === 0) throw new TypeError("the connection broke before the answer came");
    return result;
  });
  try {
    const { tokens } = stores(lost);
    const made = { org: "acme", user: "bob", role: "client", expires: null, by: "eve" } as const;
    const { token, secret } = await tokens.create(made);
    assert.equal(commits, 2);
    assert.deepEqual(await tokens.find(secret), token);
    assert.equal((await tokens.list("acme", { limit: 9 })).items.length, 1);
  } finally {
    kv.close();
  }
});
