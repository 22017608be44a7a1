import assert from "node:assert/strict";
import { StoreUnavailable } from "../../../policy/store/errors.ts";
import { LateEntries } from "../../../policy/store/late_entries.ts";

Deno.test("what waits is stored in its order once the store is back, each once", async () => {
  const stored: number[] = [];
  let failing = true;
  const states: number[] = [];
  const late = new LateEntries<number>((entry) => {
    if (failing) return Promise.reject(new Error("down"));
    stored.push(entry);
    return Promise.resolve();
  }, ({ waiting }) => states.push(waiting));
  assert.equal(await late.flush(), true, "nothing waits");
  for (const entry of [1, 2, 3]) late.keep(entry);
  assert.equal(await late.flush(), false);
  assert.deepEqual(late.state, { waiting: 3, ever: 3 });
  failing = false;
  const both = await Promise.all([late.flush(), late.flush()]);
  assert.deepEqual([both, stored], [[true, true], [1, 2, 3]]);
  assert.deepEqual(late.state, { waiting: 0, ever: 3 });
  assert.deepEqual(states, [1, 0], "told when it begins and when it is over");
});

Deno.test("there is an end to what is kept", async () => {
  let failing = true;
  const late = new LateEntries<number>(() =>
    failing ? Promise.reject(new Error("down")) : Promise.resolve()
  );
  for (let i = 0; i < 20_000; i++) late.keep(i);
  assert.throws(() => late.keep(1), StoreUnavailable);
  assert.equal(late.state.waiting, 20_000);
  failing = false;
  assert.equal(await late.flush(), true);
});
