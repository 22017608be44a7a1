import assert from "node:assert/strict";
import { INCIDENTS, type Moment, replay, table } from "./replay.ts";

const replayed = await replay();

/** `name version` of those that were let through at a moment. */
function letThrough(moment: Moment): string[] {
  return replayed.filter(({ outcome }) => outcome[moment].length === 0)
    .map(({ incident: { name, version } }) => version === null ? name : `${name} ${version}`);
}

Deno.test("the built-in policy withholds every attack an hour after it, and a day after", () => {
  assert.ok(replayed.length >= 25, `${replayed.length} attacks`);
  assert.deepEqual(letThrough("hour"), []);
  assert.deepEqual(letThrough("day"), []);
});

Deno.test("when they were disclosed, only those that had gone unnoticed for longer than ten days passed", () => {
  assert.deepEqual(letThrough("disclosed"), [
    "crossenv",
    "event-stream 3.3.6",
    "flatmap-stream 0.1.1",
    "rustdecimal",
    "async_println",
    "faster_log",
    "sha-rust",
    "finch-rust",
  ]);
});

Deno.test("with an advisory none passes, however old", () => {
  assert.deepEqual(letThrough("advised"), []);
  for (const { outcome } of replayed) assert.ok(outcome.advised.includes("malware"));
});

Deno.test("evidence that was missing is found where there had been some", () => {
  const downgraded = replayed
    .filter(({ outcome }) => outcome.hour.includes("publisher_downgrade"))
    .map(({ incident: { name, version } }) => `${name} ${version}`);
  assert.deepEqual(downgraded, ["ultralytics 8.3.45", "nx 21.5.0", "axios 1.14.1"]);
});

Deno.test("the release before each attack was served all the time", () => {
  assert.deepEqual(replayed.filter(({ goodServed }) => !goodServed), []);
});

Deno.test("every attack is listed once, with a source, and disclosed after it was published", () => {
  const keys = INCIDENTS.map(({ ecosystem, name, version }) => `${ecosystem} ${name} ${version}`);
  assert.equal(new Set(keys).size, keys.length);
  for (const { name, published, disclosed, source } of INCIDENTS) {
    assert.ok(published.slice(0, 10) <= disclosed.slice(0, 10), name);
    assert.match(source, /^https:/, name);
  }
  assert.equal(table(replayed).split("\n").length, INCIDENTS.length + 2);
});
