import assert from "node:assert/strict";
import { readForwarded, readTrust } from "../../routes/forwarded.ts";

function read(trust: string, remote: string, headers: Record<string, string>) {
  const parsed = readTrust(trust);
  assert.ok(parsed);
  const { ip, host, proto } = readForwarded(new Headers(headers), remote, parsed);
  return [ip, host, proto];
}

Deno.test("nothing is trusted unless it is set", () => {
  for (const text of [undefined, "", " "]) assert.equal(readTrust(text), null);
});

Deno.test("a number of proxies: what stands before them is the client's own word", () => {
  const chain = { "x-forwarded-for": "1.1.1.1, 2.2.2.2, 3.3.3.3" };
  assert.deepEqual(read("1", "9.9.9.9", chain), ["3.3.3.3", null, null]);
  assert.deepEqual(read("2", "9.9.9.9", chain), ["2.2.2.2", null, null]);
  assert.deepEqual(read("9", "9.9.9.9", chain), ["1.1.1.1", null, null]);
  assert.deepEqual(read("1", "9.9.9.9", {}), ["9.9.9.9", null, null]);
  const hosts = {
    "x-forwarded-host": "evil.example, packages.example",
    "x-forwarded-proto": "HTTPS",
  };
  assert.deepEqual(read("1", "9.9.9.9", hosts), ["9.9.9.9", "packages.example", "https"]);
});

Deno.test("addresses of proxies: nobody else is believed, neither next to us nor further off", () => {
  const trust = "10.0.0.0/8, fd00::/8,192.0.2.1";
  const said = { "x-forwarded-for": "6.6.6.6, 5.5.5.5, 10.1.2.3", "x-forwarded-host": "a.example" };
  assert.deepEqual(read(trust, "10.0.0.1", said), ["5.5.5.5", "a.example", null]);
  assert.deepEqual(read(trust, "fd12::1", said)[0], "5.5.5.5");
  assert.deepEqual(read(trust, "192.0.2.1", said)[0], "5.5.5.5");
  assert.deepEqual(read(trust, "192.0.2.2", said), ["192.0.2.2", null, null]);
  assert.deepEqual(read(trust, "", said), ["", null, null]);
  assert.deepEqual(
    read("10.0.0.0/8", "10.0.0.1", { "x-forwarded-for": "10.0.0.3" })[0],
    "10.0.0.3",
  );
});

Deno.test("ports and brackets are left out, and what is no address is nobody's", () => {
  const from = (value: string) => read("1", "10.0.0.1", { "x-forwarded-for": value })[0];
  assert.equal(from("192.0.2.1:4711"), "192.0.2.1");
  assert.equal(from("[2001:db8::1]:4711"), "2001:db8::1");
  assert.equal(from("2001:db8::1"), "2001:db8::1");
  for (const value of ["unknown", "_hidden", "999.1.1.1", "a, <script>", "1.2.3.4 5", "'"]) {
    assert.equal(from(value), "10.0.0.1", value);
  }
  assert.equal(read("1", "10.0.0.1", { "x-forwarded-proto": "javascript" })[2], null);
});

Deno.test("Forwarded counts where it is the proxies' way, and then X-Forwarded-For does not", () => {
  const headers = {
    "forwarded": 'for=6.6.6.6;host=evil.example, for="[2001:db8::1]:80";proto=https;host=a.example',
    "x-forwarded-for": "7.7.7.7",
  };
  assert.deepEqual(read("forwarded:1", "10.0.0.1", headers), ["2001:db8::1", "a.example", "https"]);
  assert.deepEqual(read("forwarded:10.0.0.0/8", "10.0.0.1", headers)[0], "2001:db8::1");
  assert.deepEqual(read("1", "10.0.0.1", headers), ["7.7.7.7", null, null]);
});

Deno.test("Forwarded: one element is one proxy's, and takes nothing from a client's own", () => {
  const from = (forwarded: string, trust = "forwarded:1") => read(trust, "10.0.0.1", { forwarded });
  const chain = "for=6.6.6.6;host=evil.example;proto=https, for=5.5.5.5, ";
  assert.deepEqual(from(chain), ["5.5.5.5", null, null]);
  assert.deepEqual(from(chain, "forwarded:2"), ["6.6.6.6", "evil.example", "https"]);
  assert.deepEqual(from(' For = "5.5.5.5" ; HOST="a.example:8443"'), [
    "5.5.5.5",
    "a.example:8443",
    null,
  ]);
  assert.deepEqual(from('for=6.6.6.6, for="5.5.5.5'), ["10.0.0.1", null, null]);
  assert.deepEqual(from(""), ["10.0.0.1", null, null]);
});

Deno.test("a long Forwarded is read in as many steps as it has characters", () => {
  const forwarded = `for=${" ".repeat(60_000)}x"y, for=5.5.5.5`;
  // Quadratic, this would take seconds; cubic, days.
  assert.deepEqual(read("forwarded:1", "10.0.0.1", { forwarded })[0], "5.5.5.5");
});
