/** What is asked of a registry, where, and for how long. */
import assert from "node:assert/strict";
import type { Source } from "../../ecosystems/ecosystem.ts";
import { UpstreamError } from "../../ecosystems/errors.ts";
import { Upstream } from "../../ecosystems/upstream.ts";
import { type Answer, serveRegistry, type TestServer } from "../registry/server.ts";

const LIMITS = { firstByteMs: 200, stallMs: 200, documentBytes: 1_000, fileBytes: 1_000 };
const JSON_TYPE = "application/json";

function sourceOf(server: TestServer, given: Partial<Source> = {}): Source {
  return {
    ecosystem: "npm",
    url: server.url,
    authorization: null,
    partition: "",
    fileOrigins: [],
    ...given,
  };
}

const upstream = () => new Upstream({ limits: LIMITS });
const page = (body = "{}"): Answer => ({ body, type: "Application/JSON; charset=utf-8" });
const at = (url: string) => ({ url, accept: JSON_TYPE });

/** The fault and status of what is thrown. */
async function fault(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof UpstreamError, String(error));
    return [error.fault, error.options.status].filter((part) => part !== undefined).join(" ");
  }
  throw new Error("It was answered");
}

Deno.test("a document comes with its type, its validators and its age", async () => {
  await using server = serveRegistry(() => page('{"a":1}'), { cacheControl: "public, max-age=60" });
  const answer = await upstream().document(sourceOf(server), at("x"));
  assert.ok(answer.kind === "document");
  assert.equal(new TextDecoder().decode(answer.document.bytes), '{"a":1}');
  assert.equal(answer.document.type, JSON_TYPE);
  assert.equal(answer.document.url, `${server.url}x`);
  assert.equal(answer.maxAge, 60);
  assert.match(answer.validators.etag ?? "", /^"/);
  const again = await upstream().document(sourceOf(server), at("x"), answer);
  assert.deepEqual(again, { kind: "unchanged", maxAge: 60 });
});

Deno.test("what a cache on the way held for a while is fresh for what is left", async () => {
  const ages: [age: string, left: number][] = [
    ["599", 1],
    ["600", 0],
    ["99999999999999999999", 0],
    ["-5", 600],
    ["1.5", 600],
    ["3, 4", 600],
    ["soon", 600],
  ];
  for (const [age, left] of ages) {
    const headers = { age };
    const cacheControl = "max-age=600";
    await using server = serveRegistry(() => ({ ...page(), headers }), { cacheControl });
    const answer = await upstream().document(sourceOf(server), at("x"));
    assert.ok(answer.kind === "document");
    assert.equal(answer.maxAge, left, age);
    const again = await upstream().document(sourceOf(server), at("x"), answer);
    assert.deepEqual(again, { kind: "unchanged", maxAge: left });
  }
});

Deno.test("Last-Modified stands in for a missing ETag", async () => {
  const date = "Mon, 23 Nov 2026 05:00:00 GMT";
  const headers = { "last-modified": date, "cache-control": "no-cache" };
  await using server = serveRegistry(() => ({ ...page(), headers }), { etag: false });
  const answer = await upstream().document(sourceOf(server), at("x"));
  assert.ok(answer.kind === "document");
  assert.equal(answer.maxAge, 0);
  await upstream().document(sourceOf(server), at("x"), answer);
  const asked = server.requests.map((request) => request.headers.get("if-modified-since"));
  assert.deepEqual(asked, [null, date]);
});

Deno.test("Last-Modified of the second in which the answer was sent tells nothing", async () => {
  const date = "Mon, 23 Nov 2026 05:00:01 GMT";
  const times = {
    "Mon, 23 Nov 2026 05:00:00 GMT": true,
    "Mon, 23 Nov 2026 05:00:01 GMT": false,
    "Mon, 23 Nov 2026 05:00:02 GMT": false,
    "lately": false,
  };
  for (const [time, counts] of Object.entries(times)) {
    const headers = { "last-modified": time, date };
    await using server = serveRegistry(() => ({ ...page(), headers }), { etag: false });
    const answer = await upstream().document(sourceOf(server), at("x"));
    assert.ok(answer.kind === "document");
    assert.equal(answer.validators.lastModified, counts ? time : null, time);
  }
});

Deno.test("an unasked 304 is no answer", async () => {
  await using server = serveRegistry(() => page());
  const odd = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(null, { status: 304 }),
  );
  const url = `http://127.0.0.1:${odd.addr.port}/`;
  assert.equal(await fault(upstream().document(sourceOf(server, { url }), at("x"))), "status 304");
  await odd.shutdown();
});

Deno.test("404 and 410 are a missing document and a missing file", async () => {
  await using server = serveRegistry(() => page());
  for (const status of [404, 410]) {
    server.fault(/.*/, { kind: "status", status });
    assert.equal((await upstream().document(sourceOf(server), at("x"))).kind, "missing");
    assert.equal(await upstream().file(sourceOf(server), "x"), null);
  }
});

Deno.test("any other status is a fault, with what it said of trying again", async () => {
  await using server = serveRegistry(() => page());
  server.fault(/.*/, { kind: "status", status: 503, headers: { "retry-after": "7" } });
  assert.equal(await fault(upstream().document(sourceOf(server), at("x"))), "status 503");
  assert.equal(await fault(upstream().file(sourceOf(server), "x")), "status 503");
  await assert.rejects(upstream().file(sourceOf(server), "x"), {
    options: { status: 503, retryAfter: "7" },
  });
  const passed = await upstream().pass(sourceOf(server), at("x"), { method: "GET" });
  assert.equal(passed.status, 503, "an exchange is handed on as it is");
});

Deno.test("a document or an exchange above the bound is refused while it comes", async () => {
  await using server = serveRegistry(() => page("x".repeat(1_001)));
  assert.equal(await fault(upstream().document(sourceOf(server), at("x"))), "oversized");
  assert.equal(
    await fault(upstream().pass(sourceOf(server), at("x"), { method: "GET" })),
    "oversized",
  );
  assert.equal(await fault(upstream().file(sourceOf(server), "x")), "oversized");
  await using exact = serveRegistry(() => page("x".repeat(1_000)));
  const answer = await upstream().document(sourceOf(exact), at("x"));
  assert.ok(answer.kind === "document" && answer.document.bytes.length === 1_000);
});

Deno.test("a compressed document counts by what it inflates to", async () => {
  const stream = new Blob(["x".repeat(100_000)]).stream();
  const zipped = await new Response(stream.pipeThrough(new CompressionStream("gzip"))).bytes();
  assert.ok(zipped.length < 1_000);
  await using server = serveRegistry(() => ({
    body: zipped,
    type: JSON_TYPE,
    headers: { "content-encoding": "gzip" },
  }));
  assert.equal(await fault(upstream().document(sourceOf(server), at("x"))), "oversized");
  const file = await upstream().file(sourceOf(server), "x");
  assert.equal(file?.length, null, "the length stated is not the file's");
  await file?.body.cancel();
});

Deno.test("silence before the first byte and silence within are timeouts", async () => {
  await using server = serveRegistry(() => page("x".repeat(100)));
  server.fault(/.*/, { kind: "stall" });
  assert.equal(await fault(upstream().document(sourceOf(server), at("x"))), "timeout");
  assert.equal(await fault(upstream().file(sourceOf(server), "x")), "timeout");
  server.mend();
  server.fault(/.*/, { kind: "stall_body", after: 10 });
  assert.equal(await fault(upstream().document(sourceOf(server), at("x"))), "timeout");
  const file = await upstream().file(sourceOf(server), "x");
  assert.ok(file);
  const readAll = async () => {
    while (!(await file.body.read()).done);
  };
  assert.equal(await fault(readAll()), "timeout");
});

Deno.test("a body that keeps coming is no silence, however long it takes", async () => {
  await using server = serveRegistry(() => page());
  const slow = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    let left = 6;
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 80));
          if (left-- === 0) controller.close();
          else controller.enqueue(new Uint8Array(10));
        },
      }),
    );
  });
  const url = `http://127.0.0.1:${slow.addr.port}/`;
  const answer = await upstream().document(sourceOf(server, { url }), at("x"));
  assert.ok(answer.kind === "document" && answer.document.bytes.length === 60);
  await slow.shutdown();
});

Deno.test("a client that takes its time is no silence of upstream's", async () => {
  await using server = serveRegistry(() => page("x".repeat(900)));
  const file = await upstream().file(sourceOf(server), "x");
  assert.ok(file);
  let bytes = 0;
  for (let pause = 300;; pause = 0) {
    const { done, value } = await file.body.read();
    if (done) break;
    bytes += value.length;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  assert.equal(bytes, 900);
});

Deno.test("what is asked for again has the first byte's deadline, not a body's", async () => {
  let asked = 0;
  const silent = Promise.withResolvers<Response>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => ++asked === 1 ? new Response("no", { status: 503 }) : silent.promise,
  );
  const limits = { firstByteMs: 500, stallMs: 60_000, retryMs: 1 };
  const asking = new Upstream({ limits });
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const source = { ecosystem: "npm", url, authorization: null, partition: "", fileOrigins: [] };
  assert.equal(await fault(asking.document(source, at("x"))), "timeout");
  assert.equal(asked, 2);
  silent.resolve(new Response());
  await server.shutdown();
});

Deno.test("an answer that speaks another protocol is none, and the next request is answered", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answers = [
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
  ];
  const serving = (async () => {
    for (const answer of answers) {
      const connection = await listener.accept();
      await connection.read(new Uint8Array(4_096));
      await connection.write(bytes(answer));
      // Until the other side has closed it.
      while (await connection.read(new Uint8Array(64)).catch(() => null) !== null);
      connection.close();
    }
  })();
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  const source = { ecosystem: "npm", url, authorization: null, partition: "", fileOrigins: [] };
  const limits = { firstByteMs: 30_000, retryMs: 60_000 };
  const asking = new Upstream({ limits });
  assert.equal(await fault(asking.document(source, at("x"))), "unreachable");
  assert.equal((await asking.document(source, at("x"))).kind, "document");
  await serving;
});

Deno.test("a broken connection is unreachable; so is a host that nobody listens at", async () => {
  await using server = serveRegistry(() => page("x".repeat(100)));
  server.fault(/.*/, { kind: "reset", after: 10 });
  assert.equal(await fault(upstream().document(sourceOf(server), at("x"))), "unreachable");
  const nobody = sourceOf(server, { url: "http://127.0.0.1:9/" });
  assert.equal(await fault(upstream().document(nobody, at("x"))), "unreachable");
});

Deno.test("only the source's own origin and those allowed are asked", async () => {
  await using server = serveRegistry(() => page());
  await using files = serveRegistry(() => page());
  const origin = new URL(files.url).origin;
  assert.equal(await fault(upstream().file(sourceOf(server), `${files.url}x`)), "redirect");
  const listed = await upstream().file(
    sourceOf(server, { fileOrigins: [origin] }),
    `${files.url}x`,
  );
  await listed?.body.cancel();
  const named = await upstream().file(sourceOf(server), `${files.url}x`, { origins: [origin] });
  await named?.body.cancel();
  assert.equal(files.requests.length, 2);
  const withUser = server.url.replace("http://", "http://user:password@");
  assert.equal(await fault(upstream().file(sourceOf(server), `${withUser}x`)), "redirect");
  assert.deepEqual(server.requests, []);
});

Deno.test("redirects are followed a few times, to allowed origins, without the credential elsewhere", async () => {
  await using files = serveRegistry(() => page());
  await using server = serveRegistry((_, path) => {
    const left = Number(path.slice(1));
    if (path === "/away") {
      return { status: 302, body: "", type: "", headers: { location: `${files.url}x` } };
    }
    if (left === 0) return page();
    return { status: 302, body: "", type: "", headers: { location: `/${left - 1}` } };
  });
  const source = sourceOf(server, {
    authorization: "Bearer secret",
    fileOrigins: [new URL(files.url).origin],
  });
  const answer = await upstream().document(source, at("5"));
  assert.ok(answer.kind === "document" && answer.document.url === `${server.url}0`);
  assert.equal(await fault(upstream().document(source, at("6"))), "redirect");
  await upstream().document(source, at("away"));
  assert.deepEqual(files.requests.map(({ headers }) => headers.get("authorization")), [null]);
  const sent = server.requests.map(({ headers }) => headers.get("authorization"));
  assert.deepEqual([...new Set(sent)], ["Bearer secret"]);
  for (const location of ["http://[", "http://127.0.0.2:9/", "file:///etc/passwd"]) {
    server.fault(/.*/, { kind: "redirect", location });
    assert.equal(await fault(upstream().document(source, at("x"))), "redirect", location);
  }
});

Deno.test("an exchange carries method, body and type, and nothing of the client", async () => {
  const bodies: string[] = [];
  await using server = serveRegistry(async (request) => {
    bodies.push(await request.text());
    return page("[]");
  });
  const passed = await upstream().pass(sourceOf(server), at("audit"), {
    method: "POST",
    body: new TextEncoder().encode("{}"),
    type: JSON_TYPE,
  });
  assert.deepEqual([passed.status, passed.type, bodies], [200, JSON_TYPE, ["{}"]]);
  const [{ method, headers }] = server.requests;
  assert.equal(method, "POST");
  assert.equal(headers.get("user-agent"), "package-proxy");
  assert.equal(headers.get("authorization"), null);
});
