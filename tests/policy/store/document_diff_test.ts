import assert from "node:assert/strict";
import { differences } from "../../../policy/store/document_diff.ts";

const entry = (name: string, more = {}) => ({ purl: `pkg:npm/${name}`, ...more });

Deno.test("members that differ are named by JSON Pointer, with what they were and are", () => {
  const before = { mode: "audit", rules: { min_age: { age: "3d", "a/b~c": 1 } }, gone: [1] };
  const after = { mode: "enforce", rules: { min_age: { age: "3d", "a/b~c": 2 } }, here: null };
  assert.deepEqual(differences(before, after), [
    { pointer: "/mode", before: "audit", after: "enforce" },
    { pointer: "/rules/min_age/a~1b~0c", before: 1, after: 2 },
    { pointer: "/gone", before: [1] },
    { pointer: "/here", after: null },
  ]);
  assert.deepEqual(differences(before, structuredClone(before)), []);
});

Deno.test("an entry more at the front of a list is one difference", () => {
  const before = { entries: [entry("a"), entry("b")] };
  const after = { entries: [entry("new"), entry("a"), entry("b")] };
  assert.deepEqual(differences(before, after), [{ pointer: "/entries/0", after: entry("new") }]);
  assert.deepEqual(differences(after, before), [{ pointer: "/entries/0", before: entry("new") }]);
});

Deno.test("the one entry that changed in its place is compared by its members", () => {
  const before = { entries: [entry("a"), entry("b", { reason: "x", versions: "1" })] };
  const after = { entries: [entry("a"), entry("b", { versions: "1", reason: "y" })] };
  assert.deepEqual(differences(before, after), [
    { pointer: "/entries/1/reason", before: "x", after: "y" },
  ]);
});

Deno.test("several entries that changed are those that are gone and those that came", () => {
  const before = [entry("a"), entry("b"), entry("b"), entry("c")];
  const after = [entry("b"), entry("c"), entry("d"), entry("e")];
  assert.deepEqual(differences(before, after), [
    { pointer: "/0", before: entry("a") },
    { pointer: "/2", before: entry("b") },
    { pointer: "/2", after: entry("d") },
    { pointer: "/3", after: entry("e") },
  ]);
});

Deno.test("a list in another order differs as a whole; members in another order do not", () => {
  assert.deepEqual(differences({ a: [1, 2] }, { a: [2, 1] }), [
    { pointer: "/a", before: [1, 2], after: [2, 1] },
  ]);
  assert.deepEqual(differences([{ x: 1, y: { p: 1, q: 2 } }], [{ y: { q: 2, p: 1 }, x: 1 }]), []);
});

Deno.test("names that mean something to JavaScript are names like others", () => {
  const before: unknown = JSON.parse('{"packages": {"constructor": "1d"}}');
  const after: unknown = JSON.parse('{"packages": {"constructor": "2d", "toString": "3d"}}');
  assert.deepEqual(differences(before, after), [
    { pointer: "/packages/constructor", before: "1d", after: "2d" },
    { pointer: "/packages/toString", after: "3d" },
  ]);
});

Deno.test("a list of 50,000 entries is compared at once, and told of in part", () => {
  const many = Array.from({ length: 50_000 }, (_, i) => entry(`p${i}`));
  assert.deepEqual(differences({ many }, { many: [...many, entry("one")] }), [
    { pointer: "/many/50000", after: entry("one") },
  ]);
  const all = differences({ many: [] }, { many });
  assert(all.length > 1_500 && all.length < 50_000, String(all.length));
});
