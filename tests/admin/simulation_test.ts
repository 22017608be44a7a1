import assert from "node:assert/strict";
import { type PackageReader, simulate } from "../../admin/simulation.ts";
import type { Index } from "../../ecosystems/ecosystem.ts";
import { NOTHING_ASKED } from "../../ecosystems/facts.ts";
import type { Policy, Release, StoredRecord } from "../../policy/types.ts";
import { DAY, NOW, only, policy, release } from "../policy/world.ts";

const CURRENT = policy();

interface World {
  readonly clock: { now: number };
  /** Names in the order in which they were asked for. */
  readonly loaded: string[];
  run(policy: Policy): ReturnType<typeof simulate>;
}

/** @param records newest first */
function world(
  records: Iterable<StoredRecord>,
  releases: (name: string) => readonly Release[] | string,
  { loadMs = 0 }: { loadMs?: number } = {},
): World {
  const clock = { now: NOW };
  const loaded: string[] = [];
  const packages: PackageReader = {
    load({ package: name }) {
      loaded.push(name);
      clock.now += loadMs;
      const found = releases(name);
      return Promise.resolve(typeof found === "string" ? found : indexOf(name, found));
    },
    facts: () => Promise.resolve(NOTHING_ASKED),
  };
  async function* all() {
    yield* records;
  }
  const deps = { records: { all }, packages, now: () => clock.now };
  const span = { org: "acme", current: CURRENT, since: NOW - 30 * DAY, until: NOW };
  return { clock, loaded, run: (policy) => simulate(deps, { ...span, policy }) };
}

function indexOf(name: string, releases: readonly Release[]): Index {
  return { name, releases, weight: 1, locate: () => null, render: () => null };
}

function record(name: string, more: Partial<StoredRecord> = {}): StoredRecord {
  const version = more.version ?? "1.0.0";
  return {
    ...{ id: `${name} ${more.at}`, at: new Date(NOW - DAY).toISOString(), org: "acme" },
    ...{ user: "alice", ip: "", ecosystem: "npm", package: name, version, policy: "01" },
    ...{ filename: `${name}-${version}.tgz`, purl: `pkg:npm/${name}@${version}` },
    ...{ bytes: 1, verdict: "allow" },
    ...more,
  };
}

const file = (filename: string) => ({ filename, url: "", digest: null, size: null });
const codes = ({ packages }: Awaited<ReturnType<typeof simulate>>) =>
  packages.map(({ outcomes }) =>
    outcomes.map((one) => typeof one === "string" ? "unknown" : one.code)
  );

Deno.test("a file that was added to its version later is judged by its own date", async () => {
  const pypi = { ecosystem: "pypi", name: "tool", version: "1.0" };
  const releases = [
    release({ ...pypi, files: [file("tool-1.0.tar.gz")] }),
    release({ ...pypi, publishedAt: NOW - 3 * DAY, files: [file("tool-1.0-py3-none-any.whl")] }),
  ];
  const installs = ["tool-1.0-py3-none-any.whl", "tool-1.0.tar.gz"].map((filename) =>
    record("tool", { ecosystem: "pypi", version: "1.0", filename })
  );
  const { run } = world(installs, () => releases);
  assert.deepEqual(codes(await run(only({ min_age: {} }))), [[null, "min_age"]]);
});

Deno.test("one judgement serves until something changes, and one index for all installs of a package", async () => {
  const published = NOW - 25 * DAY;
  const judged = only({ min_age: { age: "10d" } });
  const times: number[] = [];
  const counting: Policy = {
    ...judged,
    judge(releases, now, lift, facts) {
      times.push(now);
      return judged.judge(releases, now, lift, facts);
    },
  };
  // Every hour of the last 25 days, newest first.
  const installs = Array.from(
    { length: 24 * 25 },
    (_, hour) => record("left", { at: new Date(NOW - (hour + 1) * 3_600_000).toISOString() }),
  );
  const { run, loaded } = world(installs, () => [release({ publishedAt: published })]);
  const [outcomes] = codes(await run(counting));
  assert.equal(outcomes.filter((code) => code === "min_age").length, 240);
  assert.equal(outcomes.filter((code) => code === null).length, 360);
  assert.deepEqual(times, [published, published + 10 * DAY]);
  assert.deepEqual(loaded, ["left"]);
});

Deno.test("more installs than are looked at: the answer says from when on they were", async () => {
  function* many() {
    for (let i = 0; i < 50_010; i++) {
      yield record("left", { at: new Date(NOW - (i + 1) * 1_000).toISOString() });
    }
  }
  const { run } = world(many(), () => [release()]);
  const { packages, before, late } = await run(only({ yanked: {} }));
  assert.equal(packages[0].installs.length, 50_000);
  assert.deepEqual([before, late], [NOW - 50_000 * 1_000, 0]);
});

Deno.test("when time runs out, what is left is unknown and counted", async () => {
  const names = Array.from({ length: 60 }, (_, i) => `p${String(i).padStart(2, "0")}`);
  const installs = names.flatMap((name) => [record(name), record(name, { user: "bob" })]);
  const { run, loaded } = world(installs, () => [release()], { loadMs: 1_000 });
  const found = await run(only({ yanked: {} }));
  assert.equal(loaded.length, 30);
  assert.deepEqual(loaded, names.slice(0, 30));
  assert.deepEqual([found.before, found.packages.length], [null, 60]);
  const unknown = codes(found).flat().filter((code) => code === "unknown").length;
  assert.equal(found.late, unknown);
  // What was loaded last came too late for some of its installs.
  assert.ok(unknown >= 60 && unknown < 60 + 2 * 16, `${unknown} unknown`);
});

Deno.test("reading records ends in time, too", async () => {
  const it: World = world(slowly(), () => [release()]);
  function* slowly() {
    for (let i = 0; i < 5_000; i++) {
      it.clock.now += 10;
      yield record("left", { at: new Date(NOW - (i + 1) * 1_000).toISOString() });
    }
  }
  const { packages, before } = await it.run(only({ yanked: {} }));
  const read = packages[0].installs.length;
  assert.ok(read >= 1_400 && read <= 2_000, `${read} read`);
  assert.equal(before, NOW - read * 1_000);
});
