/** A database that is slow, silent, locked, full or contended: what clients are told, and what is kept. */
// deno-lint-ignore-file no-console -- the table is what people read
import assert from "node:assert/strict";
import { DAY, type TestProxy, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { faultyKv, type KvFault } from "./faulty_kv.ts";

const PACKAGES = 40;
/** Past the time for which policies and tokens are remembered. */
const FORGOTTEN_MS = 6_000;
const NPM = { "user-agent": "npm/12.0.0 node/v24.0.0 linux x64", "accept": "application/json" };

async function openWorld() {
  const registry = startNpmRegistry();
  for (let i = 0; i < PACKAGES; i++) registry.publish({ name: `p${i}`, version: "1.0.0" });
  const publishedAt = new Date(Date.now() - DAY);
  for (const name of Object.values(YOUNG)) {
    registry.publish({ name, version: "1.0.0", publishedAt });
  }
  const faulty = faultyKv();
  const proxy = await testProxy({
    upstreams: { npm: registry.url },
    wrapKv: faulty.wrap,
    policy: { rules: {} },
  });
  const by = "test";
  const made = { org: "default", user: "bob", role: "client" as const, expires: null, by };
  const { secret } = await proxy.deps.tokens.create(made);
  return {
    registry,
    faulty,
    proxy,
    secret,
    async [Symbol.asyncDispose]() {
      faulty.fail(null);
      faulty.release();
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

type Given = Awaited<ReturnType<typeof openWorld>>;
type Outcome = number | "broken";

/** A package published yesterday for each fault, so that each has a wish of its own. */
const YOUNG: Record<KvFault, string> = {
  slow: "young-slow",
  silent: "young-silent",
  throws: "young-throws",
  unwritable: "young-unwritable",
  conflict: "young-conflict",
  flaky: "young-flaky",
};
const FAULTS = ["slow", "silent", "throws", "unwritable", "conflict"] as const;

interface Operation {
  readonly name: string;
  ask(given: Given, fault: KvFault, number: number): Promise<Response>;
  /** By fault, in the order of FAULTS. */
  readonly expected: readonly Outcome[];
}

function admin(path: string, init: { method?: string; body?: unknown } = {}) {
  return ({ proxy }: Given) =>
    proxy.fetch(`/admin/v1/orgs/default/${path}`, {
      method: init.method ?? "GET",
      headers: {
        "authorization": `Bearer ${proxy.rootToken}`,
        "content-type": "application/json",
      },
      body: init.body === undefined ? undefined : JSON.stringify(init.body),
    });
}

const READS = [200, 503, 503, 200, 200];
const file = (name: string) => `/npm/${name}/-/${name}-1.0.0.tgz`;

const OPERATIONS: readonly Operation[] = [
  {
    name: "index",
    ask: ({ proxy }) => proxy.fetch("/npm/p0", { headers: NPM }),
    expected: READS,
  },
  {
    name: "index, by token",
    ask: ({ proxy, secret }) =>
      proxy.fetch("/npm/p0", { headers: { ...NPM, authorization: `Bearer ${secret}` } }),
    expected: READS,
  },
  {
    name: "file",
    ask: ({ proxy }, _, number) => proxy.fetch(file(`p${number}`), { headers: NPM }),
    expected: [200, 503, 503, "broken", "broken"],
  },
  {
    name: "file in memory",
    ask: ({ proxy }) => proxy.fetch(file("p0"), { headers: NPM }),
    expected: [200, 503, 503, 503, 503],
  },
  {
    name: "file withheld",
    ask: ({ proxy }, fault) => proxy.fetch(file(YOUNG[fault]), { headers: NPM }),
    expected: [403, 503, 503, 503, 503],
  },
  {
    name: "wish for an exception",
    ask: ({ proxy }, fault) =>
      proxy.fetch(`/why/pkg:npm/${YOUNG[fault]}@1.0.0`, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify({ reason: "we need it" }),
      }),
    expected: [201, 503, 503, 503, 503],
  },
  {
    name: "/why",
    ask: ({ proxy }) => proxy.fetch("/why/pkg:npm/p0", { headers: { accept: "application/json" } }),
    expected: READS,
  },
  { name: "/health", ask: ({ proxy }) => proxy.fetch("/health"), expected: READS },
  { name: "read policy", ask: admin("policy"), expected: READS },
  {
    name: "replace policy",
    ask: admin("policy", { method: "PUT", body: { rules: {} } }),
    expected: [200, 503, 503, 503, 503],
  },
  {
    name: "add a block",
    ask: (given, fault) =>
      admin("block", { method: "POST", body: { purl: `pkg:npm/bad-${fault}` } })(given),
    expected: [201, 503, 503, 503, 503],
  },
  {
    name: "make a token",
    ask: admin("tokens", { method: "POST", body: { user: "eve", role: "client" } }),
    expected: [201, 503, 503, 503, 503],
  },
  { name: "list tokens", ask: admin("tokens"), expected: READS },
  { name: "list installs", ask: admin("installs"), expected: READS },
  { name: "list alerts", ask: admin("alerts"), expected: READS },
  { name: "list requests", ask: admin("requests"), expected: READS },
  { name: "list audit log", ask: admin("audit"), expected: READS },
];

async function outcomeOf(response: Response): Promise<{ outcome: Outcome; text: string }> {
  const { status } = response;
  try {
    return { outcome: status, text: await response.text() };
  } catch (error) {
    return { outcome: "broken", text: String(error) };
  }
}

Deno.test("a database that fails is answered as documented, in time, and all is well when it is back", async () => {
  await using given = await openWorld();
  const { proxy, faulty } = given;
  const kept = await proxy.fetch(file("p0"), { headers: NPM });
  await kept.bytes();
  const rows: string[][] = [["database", ...FAULTS]];
  const wrong: string[] = [];
  for (const [column, fault] of FAULTS.entries()) {
    // Policies and tokens are read anew under a fault of reading; else they are at hand.
    proxy.clock.now += FORGOTTEN_MS;
    if (fault !== "silent" && fault !== "throws") await proxy.deps.policies.get("default");
    const audited = (await all(proxy, "audit")).length;
    faulty.fail(fault);
    await Promise.all(OPERATIONS.map(async ({ name, ask, expected }, row) => {
      const began = performance.now();
      const { outcome, text } = await outcomeOf(await ask(given, fault, column + 1));
      const took = performance.now() - began;
      rows[row + 1] ??= [name];
      rows[row + 1][column + 1] = String(outcome);
      if (outcome !== expected[column]) {
        wrong.push(`${name} | ${fault}: ${outcome}, not ${expected[column]}: ${text}`);
      }
      if (took > 8_000) wrong.push(`${name} | ${fault}: ${Math.round(took)} ms`);
      if (/\.ts:|locked|unable to open|disk is full/.test(text)) {
        wrong.push(`${name} | ${fault} tells: ${text}`);
      }
    }));
    faulty.fail(null);
    faulty.release();
    if (fault !== "slow") {
      assert.equal((await all(proxy, "audit")).length, audited, `${fault}: nothing has changed`);
    }
    const after = await outcomeOf(await proxy.fetch(file(`p${column + 1}`), { headers: NPM }));
    assert.equal(after.outcome, 200, `${fault}, mended: ${after.text.slice(0, 200)}`);
  }
  console.log(
    rows.map((row) => row.map((text, i) => text.padEnd(i ? 12 : 24)).join("")).join("\n"),
  );
  assert.deepEqual(wrong, []);
  const filenames = (await proxy.installs()).map(({ filename }) => filename);
  for (let i = 1; i <= FAULTS.length; i++) {
    assert.ok(filenames.includes(`p${i}-1.0.0.tgz`), `p${i}`);
  }
});

async function all(proxy: TestProxy, kind: string): Promise<unknown[]> {
  return await Array.fromAsync(proxy.kv.list({ prefix: [kind] }));
}

Deno.test("with a database that fails now and then, what came whole is on record once, and counted once", async () => {
  await using given = await openWorld();
  const { proxy, faulty } = given;
  faulty.fail("flaky");
  const whole: string[] = [];
  let broken = 0;
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: PACKAGES }, async (_, i) => {
      const response = await proxy.fetch(file(`p${i}`), { headers: NPM });
      const { outcome } = await outcomeOf(response);
      if (outcome === 200) whole.push(`p${i}-1.0.0.tgz`);
      else broken++;
    }));
  }
  faulty.fail(null);
  const recorded = (await proxy.installs()).map(({ filename }) => filename);
  const missing = [...whole];
  for (const filename of recorded) {
    const at = missing.indexOf(filename);
    if (at >= 0) missing.splice(at, 1);
  }
  assert.deepEqual(missing, [], "every file that came whole has its record");
  assert.ok(recorded.length <= whole.length + broken);
  assert.ok(whole.length > PACKAGES, "repeating commits helped");
  const { installs } = await proxy.deps.records.stats("default", {});
  assert.equal(installs, recorded.length, "no counter counted twice");
});
