import assert from "node:assert/strict";
import type { Source } from "../../ecosystems/ecosystem.ts";
import { UpstreamError } from "../../ecosystems/errors.ts";
import { HostSlots } from "../../ecosystems/host_slots.ts";
import { Upstream } from "../../ecosystems/upstream.ts";
import { problemOf } from "../../routes/errors.ts";
import { type Answer, serveRegistry } from "../registry/server.ts";

Deno.test("so many at once, the others in the order they came, each host for itself", async () => {
  const slots = new HostSlots({ atOnce: 2, waitMs: 5_000 });
  const order: number[] = [];
  const first = await slots.take("a.example");
  const second = await slots.take("a.example");
  const later = [3, 4, 5].map(async (number) => {
    const release = await slots.take("a.example");
    order.push(number);
    return release;
  });
  (await slots.take("b.example"))();
  await Promise.resolve();
  assert.deepEqual(order, []);
  first();
  (await later[0])();
  assert.deepEqual(order, [3]);
  (await later[1])();
  second();
  (await later[2])();
  assert.deepEqual(order, [3, 4, 5]);
  const again = await Promise.all([slots.take("a.example"), slots.take("a.example")]);
  again.forEach((release) => release());
});

Deno.test("who waits too long is told when to come back, and takes nobody's turn", async () => {
  const slots = new HostSlots({ atOnce: 1, waitMs: 20 });
  const release = await slots.take("a.example");
  await assert.rejects(slots.take("a.example"), (error) => {
    assert.ok(error instanceof UpstreamError);
    const { status, code, headers } = problemOf(error);
    assert.deepEqual([status, code, headers], [503, "upstream_busy", { "retry-after": "5" }]);
    return true;
  });
  release();
  (await slots.take("a.example"))();
});

function held() {
  const waiting: (() => void)[] = [];
  let now = 0;
  let most = 0;
  return {
    most: () => most,
    letGo: () => waiting.splice(0).forEach((go) => go()),
    async answer(): Promise<Answer> {
      most = Math.max(most, ++now);
      await new Promise<void>((resolve) => waiting.push(resolve));
      now--;
      return { body: "{}", type: "application/json" };
    },
  };
}

function sourceOf(url: string): Source {
  return { ecosystem: "npm", url, authorization: null, partition: "", fileOrigins: [] };
}

Deno.test("one upstream is asked for no more documents and files at once than it should be", async () => {
  const gate = held();
  await using server = serveRegistry(() => gate.answer());
  const limits = { documentsAtOnce: 3, filesAtOnce: 2, queueMs: 5_000 };
  const upstream = new Upstream({ limits });
  const source = sourceOf(server.url);
  const work = Array.from(
    { length: 10 },
    (_, i) => upstream.document(source, { url: `d${i}`, accept: "*/*" }),
  );
  for (let answered = 0; answered < 10; answered = server.requests.length) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    gate.letGo();
  }
  const letGo = setInterval(gate.letGo, 10);
  await Promise.all(work);
  assert.equal(gate.most(), 3);
  // A file has its slot until its last byte, or until nobody wants it.
  const bodies = await Promise.all(
    ["a", "b"].map((name) => upstream.file(source, `${server.url}${name}`)),
  );
  const third = upstream.file(source, `${server.url}c`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(!server.requests.some(({ path }) => path.endsWith("c")));
  await bodies[0]?.body.cancel();
  await (await third)?.body.cancel();
  await bodies[1]?.body.cancel();
  clearInterval(letGo);
});

Deno.test("a file that nobody reads on keeps nobody waiting for longer than the deadline", async () => {
  await using server = serveRegistry(() => ({ body: "x".repeat(1_000_000), type: "a/b" }));
  const limits = { filesAtOnce: 1, queueMs: 5_000, firstByteMs: 500, stallMs: 500, clientMs: 600 };
  const upstream = new Upstream({ limits });
  const source = sourceOf(server.url);
  const left = await upstream.file(source, `${server.url}a`);
  await left?.body.read();
  const next = await upstream.file(source, `${server.url}b`);
  await next?.body.cancel();
  await new Promise((resolve) => setTimeout(resolve, 200));
  await assert.rejects(async () => {
    while (!(await left?.body.read())?.done);
  }, { fault: "client" });
});

Deno.test("a file that nobody looks at keeps nobody waiting for ever either", async () => {
  await using server = serveRegistry(() => ({ body: "x".repeat(1_000), type: "a/b" }));
  const upstream = new Upstream({ limits: { filesAtOnce: 1, queueMs: 5_000, handOverMs: 50 } });
  const source = sourceOf(server.url);
  const { promise, resolve } = Promise.withResolvers<void>();
  const file = await upstream.file(source, `${server.url}a`);
  const text = new Response(file?.untouched(promise)).text();
  await (await upstream.file(source, `${server.url}b`))?.body.cancel();
  assert.equal((await text).length, 1_000);
  resolve();
});

Deno.test("a file that nobody looks at has its slot until it is sent, or the client has gone", async () => {
  await using server = serveRegistry(() => ({ body: "x".repeat(1_000), type: "a/b" }));
  const upstream = new Upstream({ limits: { filesAtOnce: 1, queueMs: 5_000 } });
  const source = sourceOf(server.url);
  for (const isSent of [true, false]) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const file = await upstream.file(source, `${server.url}a`);
    const text = new Response(file?.untouched(promise)).text();
    let came = false;
    const next = upstream.file(source, `${server.url}b`).finally(() => came = true);
    assert.equal((await text).length, 1_000);
    assert.equal(came, false);
    if (isSent) resolve();
    else reject(new TypeError("gone"));
    await (await next)?.body.cancel();
  }
});

Deno.test("a file of a length that is not stated is looked at, since it has a bound", async () => {
  const pieces = () => ReadableStream.from(Array.from({ length: 9 }, () => new Uint8Array(1_000)));
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(pieces()),
  );
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const upstream = new Upstream({ limits: { fileBytes: 4_000 } });
  const file = await upstream.file(sourceOf(url), `${url}a`);
  const body = new Response(file?.untouched(Promise.resolve())).bytes();
  await assert.rejects(body, { fault: "oversized" });
  await server.shutdown();
});
