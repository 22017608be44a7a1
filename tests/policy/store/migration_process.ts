/**
 * Migrates, as a process of its own: `<KV file> <steps> <amount of work in a step>`.
 * Waits for a line on its input, so that several can begin at once; prints what came of it.
 */
// deno-lint-ignore-file no-console -- the test reads what it prints
import { migrate } from "../../../policy/store/migrations.ts";
import { countingSteps } from "./migration_steps.ts";

const [path, steps, work] = Deno.args;
const kv = await Deno.openKv(path);
console.log("ready");
await Deno.stdin.read(new Uint8Array(16));
const { from, to } = await migrate(kv, {
  now: Date.now,
  holder: String(Deno.pid),
  steps: countingSteps(Number(steps), Number(work)),
});
console.log(JSON.stringify({ from, to }));
kv.close();
