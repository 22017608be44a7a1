/** What is held of upstream: under which name, how often it is asked for, and when it is looked at again. */
import assert from "node:assert/strict";
import { testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";

Deno.test("a crate's index is one document, however its name is written", async () => {
  await using registry = startCargoRegistry({ cacheControl: "max-age=600" });
  const { crate } = registry.publish({ name: "Inflector", version: "1.0.0" });
  await using proxy = await testProxy({ upstreams: { cargo: registry.url } });
  for (const path of ["in/fl/inflector", "in/fl/Inflector", "IN/FL/INFLECTOR"]) {
    const index = await proxy.fetch(`/cargo/${path}`);
    assert.equal(JSON.parse(await index.text()).name, "Inflector");
  }
  const file = await proxy.fetch("/cargo/crates/Inflector/1.0.0/download");
  assert.deepEqual(await file.bytes(), crate);
  await (await proxy.fetch("/why/pkg:cargo/INFLECTOR")).text();
  const indexes = registry.requests.filter(({ path }) => path === "/in/fl/inflector");
  assert.equal(indexes.length, 1);
});

Deno.test("crates that are told apart by `-` and `_` at upstream have an index each", async () => {
  await using registry = startCargoRegistry({ cacheControl: "max-age=600" });
  registry.publish({ name: "a-crate", version: "1.0.0" });
  await using proxy = await testProxy({ upstreams: { cargo: registry.url } });
  for (const [path, status] of [["a-/cr/a-crate", 200], ["a_/cr/a_crate", 404]] as const) {
    const index = await proxy.fetch(`/cargo/${path}`);
    await index.text();
    assert.equal(index.status, status, path);
  }
});
