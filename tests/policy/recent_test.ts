import assert from "node:assert/strict";
import { recent } from "../../policy/recent.ts";

Deno.test("what was used most recently stays, and no more of it than is asked for", () => {
  const known = recent<string, number>(3);
  for (let i = 0; i < 1_000; i++) {
    known.get("kept");
    known.set(i === 0 ? "kept" : `${i}`, i);
    assert.ok(known.size <= 3);
  }
  assert.deepEqual([...known.keys()].toSorted(), ["998", "999", "kept"]);
});
