/** Adds install records for `seconds=`, `at-once=` at a time, and counts what is in the file afterwards. */
// deno-lint-ignore-file no-console -- the result goes to whoever started it
import { SCHEMES } from "../../../ecosystems/mod.ts";
import { openRecords } from "../../../policy/store/records.ts";
import { argument } from "./announce.ts";

const seconds = Number(argument("seconds"));
const path = argument("kv");
const options = { schemes: SCHEMES, now: () => Date.now(), retentionMs: 400 * 24 * 3600_000 };

const { added, elapsed } = await add();
using kv = await Deno.openKv(path);
const { installs } = await openRecords(kv, options).stats("default", {});
console.log(JSON.stringify({ added, found: installs, seconds: elapsed }));

async function add(): Promise<{ added: number; elapsed: number }> {
  using kv = await Deno.openKv(path);
  const records = openRecords(kv, options);
  let added = 0;
  const begin = performance.now();
  const end = begin + seconds * 1_000;
  await Promise.all(Array.from({ length: Number(argument("at-once")) }, async (_, adder) => {
    while (performance.now() < end) {
      const version = `1.0.${added % 50}`;
      await records.add("install", {
        org: "default",
        user: `user-${adder}`,
        ip: "127.0.0.1",
        ecosystem: "npm",
        package: `package-${adder}`,
        version,
        filename: `package-${adder}-${version}.tgz`,
        purl: `pkg:npm/package-${adder}@${version}`,
        bytes: 12_345,
        verdict: "allow",
        policy: "built-in",
      });
      added++;
    }
  }));
  return { added, elapsed: (performance.now() - begin) / 1_000 };
}
