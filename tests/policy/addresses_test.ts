import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isAllowedHost,
  isIpAddress,
  isPublicAddress,
  outgoingFault,
} from "../../policy/addresses.ts";

const PUBLIC = [
  "93.184.215.14",
  "8.8.8.8",
  "1.1.1.1",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.0",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.0",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
  "2606:2800:220:1:248:1893:25c8:1946",
  "[2606:4700::1111]",
  "2a00::",
  "2001:200::1",
  "::ffff:8.8.8.8",
  "64:ff9b::8.8.8.8",
];

const NOT_PUBLIC = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "10.255.255.255",
  "100.64.0.1",
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.8",
  "192.0.2.1",
  "192.88.99.1",
  "192.168.0.1",
  "198.18.0.1",
  "198.19.255.255",
  "198.51.100.7",
  "203.0.113.7",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "[::1]",
  "::ffff:127.0.0.1",
  "::ffff:10.0.0.1",
  "::ffff:a9fe:a9fe",
  "::127.0.0.1",
  "::ffff:0:8.8.8.8",
  "64:ff9b::10.0.0.1",
  "64:ff9b:1::8.8.8.8",
  "100::1",
  "2001::1",
  "2001:2::1",
  "2001:10::1",
  "2001:20::1",
  "2001:db8::1",
  "2002:7f00:1::1",
  "2002:808:808::1",
  "3fff::1",
  "3fff:fff::1",
  "4000::1",
  "5f00::1",
  "fc00::1",
  "fd12:3456:789a::1",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "ff02::1",
  // No addresses at all.
  "",
  "localhost",
  "8.8.8",
  "8.8.8.256",
  "08.8.8.8",
  "0x8.8.8.8",
  "8.8.8.8 ",
  "8.8.8.8:80",
  "2606:4700::1111::1",
  "[8.8.8.8]",
];

Deno.test("addresses that anybody can reach are public, one beyond each block's borders included", () => {
  for (const address of PUBLIC) assert.equal(isPublicAddress(address), true, address);
});

Deno.test("private, special and unreadable addresses are not public", () => {
  for (const address of NOT_PUBLIC) assert.equal(isPublicAddress(address), false, address);
});

Deno.test("an IPv4 address is as public inside an IPv6 one as by itself", () => {
  fc.assert(fc.property(fc.ipV4(), (address) => {
    assert.equal(isPublicAddress(`::ffff:${address}`), isPublicAddress(address));
    assert.equal(isPublicAddress(`64:ff9b::${address}`), isPublicAddress(address));
  }));
});

Deno.test("no IPv6 address outside 2000::/3 is public but those that hold an IPv4 one", () => {
  const group = (min: number, max: number) =>
    fc.integer({ min, max }).map((number) => number.toString(16));
  const address = fc.tuple(
    fc.oneof(group(0x65, 0x1fff), group(0x4000, 0xffff)),
    ...Array.from({ length: 7 }, () => group(0, 0xffff)),
  ).map((groups) => groups.join(":"));
  fc.assert(fc.property(address, (address) => assert.equal(isPublicAddress(address), false)));
});

const MESSAGES = {
  url: "expected an absolute https address",
  credentials: "expected an address without credentials",
  https: "expected an https address, or a host that the operator allows",
  private: "expected a public address, or a host that the operator allows",
};

Deno.test("an address to call is https, without credentials and not private, whatever its spelling", () => {
  const cases: [string, string | null][] = [
    ["https://hooks.example/services/T0/B0/x", null],
    ["https://hooks.example:8443/", null],
    ["https://HOOKS.example./", null],
    ["https://93.184.215.14/", null],
    ["https://[2606:4700::1111]/", null],
    ["http://hooks.example/", MESSAGES.https],
    ["ftp://hooks.example/", MESSAGES.url],
    ["file:///etc/passwd", MESSAGES.url],
    ["hooks.example", MESSAGES.url],
    ["//hooks.example/", MESSAGES.url],
    ["", MESSAGES.url],
    ["https://user@hooks.example/", MESSAGES.credentials],
    ["https://:secret@hooks.example/", MESSAGES.credentials],
    ["https://127.0.0.1/", MESSAGES.private],
    ["https://127.1/", MESSAGES.private],
    ["https://0x7f000001/", MESSAGES.private],
    ["https://2130706433/", MESSAGES.private],
    ["https://017700000001/", MESSAGES.private],
    ["https://127.0.0.1./", MESSAGES.private],
    ["https://%31%32%37.0.0.1/", MESSAGES.private],
    ["https://①②⑦.0.0.1/", MESSAGES.private],
    ["https://169.254.169.254/latest/meta-data/", MESSAGES.private],
    ["https://[::1]/", MESSAGES.private],
    ["https://[::ffff:127.0.0.1]/", MESSAGES.private],
    ["https://[0:0:0:0:0:ffff:7f00:1]/", MESSAGES.private],
    ["https://localhost/", MESSAGES.private],
    ["https://LOCALHOST./", MESSAGES.private],
    ["https://app.localhost/", MESSAGES.private],
    ["https://intranet/", MESSAGES.private],
    ["https://metadata.google.internal/", MESSAGES.private],
    ["https://printer.local/", MESSAGES.private],
    ["https://nas.home.arpa/", MESSAGES.private],
  ];
  for (const [address, fault] of cases) assert.equal(outgoingFault(address, []), fault, address);
});

Deno.test("the operator allows hosts by name and port, private ones and http included", () => {
  const cases: [string, string, boolean][] = [
    ["http://127.0.0.1:9000/", "127.0.0.1:*", true],
    ["http://127.1:9000/", "127.0.0.1:*", true],
    ["http://127.0.0.2:9000/", "127.0.0.1:*", false],
    ["https://chat.corp.example/", "chat.corp.example", true],
    ["https://chat.corp.example:443/", "chat.corp.example", true],
    ["http://chat.corp.example/", "chat.corp.example", true],
    ["https://chat.corp.example:8443/", "chat.corp.example", false],
    ["https://chat.corp.example:8443/", "chat.corp.example:8443", true],
    ["https://chat.corp.example/", "chat.corp.example:8443", false],
    ["https://chat.corp.example/", "*.corp.example", true],
    ["https://a.chat.corp.example./", "*.corp.example", true],
    ["https://corp.example/", "*.corp.example", false],
    ["https://evilcorp.example/", "*.corp.example", false],
    ["https://chat.corp.example.evil.example/", "*.corp.example", false],
    ["https://localhost:1/", "localhost:1", true],
    ["http://[::1]:8080/", "[::1]:8080", true],
    ["http://[::1]:8080/", "[0:0:0:0:0:0:0:1]:8080", true],
    ["http://[::2]:8080/", "[::1]:8080", false],
  ];
  for (const [address, pattern, allowed] of cases) {
    assert.equal(isAllowedHost(new URL(address), [pattern]), allowed, `${address} by ${pattern}`);
    if (allowed) assert.equal(outgoingFault(address, ["other.example", pattern]), null, address);
  }
  // Not even the operator's word sends passwords along.
  assert.equal(outgoingFault("http://a:b@127.0.0.1/", ["127.0.0.1"]), MESSAGES.credentials);
});

Deno.test("names and addresses are told apart", () => {
  for (const host of ["127.0.0.1", "[::1]"]) assert.equal(isIpAddress(host), true, host);
  for (const host of ["hooks.example", "1.2.3.example", "localhost"]) {
    assert.equal(isIpAddress(host), false, host);
  }
});
