import assert from "node:assert/strict";
import {
  INCIDENTS,
  type Moment,
  MOMENTS,
  replay,
  standing,
  table,
  totals,
  unchecked,
} from "./replay.ts";

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
    "rand-user-agent 2.0.83",
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

Deno.test("the release before an attack was served unless it was younger than ten days itself", () => {
  const withheld = replayed.filter(({ goodServed }) => goodServed === false)
    .map(({ incident: { name, before } }) => `${name} ${before?.version}`);
  assert.deepEqual(withheld, ["nx 21.4.1", "litellm 1.82.6", "telnyx 4.87.0", "axios 1.14.0"]);
});

Deno.test("every attack is listed once, with sources, and disclosed after it was published", () => {
  const keys = INCIDENTS.map(({ ecosystem, name, version }) => `${ecosystem} ${name} ${version}`);
  assert.equal(new Set(keys).size, keys.length);
  for (const { name, published, disclosed, sources } of INCIDENTS) {
    assert.ok(published.slice(0, 10) <= disclosed.slice(0, 10), name);
    assert.equal(new Set(sources).size, sources.length, name);
    for (const source of sources) assert.match(source, /^https:/, name);
  }
  assert.equal(table(replayed).split("\n").length, INCIDENTS.length + 2);
});

Deno.test("facts other than the release before that no source states are these", () => {
  const named = INCIDENTS.filter((incident) =>
    unchecked(incident).some((fact) => fact !== "before")
  )
    .map((incident) => `${incident.name}: ${unchecked(incident).join(", ")}`);
  assert.deepEqual(named, [
    "crossenv: published",
    "colors: published, before",
    "@rspack/core: evidence, before",
    "rand-user-agent: disclosed, before",
  ]);
});

Deno.test("the table of every attack is this one, and says how far it can be relied upon", async () => {
  const text = squeeze(await Deno.readTextFile(new URL("./README.md", import.meta.url)));
  for (const line of table(replayed).split("\n").slice(2)) assert.ok(text.includes(squeeze(line)));
  for (const sentence of standing(replayed)) assert.ok(text.includes(sentence), sentence);
});

Deno.test("the README shows these totals", async () => {
  const readme = squeeze(await Deno.readTextFile(new URL("../../README.md", import.meta.url)));
  const [, , ...lines] = totals(replayed).split("\n");
  assert.equal(lines.length, MOMENTS.length);
  for (const line of lines) assert.ok(readme.includes(squeeze(line)), line);
});

/** Without what `deno fmt` makes of widths. */
function squeeze(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}
