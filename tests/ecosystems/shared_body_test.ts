/** One body in many answers, whether the runtime's clones share it or not. */
import assert from "node:assert/strict";
import { clonesShare, SharedBodies, SharedBody } from "../../ecosystems/shared_body.ts";

const BYTES = crypto.getRandomValues(new Uint8Array(50_000));
const HEADERS = { "content-type": "a/b", "etag": '"x"', "content-length": "50000" };

for (const clones of [true, false]) {
  const kind = clones ? "clones" : "copies";

  Deno.test(`${kind}: every answer is whole, with its own headers`, async () => {
    const body = new SharedBody(BYTES, { clones });
    assert.equal(body.length, BYTES.length);
    const make = body.template(HEADERS);
    const [first, second] = [make(), make()];
    const other = body.respond({ "content-type": "c/d" });
    second.headers.set("etag", '"y"');
    assert.deepEqual(Object.fromEntries(first.headers), HEADERS);
    assert.deepEqual(Object.fromEntries(make().headers), HEADERS);
    assert.deepEqual(Object.fromEntries(other.headers), { "content-type": "c/d" });
    for (const response of [second, first, other, make(), body.respond({})]) {
      assert.equal(response.status, 200);
      assert.deepEqual(await response.bytes(), BYTES);
    }
  });

  Deno.test(`${kind}: a reader who goes away takes nothing from the next one`, async () => {
    const make = new SharedBody(BYTES, { clones }).template(HEADERS);
    await make().body?.cancel();
    const reader = make().body?.getReader();
    await reader?.read();
    await reader?.cancel();
    assert.deepEqual(await make().bytes(), BYTES);
  });

  Deno.test(`${kind}: answers over a port are the same each time`, async () => {
    const make = new SharedBody(BYTES, { clones }).template(HEADERS);
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => make());
    const url = `http://127.0.0.1:${server.addr.port}/`;
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all([fetch(url), fetch(url), fetch(url, { method: "HEAD" })]);
      const [first, second, head] = await Promise.all(answers.map((one) => one.bytes()));
      assert.deepEqual(first, BYTES);
      assert.deepEqual(second, BYTES);
      assert.equal(head.length, 0);
      assert.equal(answers[0].headers.get("etag"), '"x"');
    }
    await server.shutdown();
  });
}

Deno.test("this runtime's clones share their bytes, and it is found out before the first answer", async () => {
  assert.equal(await clonesShare(), true);
  const bodies = new SharedBodies();
  await new Promise((resolve) => setTimeout(resolve, 0));
  const changed = new Uint8Array([1]);
  const body = bodies.of(changed);
  changed[0] = 2;
  assert.deepEqual(await body.respond({}).bytes(), new Uint8Array([1]));
  const copying = new SharedBody(changed, { clones: false });
  changed[0] = 3;
  assert.deepEqual(await copying.respond({}).bytes(), new Uint8Array([2]));
});
