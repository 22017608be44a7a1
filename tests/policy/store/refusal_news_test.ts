import assert from "node:assert/strict";
import { SCHEMES } from "../../../ecosystems/mod.ts";
import { compilePolicy } from "../../../policy/engine.ts";
import { openJournal } from "../../../policy/store/journal.ts";
import { openRefusalNews } from "../../../policy/store/refusal_news.ts";
import { input, kvCommitting, kvWith, START } from "./records_fixture.ts";

const REFUSED = input("npm:young@1.0.0", {
  verdict: "deny",
  code: "min_age",
  reason: "published today",
});
const LINK = "https://proxy.example/why/pkg:npm/young@1.0.0";

async function inWorld(
  run: (world: {
    kv: Deno.Kv;
    clock: { now: number };
    lines: Readonly<Record<string, unknown>>[];
    committed: () => number;
    open: (kv?: Deno.Kv) => ReturnType<typeof openRefusalNews>;
    count: () => Promise<number>;
  }) => Promise<void>,
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = { now: START };
  const now = () => clock.now;
  const lines: Readonly<Record<string, unknown>>[] = [];
  let committed = 0;
  const journal = openJournal({ now, onNews: () => committed++ });
  try {
    await run({
      kv,
      clock,
      lines,
      committed: () => committed,
      open: (over = kv) =>
        openRefusalNews(over, {
          now,
          journal,
          log: (line) => void lines.push(line),
          timeoutMs: 100,
        }),
      count: async () => (await Array.fromAsync(kv.list({ prefix: ["news"] }))).length,
    });
  } finally {
    kv.close();
  }
}

function policyWith(...events: string[]) {
  const webhooks = [{ url: "https://hooks.example/", events }];
  return compilePolicy({ webhooks }, { org: "acme", revision: "1", schemes: SCHEMES });
}

Deno.test("each release and code is told once an hour, by whichever instance", () =>
  inWorld(async ({ clock, open, count, committed }) => {
    const policy = policyWith("refusal");
    const [a, b] = [open(), open()];
    const tell = async () => {
      for (const one of [a, b]) one.tell(policy, REFUSED, LINK);
      await Promise.all([a.settled(), b.settled()]);
    };
    await tell();
    await tell();
    assert.deepEqual([await count(), committed()], [1, 1]);
    a.tell(policy, { ...REFUSED, code: "malware" }, LINK);
    b.tell(policy, { ...REFUSED, purl: "pkg:npm/young@1.0.1" }, LINK);
    await Promise.all([a.settled(), b.settled()]);
    assert.equal(await count(), 3);
    clock.now += 3600_000 - 1;
    await tell();
    assert.equal(await count(), 3);
    clock.now += 1;
    await tell();
    assert.equal(await count(), 4);
  }));

Deno.test("only what a webhook wants is written down", () =>
  inWorld(async ({ open, count }) => {
    const news = open();
    news.tell(policyWith("warning", "alert"), REFUSED, LINK);
    news.tell(policyWith("refusal"), { ...REFUSED, verdict: "warn" }, LINK);
    news.tell(compilePolicy({}, { org: "acme", revision: "1", schemes: SCHEMES }), REFUSED, LINK);
    await news.settled();
    assert.equal(await count(), 0);
    news.tell(policyWith("warning"), { ...REFUSED, verdict: "warn" }, LINK);
    await news.settled();
    assert.equal(await count(), 1);
  }));

Deno.test("a database that fails or is silent costs a line in the log, and no more", () =>
  inWorld(async ({ kv, open, count, lines }) => {
    const policy = policyWith("refusal");
    const locked = kvCommitting(kv, () => Promise.reject(new TypeError("database is locked")));
    const silent = kvWith(kv, { get: () => new Promise(() => {}) });
    for (const broken of [locked, silent]) {
      const news = open(broken);
      const before = performance.now();
      news.tell(policy, REFUSED, LINK);
      assert.ok(performance.now() - before < 50, "nobody waits");
      await news.settled();
    }
    assert.deepEqual(lines.map(({ event }) => event), ["webhook_lost", "webhook_lost"]);
    assert.equal(await count(), 0);
    const flaky = open(locked);
    flaky.tell(policy, REFUSED, LINK);
    await flaky.settled();
    flaky.tell(policy, REFUSED, LINK);
    await flaky.settled();
    assert.equal(lines.length, 4, "what failed is tried again at the next refusal");
  }));

Deno.test("a stranger's words are cut, so that they always fit", () =>
  inWorld(async ({ kv, open }) => {
    const news = open();
    news.tell(policyWith("refusal"), { ...REFUSED, reason: "x".repeat(100_000) }, LINK);
    await news.settled();
    const [entry] = await Array.fromAsync(kv.list<{ text: string }>({ prefix: ["news"] }));
    assert.ok(entry.value.text.length < 1_100);
  }));
