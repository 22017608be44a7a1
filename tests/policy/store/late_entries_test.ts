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

Deno.test("a store that is far away is not asked for one after another", async () => {
  const under = new Set<PromiseWithResolvers<void>>();
  let stored = 0;
  let most = 0;
  const late = new LateEntries<number>(async (entry) => {
    if (entry === 50 && stored < 100) throw new Error("down again");
    const answer = Promise.withResolvers<void>();
    under.add(answer);
    most = Math.max(most, under.size);
    setTimeout(answer.resolve, 0);
    await answer.promise;
    under.delete(answer);
    stored++;
  });
  for (let i = 0; i < 200; i++) late.keep(i);
  assert.equal(await late.flush(), false);
  assert.deepEqual([stored, late.state.waiting], [63, 137], "the one that failed waits on");
  assert.equal(await late.flush(), false);
  assert.equal(await late.flush(), true);
  assert.equal(stored, 200);
  assert.equal(most, 64);
});
