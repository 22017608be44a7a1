/** What goes wrong at an upstream, and what a client is then told. */
import assert from "node:assert/strict";
import { type Driver, DRIVERS } from "../contract/drivers.ts";
import { testProxy } from "../proxy.ts";
import { type FrontFault, startFront } from "./front.ts";

/** A status; `broken`: 200, and a body that does not end well. */
export type Outcome = number | "broken";

export interface Row {
  readonly name: string;
  readonly fault: FrontFault;
  readonly index: Outcome;
  readonly file: Outcome;
}

/** Milliseconds; what lies beyond them is the machine's and the retries' part. */
const LIMITS = { firstByteMs: 1_500, stallMs: 300, documentBytes: 200_000 };
const SLACK_MS = 4_000;
const RETRY_AFTER = "7";
/** Past the time for which a failing upstream is left alone. */
const LATER_MS = 6_000;

export const ROWS: readonly Row[] = [
  { name: "closed before headers", fault: { kind: "close" }, index: 502, file: 502 },
  { name: "reset before headers", fault: { kind: "reset" }, index: 502, file: 502 },
  { name: "closed mid-body", fault: { kind: "close", after: 40 }, index: 502, file: "broken" },
  { name: "reset mid-body", fault: { kind: "reset", after: 40 }, index: 502, file: "broken" },
  { name: "stall before headers", fault: { kind: "silent" }, index: 504, file: 504 },
  { name: "stall mid-body", fault: { kind: "silent", after: 40 }, index: 504, file: "broken" },
  { name: "length stated too long", fault: { kind: "length", by: 9 }, index: 502, file: "broken" },
  {
    name: "length stated too short",
    fault: { kind: "length", by: -9 },
    index: 502,
    file: "broken",
  },
  { name: "wrong digest", fault: { kind: "tamper" }, index: 502, file: "broken" },
  { name: "wrong type", fault: { kind: "page" }, index: 502, file: "broken" },
  { name: "truncated gzip", fault: { kind: "cut_gzip" }, index: 502, file: "broken" },
  {
    name: "429 with Retry-After",
    fault: { kind: "status", status: 429, headers: { "retry-after": RETRY_AFTER } },
    index: 503,
    file: 503,
  },
  { name: "500", fault: { kind: "status", status: 500 }, index: 502, file: 502 },
  { name: "503", fault: { kind: "status", status: 503 }, index: 503, file: 503 },
];

/** Those that pass by themselves: each answer is one of `while`, and soon one is 200. */
export const PASSING: readonly { name: string; fault: FrontFault; while: readonly Outcome[] }[] = [
  { name: "burst of 5xx", fault: { kind: "burst", answers: 5 }, while: [502, 503] },
  { name: "flapping", fault: { kind: "flapping" }, while: [502] },
];

export type Kind = "index" | "file";

/** One package of one registry, and a proxy before both. */
async function openCell(driver: Driver, kind: Kind) {
  const world = driver.start();
  const file = world.publish({
    name: "package",
    version: "1.0.0",
    publishedAt: new Date("2020-01-01"),
  });
  const front = await startFront(world.server.url);
  const upstream = world.upstream.replace(world.server.url, front.url);
  const proxy = await testProxy({ upstreams: { [driver.id]: upstream }, limits: LIMITS });
  const path = `${driver.mount}${kind === "index" ? driver.index("package") : file.path}`;

  async function ask(): Promise<{ outcome: Outcome; headers: Headers; text: string }> {
    const began = performance.now();
    const response = await proxy.fetch(path, { headers: driver.headers });
    const { status, headers } = response;
    let outcome: Outcome = status;
    let text = "";
    try {
      const bytes = await response.bytes();
      text = new TextDecoder().decode(bytes);
      if (kind === "file" && status === 200) assert.deepEqual(bytes, file.bytes, "the whole file");
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      outcome = "broken";
    }
    const took = performance.now() - began;
    const bound = LIMITS.firstByteMs + LIMITS.stallMs + SLACK_MS;
    assert.ok(took < bound, `it took ${Math.round(took)} ms`);
    return { outcome, headers, text };
  }

  return {
    world,
    front,
    proxy,
    ask,
    paths: kind === "index" ? world.indexes : world.files,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
      await world.server[Symbol.asyncDispose]();
    },
  };
}

/** What came of it, for the table. Throws AssertionError. */
export async function runCell(driver: Driver, kind: Kind, row: Row): Promise<string> {
  await using cell = await openCell(driver, kind);
  const { front, proxy, ask, paths } = cell;
  if (kind === "file") {
    await proxy.fetch(`${driver.mount}${driver.index("package")}`, { headers: driver.headers });
  }
  front.fault(paths, row.fault);
  const first = await ask();
  const expected = expectedOf(driver, kind, row);
  assert.equal(first.outcome, expected, `${first.outcome}: ${first.text}`);
  if (row.name.includes("Retry-After")) {
    assert.equal(first.headers.get("retry-after"), RETRY_AFTER);
  }
  if (typeof first.outcome === "number" && first.outcome >= 400) {
    assert.ok(first.text.length < 500 && !/\.ts:|\n\s+at /.test(first.text), first.text);
    assert.equal(first.headers.get("cache-control"), "no-store");
  }
  assert.deepEqual(await proxy.installs(), [], "nothing is on record that was not handed out");

  front.mend();
  const mended = await ask();
  assert.equal(mended.outcome, 200, `after mending: ${mended.text}`);
  if (kind === "file") {
    assert.equal((await proxy.installs()).length, 1, "what was handed out is on record");
    return `${expected}, then 200`;
  }
  assert.equal(mended.headers.get("cache-status"), null);

  proxy.clock.now += LATER_MS;
  front.fault(paths, row.fault);
  const stale = await ask();
  assert.equal(stale.outcome, 200, `with a good answer from before: ${stale.text}`);
  if (expected !== 200) assert.match(stale.headers.get("cache-status") ?? "", /stale/);
  assert.deepEqual(driver.visible(stale.text), expected === 200 ? [] : ["1.0.0"]);
  front.mend();
  proxy.clock.now += LATER_MS;
  const fresh = await ask();
  assert.deepEqual([fresh.outcome, fresh.headers.get("cache-status")], [200, null]);
  return expected === 200 ? "200, without files" : `${expected}, then stale`;
}

/** PyPI's index may be a page, and one without links is a project without files. */
function expectedOf({ id }: Driver, kind: Kind, row: Row): Outcome {
  return id === "pypi" && kind === "index" && row.fault.kind === "page" ? 200 : row[kind];
}

/** The same for what passes by itself. */
export async function runPassing(
  driver: Driver,
  kind: Kind,
  row: (typeof PASSING)[number],
): Promise<string> {
  await using cell = await openCell(driver, kind);
  cell.front.fault(cell.paths, row.fault);
  const outcomes: Outcome[] = [];
  for (let i = 0; i < 8; i++) {
    const { outcome, text } = await cell.ask();
    outcomes.push(outcome);
    if (outcome === 200) break;
    assert.ok(row.while.includes(outcome), `${outcome}: ${text}`);
  }
  assert.equal(outcomes.at(-1), 200, outcomes.join(" "));
  if (kind === "file") assert.equal((await cell.proxy.installs()).length, 1);
  return outcomes.length === 1 ? "200" : `${outcomes.length - 1} × 50x, then 200`;
}

export const COLUMNS = DRIVERS.flatMap((driver) =>
  (["index", "file"] as const).map((kind) => ({ driver, kind, name: `${driver.id} ${kind}` }))
);
