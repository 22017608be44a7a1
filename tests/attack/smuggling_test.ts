/** Bodies and heads that two servers in a row would read differently: one answer at most, or none. */
import assert from "node:assert/strict";
import { ask, send } from "./wire.ts";
import { attackWorld } from "./world.ts";

const HIDDEN = "GET /npm/left HTTP/1.1\r\nHost: hidden.example\r\n\r\n";
const POST = "POST /check HTTP/1.1\r\nHost: proxy.example\r\n";

/** Each ends in a request that a careless reader would take for a second one. */
const SMUGGLING: Readonly<Record<string, string>> = {
  "Content-Length before Transfer-Encoding":
    `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "Transfer-Encoding before Content-Length":
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: ${
      5 + HIDDEN.length
    }\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "two Content-Lengths":
    `${POST}Content-Length: 0\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  "a list of Content-Lengths": `${POST}Content-Length: 0, ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  "a Content-Length with a sign": `${POST}Content-Length: +0\r\n\r\n${HIDDEN}`,
  "a negative Content-Length": `${POST}Content-Length: -1\r\n\r\n${HIDDEN}`,
  "a Content-Length in hex": `${POST}Content-Length: 0x0\r\n\r\n${HIDDEN}`,
  "a Content-Length beyond any number":
    `${POST}Content-Length: 18446744073709551616\r\n\r\n${HIDDEN}`,
  "Transfer-Encoding with a space before the colon":
    `${POST}Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n${HIDDEN}`,
  "an unknown Transfer-Encoding": `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "chunked that is not the last coding":
    `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "a folded Transfer-Encoding":
    `${POST}Transfer-Encoding:\r\n chunked\r\nContent-Length: 0\r\n\r\n${HIDDEN}`,
  "a folded header": `${POST}X-One: a\r\n Content-Length: 0\r\n\r\n${HIDDEN}`,
  "a chunk size beyond any number":
    `${POST}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n0\r\n\r\n${HIDDEN}`,
  "a negative chunk size": `${POST}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n${HIDDEN}`,
  "a chunk longer than its size":
    `${POST}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
  "a line end within a chunk's extension":
    `${POST}Transfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n${HIDDEN}`,
  "a bare CR in a header": `${POST}X-One: a\rTransfer-Encoding: chunked\r\n\r\n${HIDDEN}`,
  "a NUL in a header": `${POST}X-One: a\0b\r\n\r\n${HIDDEN}`,
  "a NUL in a name": `${POST}X\0One: a\r\n\r\n${HIDDEN}`,
  "a header without a colon": `${POST}Nonsense\r\n\r\n${HIDDEN}`,
  "a header without a name": `${POST}: a\r\n\r\n${HIDDEN}`,
  "a request line of HTTP/1.1 with two spaces":
    `POST  /check HTTP/1.1\r\nHost: proxy.example\r\n\r\n${HIDDEN}`,
  "a version that there is not": `POST /check HTTP/9.9\r\nHost: proxy.example\r\n\r\n${HIDDEN}`,
  "HTTP/0.9": `GET /npm/left\r\n${HIDDEN}`,
};

Deno.test("a body whose end is in doubt is never answered twice", async (t) => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  for (const [what, request] of Object.entries(SMUGGLING)) {
    await t.step(what, async () => {
      const { statuses, text } = await send(base, request);
      assert.ok(statuses.length <= 1, `${what}: ${text}`);
      assert.ok(!text.includes("hidden.example"), text);
      assert.ok(statuses.every((status) => status >= 400), text);
    });
  }
});

Deno.test("what is sound is answered as often as it was asked", async () => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  const chunked = `${POST}Transfer-Encoding: chunked\r\n\r\n` +
    `c;name="value"\r\npkg:npm/left\r\n0\r\nTrailer: x\r\n\r\n`;
  const { statuses, text } = await send(base, `${chunked}${HIDDEN}${HIDDEN}`);
  assert.deepEqual(statuses, [200, 200, 200], text);
});

Deno.test("a request without one plain Host is answered by no other", async (t) => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  const heads: Record<string, string[]> = {
    "two hosts": ["Host: proxy.example", "Host: evil.example"],
    "the same twice": ["Host: proxy.example", "Host: proxy.example"],
    "a list": ["Host: proxy.example, evil.example"],
    "a path": ["Host: evil.example/x"],
    "user information": ["Host: proxy.example@evil.example"],
    "a space": ["Host: evil example"],
    "a quote": ['Host: "evil.example"'],
    "markup": ["Host: <script>alert(1)</script>"],
    "a port that is none": ["Host: evil.example:x"],
    "a query": ["Host: evil.example?x"],
    "a fragment": ["Host: evil.example#x"],
    "a backslash": ["Host: proxy.example\\@evil.example"],
    "letters beyond ASCII": ["Host: \xe9vil.example"],
    "an encoded letter": ["Host: %65vil.example"],
  };
  for (const [what, headers] of Object.entries(heads)) {
    for (const path of ["/setup", "/npm/left"]) {
      await t.step(`${what}: ${path}`, async () => {
        const { statuses, text } = await ask(base, `GET ${path} HTTP/1.1`, headers);
        assert.ok(statuses.length <= 1, text);
        const [status = 400] = statuses;
        // Of two that are given the first counts; no answer repeats one that is none.
        assert.ok(status === 400 || (status === 200 && !/evil|<script>alert/i.test(text)), text);
      });
    }
  }
  // Whatever they were, the next one gets its own.
  const { text } = await ask(base, "GET /npm/left HTTP/1.1");
  assert.ok(text.includes("http://proxy.example/npm/left/-/left-1.0.0.tgz"), text);
});

Deno.test("heads without end, and thousands of headers, are cut off", async () => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  const many = Array.from({ length: 5_000 }, (_, i) => `X-${i}: ${"a".repeat(50)}`);
  for (
    const [line, headers] of [
      [`GET /${"a".repeat(100_000)} HTTP/1.1`, []],
      ["GET /npm/left HTTP/1.1", [`X-One: ${"a".repeat(2_000_000)}`]],
      ["GET /npm/left HTTP/1.1", many],
    ] as const
  ) {
    const { statuses } = await ask(base, line, headers);
    assert.ok(statuses.length <= 1 && statuses.every((status) => status >= 400), `${statuses}`);
  }
  assert.deepEqual((await ask(base, "GET /npm/left HTTP/1.1")).statuses, [200]);
});

Deno.test("no absolute, authority or asterisk target makes the proxy ask anybody, or act for another org", async () => {
  await using it = await attackWorld({ settings: { publicUrl: "https://packages.example" } });
  const base = it.proxy.listen();
  const before = new Set(it.asked());
  for (
    const line of [
      "CONNECT 127.0.0.1:22 HTTP/1.1",
      "CONNECT proxy.example:443 HTTP/1.1",
      "OPTIONS * HTTP/1.1",
      "GET * HTTP/1.1",
      "TRACE /npm/left HTTP/1.1",
      "GET ftp://evil.example/npm/left HTTP/1.1",
      "GET file:///etc/passwd HTTP/1.1",
      "GET http:///npm/left HTTP/1.1",
      "GET http://user:secret@evil.example/ HTTP/1.1",
      "GET http://evil.example:99999/ HTTP/1.1",
      "GET evil.example:443 HTTP/1.1",
      "GET ?x HTTP/1.1",
      "GET npm/left HTTP/1.1",
    ]
  ) {
    const { statuses, text } = await ask(base, line);
    assert.ok(statuses.length <= 1, `${line} ${text}`);
    assert.ok(!/evil\.example|root:|secret/.test(text), `${line} ${text}`);
  }
  // What has a path of ours may be answered, as ours.
  const asked = it.asked().filter((each) => !before.has(each));
  assert.deepEqual([...new Set(asked)], ["GET /left"]);
  // With PUBLIC_URL no address in an answer is what the request line says.
  const { text } = await ask(base, "GET http://evil.example/npm/left HTTP/1.1");
  assert.ok(!text.includes("evil.example"), text);
});
