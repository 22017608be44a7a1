/** How long what upstream said is used, and what is used when it says nothing. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { Source } from "../../ecosystems/ecosystem.ts";
import { InvalidMetadata, UpstreamError } from "../../ecosystems/errors.ts";
import { RevalidatedCache, type Wanted } from "../../ecosystems/revalidated.ts";
import { Upstream } from "../../ecosystems/upstream.ts";
import { serveRegistry, type ServerOptions } from "../registry/server.ts";

interface Content {
  text: string;
  /** The header that the text comes gzipped behind; absent: it comes as it is. */
  gzip?: Uint8Array;
}

function packed({ text, gzip }: Content) {
  if (gzip === undefined) return { body: text };
  const deflated = gzipSync(text).subarray(10);
  return {
    body: Uint8Array.from([...gzip, ...deflated]),
    headers: { "content-encoding": "gzip" },
  };
}

/** One document, its cache and a clock. */
function setting(
  options: ServerOptions & { bytes?: number; headers?: Record<string, string> } = {},
) {
  const content: Content = { text: "one" };
  const clock = { now: 1_000_000_000 };
  let made = 0;
  const server = serveRegistry(
    () => {
      const { body, headers } = packed(content);
      return { body, type: "text/plain", headers: { ...options.headers, ...headers } };
    },
    options,
  );
  const cache = new RevalidatedCache(new Upstream(), {
    now: () => clock.now,
    bytes: options.bytes ?? 1_000_000,
  });
  const source: Source = {
    ecosystem: "npm",
    url: server.url,
    authorization: null,
    partition: "",
    fileOrigins: [],
  };
  const wanted = (given: Partial<Wanted<string>>): Wanted<string> => ({
    key: "document",
    source,
    address: () => ({ url: "document", accept: "text/plain" }),
    graceMs: 0,
    make(document) {
      made++;
      const text = new TextDecoder().decode(document.bytes);
      if (text === "nonsense") throw new InvalidMetadata("Cannot read it");
      return text;
    },
    weigh: (text) => text.length,
    ...given,
  });
  return {
    content,
    clock,
    server,
    load: async (given: Partial<Wanted<string>> = {}) => await cache.load(wanted(given)),
    /** What `forms` holds for the id, else the value, which goes there in capitals. */
    async shout(forms: Map<string, string>) {
      const found = await cache.loadUnlessMade(wanted({}), (id) => forms.get(id));
      if (found?.made === undefined && found !== null) {
        forms.set(found.id, found.value.toUpperCase());
      }
      return found?.made ?? found?.value;
    },
    whole: () => server.requests.filter(({ headers }) => !headers.has("if-none-match")).length,
    made: () => made,
    asked: () => server.requests.length,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

Deno.test("an unchanged document is asked for again, and not read again", async () => {
  await using it = setting();
  for (let i = 0; i < 3; i++) assert.equal((await it.load())?.value, "one");
  assert.deepEqual([it.asked(), it.made()], [3, 1]);
  it.content.text = "two";
  assert.equal((await it.load())?.value, "two");
  assert.equal(it.made(), 2);
});

Deno.test("without validators, equal bytes are the same content", async () => {
  await using it = setting({ etag: false });
  const first = await it.load();
  const second = await it.load();
  assert.deepEqual(second, first);
  assert.deepEqual([it.asked(), it.made()], [2, 1]);
});

Deno.test("without validators, the time and name in a gzip are no content", async () => {
  const header = (flags: number, time: number, name = "") =>
    Uint8Array.from([0x1f, 0x8b, 8, flags, time, 0, 0, 0, 0, 3, ...new TextEncoder().encode(name)]);
  const alike = [
    [header(0, 1), header(0, 2)],
    [header(8, 1, "a\0"), header(8, 2, "other\0")],
  ];
  for (const [one, another] of alike) {
    await using it = setting({ etag: false });
    it.content.gzip = one;
    const first = await it.load();
    it.content.gzip = another;
    assert.deepEqual(await it.load(), first);
    assert.deepEqual([it.asked(), it.made()], [2, 1]);
    it.content.text = "two";
    assert.equal((await it.load())?.value, "two");
  }
});

for (const etag of ['W/"always"', "", '""', "always", '"always']) {
  Deno.test(`a validator that is weak or none stands for no content: ${etag}`, async () => {
    await using it = setting({ etag: false, headers: { etag } });
    const first = await it.load();
    it.content.text = "two";
    const second = await it.load();
    assert.equal(second?.value, "two");
    assert.notEqual(second?.id, first?.id);
  });
}

const RENEWED = {
  "if-none-match": ["etag", ['W/"one"', 'W/"two"', 'W/"two"']],
  "if-modified-since": ["last-modified", [
    "Mon, 23 Nov 2026 05:00:00 GMT",
    "Mon, 23 Nov 2026 06:00:00 GMT",
    "Mon, 23 Nov 2026 06:00:00 GMT",
  ]],
} as const;

for (const [condition, [name, validators]] of Object.entries(RENEWED)) {
  Deno.test(`the same content with another ${name} is asked for by that from then on`, async () => {
    const headers: Record<string, string> = {};
    await using it = setting({ etag: false, headers });
    for (const validator of validators) {
      headers[name] = validator;
      await it.load();
    }
    const asked = it.server.requests.map((request) => request.headers.get(condition));
    assert.deepEqual(asked, [null, validators[0], validators[1]]);
    assert.equal(it.made(), 1);
  });
}

Deno.test("it is used for as long as upstream allows, five minutes at most, else for the grace", async () => {
  await using it = setting({ cacheControl: "max-age=60" });
  await it.load();
  it.clock.now += 59_999;
  await it.load();
  assert.equal(it.asked(), 1);
  it.clock.now += 1;
  await it.load();
  assert.equal(it.asked(), 2);
  await using long = setting({ cacheControl: "max-age=86400" });
  await long.load();
  long.clock.now += 299_999;
  await long.load();
  assert.equal(long.asked(), 1);
  long.clock.now += 1;
  await long.load();
  assert.equal(long.asked(), 2);
  await using silent = setting();
  await silent.load();
  silent.clock.now += 29_999;
  await silent.load({ graceMs: 30_000 });
  assert.equal(silent.asked(), 1);
  silent.clock.now += 1;
  await silent.load({ graceMs: 30_000 });
  assert.equal(silent.asked(), 2);
});

Deno.test("many askers at once share one request, and its failure", async () => {
  await using it = setting();
  const all = await Promise.all(Array.from({ length: 20 }, () => it.load()));
  assert.deepEqual([it.asked(), new Set(all.map((kept) => kept?.value)).size], [1, 1]);
  await using failing = setting();
  failing.server.fault(/.*/, { kind: "status", status: 500 });
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => failing.load()));
  assert.ok(results.every(({ status }) => status === "rejected"));
  assert.equal(failing.asked(), 1);
  failing.server.mend();
  assert.equal((await failing.load())?.value, "one", "a failure is not kept");
});

Deno.test("while upstream fails the last good value is used, asked for again every five seconds, for a day", async () => {
  await using it = setting();
  await it.load();
  it.server.fault(/.*/, { kind: "status", status: 500 });
  it.clock.now += 1_000;
  assert.deepEqual([(await it.load())?.value, (await it.load())?.staleMs], ["one", 1_000]);
  assert.equal(it.asked(), 2);
  it.clock.now += 5_000;
  assert.equal((await it.load())?.staleMs, 6_000);
  assert.equal(it.asked(), 3);
  it.clock.now += 24 * 3600_000;
  await assert.rejects(it.load(), UpstreamError);
  it.server.mend();
  assert.equal((await it.load())?.staleMs, null);
});

Deno.test("nonsense is upstream failing; what is no fault of upstream's is thrown", async () => {
  await using it = setting();
  await it.load();
  it.content.text = "nonsense";
  const stale = await it.load();
  assert.deepEqual([stale?.value, stale?.staleMs], ["one", 0]);
  await using broken = setting();
  await broken.load();
  broken.content.text = "two";
  const make = () => {
    throw new RangeError("a mistake");
  };
  await assert.rejects(broken.load({ make }), RangeError);
});

Deno.test("a document that is gone stays gone while upstream fails", async () => {
  await using it = setting();
  await it.load();
  it.server.fault(/.*/, { kind: "status", status: 404 });
  assert.equal(await it.load(), null);
  it.server.fault(/.*/, { kind: "status", status: 500 });
  await assert.rejects(it.load(), UpstreamError);
});

for (const status of [401, 403, 451]) {
  Deno.test(`what upstream denies (${status}) is not given any longer, nor while it fails later`, async () => {
    await using it = setting();
    await it.load();
    it.server.fault(/.*/, { kind: "status", status });
    await assert.rejects(it.load({ graceMs: 0 }), UpstreamError);
    it.server.fault(/.*/, { kind: "status", status: 500 });
    await assert.rejects(it.load({ graceMs: 30_000 }), UpstreamError);
  });
}

Deno.test("a provisional value is made anew after a minute, though upstream did not change", async () => {
  await using it = setting();
  const isProvisional = () => true;
  await it.load({ isProvisional });
  it.clock.now += 59_999;
  await it.load({ isProvisional });
  assert.equal(it.made(), 1);
  it.clock.now += 1;
  await it.load({ isProvisional });
  assert.equal(it.made(), 2);
});

Deno.test("what does not fit the bound is given and not kept", async () => {
  await using it = setting({ bytes: 10, cacheControl: "max-age=60" });
  it.content.text = "more than ten bytes";
  assert.equal((await it.load())?.value, it.content.text);
  assert.equal((await it.load())?.value, it.content.text);
  assert.equal(it.asked(), 2);
});

/** Room for what stands for a value, and not for the value. */
const LARGE = { bytes: 600, text: "x".repeat(700) };

Deno.test("what is too large to be held is asked for conditionally where something was made of it", async () => {
  await using it = setting({ bytes: LARGE.bytes });
  it.content.text = LARGE.text;
  const forms = new Map<string, string>();
  const other = new Map<string, string>();
  assert.equal(await it.shout(forms), LARGE.text);
  assert.equal(await it.shout(forms), LARGE.text.toUpperCase());
  assert.deepEqual([it.asked(), it.whole()], [2, 1]);
  assert.equal(await it.shout(other), LARGE.text, "what nothing was made of is asked for whole");
  assert.equal((await it.load())?.value, LARGE.text);
  assert.deepEqual([it.asked(), it.whole()], [4, 3]);
  it.content.text = `${LARGE.text}!`;
  assert.equal(await it.shout(forms), it.content.text);
  assert.equal(forms.size, 2);
});

Deno.test("askers at once who need it whole and who do not are both served", async () => {
  await using it = setting({ bytes: LARGE.bytes });
  it.content.text = LARGE.text;
  const forms = new Map<string, string>();
  await it.shout(forms);
  const [made, whole, loaded] = await Promise.all([
    it.shout(forms),
    it.shout(new Map()),
    it.load(),
  ]);
  assert.deepEqual([made, whole, loaded?.value], [
    LARGE.text.toUpperCase(),
    LARGE.text,
    LARGE.text,
  ]);
  assert.deepEqual([it.asked(), it.whole()], [3, 2]);
});

Deno.test("while upstream fails, what was made of something too large is used, and nothing in its place", async () => {
  await using it = setting({ bytes: LARGE.bytes });
  it.content.text = LARGE.text;
  const forms = new Map<string, string>();
  await it.shout(forms);
  it.server.fault(/.*/, { kind: "status", status: 500 });
  assert.equal(await it.shout(forms), LARGE.text.toUpperCase());
  await assert.rejects(it.shout(new Map()), UpstreamError);
  await assert.rejects(it.load(), UpstreamError);
});
