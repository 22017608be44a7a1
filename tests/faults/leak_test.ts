/** Faulty requests by the thousand: what they took is given back. `LEAK_REQUESTS` says how many. */
import assert from "node:assert/strict";
import * as v from "valibot";

const REQUESTS = Deno.env.get("LEAK_REQUESTS") ?? "2000";
const PROCESS = new URL("leak_process.ts", import.meta.url).pathname;
/** After its last line nothing may keep it. */
const END_MS = 5_000;

const Level = v.object({
  heapMB: v.number(),
  externalMB: v.number(),
  rssMB: v.number(),
  descriptors: v.number(),
  connections: v.number(),
});
const Report = v.object({
  requests: v.number(),
  outcomes: v.record(v.string(), v.number()),
  before: Level,
  after: Level,
});

Deno.test(`${REQUESTS} faulty requests leave no memory, connection, file descriptor or timer behind`, async () => {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", PROCESS, REQUESTS],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const text = await lastLine(process.stdout);
  const timer = setTimeout(() => process.kill("SIGKILL"), END_MS);
  const { code } = await process.status;
  clearTimeout(timer);
  assert.equal(code, 0, "it ends by itself");
  const { outcomes, before, after, requests } = v.parse(Report, JSON.parse(text));
  const seen = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  assert.equal(seen, requests);
  for (const outcome of ["502", "503", "504", "broken"]) assert.ok(outcomes[outcome] > 0, text);
  // Pools keep some connections for the next request: fewer than were ever used at once.
  assert.ok(after.connections <= before.connections + 16, text);
  assert.ok(after.descriptors <= before.descriptors + 32, text);
  assert.ok(after.heapMB <= before.heapMB + 10 && after.externalMB <= before.externalMB + 10, text);
  assert.ok(after.rssMB <= before.rssMB + 80, text);
});

/** Resolves when it is there, not when the process has ended. */
async function lastLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.endsWith("\n")) return text;
  }
  throw new Error(`The process ended early: ${text}`);
}
