import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import { request } from "node:http";
import {
  AddressRefused,
  guardedLookup,
  type Resolve,
  type ResolvedAddress,
} from "../../ecosystems/guarded_lookup.ts";

const V4 = (address: string): ResolvedAddress => ({ address, family: 4 });
const V6 = (address: string): ResolvedAddress => ({ address, family: 6 });

/** What a connection to the address would be given. */
function found(
  address: string,
  { answers, allow = [], all = true, family }: {
    answers: readonly ResolvedAddress[] | Error;
    allow?: readonly string[];
    all?: boolean;
    family?: number;
  },
): Promise<string | LookupAddress[]> {
  const resolve: Resolve = () =>
    answers instanceof Error ? Promise.reject(answers) : Promise.resolve(answers);
  const url = new URL(address);
  return new Promise((done, fail) => {
    guardedLookup(url, { allow, resolve })(url.hostname, { all, family }, (error, found) => {
      if (error) fail(error);
      else done(found);
    });
  });
}

Deno.test("a name with public addresses alone is given those", async () => {
  const answers = [V4("93.184.215.14"), V6("2606:2800:220::1")];
  assert.deepEqual(await found("https://hooks.example/", { answers }), answers);
  assert.equal(await found("https://hooks.example/", { answers, all: false }), "93.184.215.14");
  assert.deepEqual(await found("https://hooks.example/", { answers, family: 6 }), [answers[1]]);
});

Deno.test("one private address among a name's is enough to refuse it", async () => {
  for (const bad of [V4("10.0.0.1"), V4("169.254.169.254"), V6("::1"), V6("fe80::1%2")]) {
    for (const answers of [[bad], [V4("93.184.215.14"), bad], [bad, V4("93.184.215.14")]]) {
      await assert.rejects(found("https://hooks.example/", { answers }), AddressRefused);
      await assert.rejects(
        found("https://hooks.example/", { answers, all: false }),
        AddressRefused,
      );
    }
  }
});

Deno.test("a name that the operator allows may be private", async () => {
  const answers = [V4("10.0.0.1")];
  const allow = ["chat.corp.example:8080"];
  assert.deepEqual(await found("http://chat.corp.example:8080/", { answers, allow }), answers);
  await assert.rejects(found("https://chat.corp.example/", { answers, allow }), AddressRefused);
});

Deno.test("a name without an address, or that cannot be resolved, is an error", async () => {
  await assert.rejects(found("https://hooks.example/", { answers: [] }), AddressRefused);
  const answers = [V4("93.184.215.14")];
  await assert.rejects(found("https://hooks.example/", { answers, family: 6 }), AddressRefused);
  const failed = new RangeError("no such name");
  await assert.rejects(found("https://hooks.example/", { answers: failed }), RangeError);
});

Deno.test("an address that is private by itself is refused before anybody is asked", () => {
  const resolve: Resolve = () => assert.fail("asked");
  for (const address of ["https://127.0.0.1/", "https://[::1]/", "http://hooks.example/"]) {
    assert.throws(() => guardedLookup(new URL(address), { allow: [], resolve }), AddressRefused);
  }
});

Deno.test("the connection goes to the address that was checked, asked for once", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => new Response(request.headers.get("host")),
  );
  const url = new URL(`http://hooks.example:${server.addr.port}/`);
  let asked = 0;
  // A name server that rebinds: nobody may ask it a second time.
  const resolve: Resolve = (hostname) => {
    assert.equal(hostname, "hooks.example");
    return Promise.resolve([V4(asked++ === 0 ? "127.0.0.1" : "127.0.0.2")]);
  };
  const lookup = guardedLookup(url, { allow: ["hooks.example:*"], resolve });
  const answer = await new Promise<string>((done, fail) => {
    request(url, { lookup, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => text += chunk);
      response.on("end", () => done(text));
    }).on("error", fail).end();
  });
  assert.equal(answer, url.host);
  assert.equal(asked, 1);
  await server.shutdown();
});

Deno.test("a refusal at the time of use reaches who connects", async () => {
  const url = new URL("https://hooks.example/");
  const resolve: Resolve = () => Promise.resolve([V4("127.0.0.1")]);
  const lookup = guardedLookup(url, { allow: [], resolve });
  const error = await new Promise<unknown>((done) => {
    request({ hostname: url.hostname, lookup, agent: false }).on("error", done).end();
  });
  assert.ok(error instanceof AddressRefused, String(error));
});
