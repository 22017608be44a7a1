import assert from "node:assert/strict";
import type { Source } from "../../ecosystems/ecosystem.ts";
import { secondAttemptIn } from "../../ecosystems/second_attempt.ts";
import { Upstream } from "../../ecosystems/upstream.ts";
import { serveRegistry } from "../registry/server.ts";

const OPTIONS = { retryMs: 200, jitter: 0.5 };
const failed = { method: "GET", began: false, answer: null, leftMs: 10_000 };

function answered(status: number, retryAfter?: string) {
  const headers = new Headers(retryAfter === undefined ? {} : { "retry-after": retryAfter });
  return { ...failed, began: true, answer: { status, headers } };
}

Deno.test("once more: where the connection broke before the answer began", () => {
  assert.equal(secondAttemptIn(failed, OPTIONS), 200);
  assert.equal(secondAttemptIn(failed, { ...OPTIONS, jitter: 0 }), 100);
  assert.equal(secondAttemptIn(failed, { ...OPTIONS, jitter: 1 }), 300);
  assert.equal(secondAttemptIn({ ...failed, began: true }, OPTIONS), null);
  assert.equal(secondAttemptIn({ ...failed, method: "POST" }, OPTIONS), null);
  assert.equal(secondAttemptIn({ ...failed, leftMs: 300 }, OPTIONS), null);
});

Deno.test("once more: after 429, 502, 503 and 504, as soon as upstream allows", () => {
  for (const status of [429, 502, 503, 504]) {
    assert.equal(secondAttemptIn(answered(status), OPTIONS), 200, `${status}`);
    assert.equal(secondAttemptIn(answered(status, "2"), OPTIONS), 2_200);
    assert.equal(secondAttemptIn(answered(status, "0"), OPTIONS), 200);
    for (const late of ["4", "3600", "Mon, 23 Nov 2026 05:00:00 GMT", "soon", "-1"]) {
      assert.equal(secondAttemptIn(answered(status, late), OPTIONS), null, late);
    }
  }
  for (const status of [200, 301, 400, 401, 403, 404, 500, 501]) {
    assert.equal(secondAttemptIn(answered(status), OPTIONS), null, `${status}`);
  }
});

function sourceOf(url: string): Source {
  return { ecosystem: "npm", url, authorization: null, partition: "", fileOrigins: [] };
}

Deno.test("an upstream that stumbles once is asked twice, for documents and files, and never for a POST", async () => {
  let stumbles = 0;
  await using server = serveRegistry(() => {
    if (stumbles-- > 0) return { body: "", type: "text/plain", status: 503 };
    return { body: "{}", type: "application/json" };
  });
  const upstream = new Upstream({ limits: { retryMs: 10 }, random: () => 0 });
  const source = sourceOf(server.url);
  const address = { url: "x", accept: "*/*" };
  stumbles = 1;
  assert.equal((await upstream.document(source, address)).kind, "document");
  stumbles = 1;
  const file = await upstream.file(source, `${server.url}x`);
  assert.notEqual(file, null);
  await file?.body.cancel();
  stumbles = 2;
  await assert.rejects(upstream.document(source, address), { fault: "status" });
  assert.equal(server.requests.length, 6);
  stumbles = 1;
  assert.equal((await upstream.pass(source, address, { method: "POST" })).status, 503);
  assert.equal(server.requests.length, 7);
});

Deno.test("a connection that breaks before the answer is made once more", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let connections = 0;
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4096));
      if (++connections % 2 === 0) {
        const text =
          "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
        await connection.write(new TextEncoder().encode(text));
      }
      connection.close();
    }
  })();
  const upstream = new Upstream({ limits: { retryMs: 10 } });
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  assert.equal(
    (await upstream.document(sourceOf(url), { url: "x", accept: "*/*" })).kind,
    "document",
  );
  const file = await upstream.file(sourceOf(url), `${url}x`);
  assert.equal((await file?.body.read())?.value?.length, 2);
  assert.equal((await file?.body.read())?.done, true);
  assert.equal(connections, 4);
  listener.close();
  await serving;
});
