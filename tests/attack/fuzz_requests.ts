/** Requests as strangers might send them: mostly near to what there is, and then one thing is off. */
import fc from "fast-check";
import { aims, bodies } from "./fuzz_bodies.ts";
import { type AttackWorld, NEST_PATHS, SECRET_PATHS } from "./world.ts";

export interface Shot {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** What goes into names, segments and values to see whether anybody falls for it. */
const NASTY = [
  "..",
  "%2e%2e",
  "%252e%252e%252f",
  "..%2f..%2f",
  "..%5c",
  "%c0%ae%c0%ae",
  "%00",
  "%0d%0aX-Evil:%201",
  ";",
  "%ff",
  "%",
  "//",
  "\\",
  "@",
  "*",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "null",
  "NaN",
  "-1",
  "99999999999999999999",
  "<script>alert(1)</script>",
  "%3Cimg%20src=x%3E",
  "'\"`${7*7}",
  "{{7*7}}",
  "\u202e",
  "ｌeft",
  "é",
  "e\u0301",
  "http://127.0.0.1:9/",
  "pkg:npm/left",
  "pp_",
  "a".repeat(300),
];
const nasty = fc.constantFrom(...NASTY);
const short = fc.string({ maxLength: 12 });

const PREFIXES = [
  "",
  "/o-acme",
  "/o-acme/u-eve",
  "/o-vault",
  "/o-vault/u-keeper",
  "/o-nest",
  "/o-default",
  "/o-nobody",
  "/before/2026-01-01",
  "/o-vault/before/2099-01-01",
];
const ODD_PREFIXES = [
  "/o-ACME",
  "/o-",
  "/o-vault%2f",
  "/o-%76ault",
  "/before/x",
  "//o-vault",
  "/o-vault;",
];

const PACKAGES = [
  "left",
  "@acme/tool",
  "@acme%2ftool",
  "@vault/tool",
  "@vault%2Ftool",
  "@nest/egg",
  "Demo.Tool",
  "demo-tool",
  "demo",
  "vault-tool",
  "vault_tool",
];
const VERSIONS = ["1.0.0", "1.1.0", "2.0.0", "3.0.0", "1.0", "latest", "__proto__", "1.0.0%2bx"];

const REGISTRY_PATHS = [
  "/",
  "/npm/",
  "/npm/NAME",
  "/NAME",
  "/npm/NAME/VERSION",
  "/npm/NAME/-/NAME-VERSION.tgz",
  "/npm/left/-/left-1.0.0.tgz",
  "/npm/-/package/NAME/dist-tags",
  "/npm/-/ping",
  "/npm/-/v1/search?text=NAME",
  "/npm/-/npm/v1/security/advisories/bulk",
  "/npm/-/npm/v1/security/audits/quick",
  "/npm/-/npm/v1/attestations/NAME@VERSION",
  "/npm/-/user/org.couchdb.user:NAME",
  "/npmfiles/NAME/-/NAME-VERSION.tgz",
  "/pypi/simple/",
  "/pypi/simple/NAME/",
  "/pypi/simple/NAME",
  "/pypi/NAME/json",
  "/pypi/NAME/VERSION/json",
  "/pypi/packages/aa/bb/cc/NAME-VERSION-py3-none-any.whl",
  "/pypi/packages/+/NAME/NAME-VERSION.tar.gz",
  "/pypi/integrity/NAME/VERSION/NAME-VERSION.tar.gz/provenance",
  "/files/packages/aa/bb/cc/NAME-VERSION.tar.gz",
  "/cargo/config.json",
  "/cargo/de/mo/demo",
  "/cargo/va/ul/NAME",
  "/cargo/crates/NAME/VERSION/download",
  "/cargo/api/v1/crates/NAME",
  "/cargo/api/v1/crates?q=NAME&per_page=VERSION",
  "/cargo/api/v1/crates/NAME/VERSION/yank",
  "/cargofiles/NAME/VERSION/download",
];
const OWN_PATHS = [
  "/setup",
  "/health",
  "/check",
  "/check?format=sarif&filename=NAME&strict=1",
  "/why/pkg:npm/NAME",
  "/why/pkg:npm/NAME@VERSION",
  "/why/pkg:pypi/NAME@VERSION?withheld=min_age",
  "/why/pkg:cargo/NAME@VERSION",
  "/why/pkg%3anpm%2fNAME%40VERSION",
  "/why/pkg:npm/left@1.1.0",
];
const ADMIN_PATHS = [
  "/admin/",
  "/admin/openapi.json",
  "/admin/sign-in?return=/admin/NAME",
  "/admin/callback?code=NAME&state=VERSION",
  "/admin/v1/orgs",
  "/admin/v1/sessions",
  "/admin/v1/sessions?user=NAME",
  ...[
    "policy",
    "policy/history",
    "block",
    "block/ID",
    "exceptions",
    "exceptions?state=ended",
    "exceptions/ID",
    "tokens",
    "tokens/ID",
    "installs",
    "installs?package=NAME&version=VERSION&limit=1000",
    "installs?format=csv",
    "installs?cursor=ID",
    "refusals?since=NAME",
    "packages",
    "users",
    "stats",
    "audit",
    "audit?cursor=ID",
    "alerts",
    "alerts/ID",
    "alerts/ID/acknowledge",
    "requests",
    "requests?status=open",
    "requests/ID",
    "requests/ID/decide",
    "requests/ID/decide?expires=2099-01-01T00:00:00.000Z&signature=NAME",
    "break-glass",
    "simulate",
    "sbom",
    "sbom?user=NAME",
  ].map((path) => `/admin/v1/orgs/ORG/${path}`),
];
const WRITES = ["POST", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
const ODD_METHODS = ["OPTIONS", "PROPFIND", "PURGE", "get", "QUERY", "M-SEARCH"];

const AGENTS = [
  "npm/12.0.0 node/v24.0.0 linux x64",
  "pip/26.0",
  "cargo/1.90.0",
  "curl/8.0",
  "Mozilla/5.0",
  "uv/0.9",
  "Deno/2.9.6",
];
const ACCEPTS = [
  "*/*",
  "text/html",
  "application/json",
  "application/problem+json",
  "application/vnd.npm.install-v1+json",
  "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8",
  "application/vnd.pypi.simple.v1+json",
  "application/vnd.pypi.simple.v1+html;q=x",
  ",;,q=,",
];
const TYPES = [
  "application/json",
  "application/json",
  "application/merge-patch+json",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "multipart/form-data",
  "text/plain",
];

/** The requests of strangers to a world: none has a credential of vault's or nest's. */
export function shots(world: AttackWorld): fc.Arbitrary<Shot> {
  const any = fc.record({
    method: method(),
    path: path(world),
    headers: headers(world),
    body: bodies(),
  }).map((shot) => ["GET", "HEAD", "get"].includes(shot.method) ? { ...shot, body: null } : shot);
  const aimed = fc.record({ aim: aims(nasty), headers: headers(world) }).map((
    { aim, headers },
  ) => ({
    ...aim,
    headers: {
      ...headers,
      "authorization": `Bearer ${world.strangers.editor}`,
      "content-type": "application/json",
    },
  }));
  return fc.oneof({ weight: 4, arbitrary: any }, { weight: 1, arbitrary: aimed });
}

function method(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 26, arbitrary: fc.constant("GET") },
    { weight: 12, arbitrary: fc.constantFrom(...WRITES) },
    { weight: 1, arbitrary: fc.constantFrom(...ODD_METHODS) },
  );
}

function path({ ids }: AttackWorld): fc.Arbitrary<string> {
  const name = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...PACKAGES) },
    { weight: 2, arbitrary: nasty },
  );
  const version = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...VERSIONS) },
    { weight: 2, arbitrary: nasty },
  );
  const org = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom("acme", "acme", "vault", "nest", "default", "nobody") },
    { weight: 1, arbitrary: nasty },
  );
  const id = fc.oneof(fc.constantFrom(...ids), nasty);
  const route = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...REGISTRY_PATHS) },
    { weight: 2, arbitrary: fc.constantFrom(...OWN_PATHS) },
    { weight: 4, arbitrary: fc.constantFrom(...ADMIN_PATHS) },
    { weight: 2, arbitrary: fc.constantFrom(...SECRET_PATHS, ...NEST_PATHS) },
    { weight: 1, arbitrary: fc.webPath() },
  );
  const change = fc.oneof(
    { weight: 8, arbitrary: fc.constant(null) },
    { weight: 3, arbitrary: fc.record({ at: fc.nat(80), text: fc.oneof(nasty, short) }) },
  );
  const prefix = fc.oneof(
    { weight: 4, arbitrary: fc.constant("") },
    { weight: 6, arbitrary: fc.constantFrom(...PREFIXES) },
    { weight: 1, arbitrary: fc.constantFrom(...ODD_PREFIXES) },
  );
  return fc.record({ prefix, route, name, version, org, id, change })
    .map(({ prefix, route, name, version, org, id, change }) => {
      const filled = prefix + route.replaceAll("NAME", () => name)
        .replaceAll("VERSION", () => version).replaceAll("ORG", () => org).replaceAll(
          "ID",
          () => id,
        );
      if (change === null) return onWire(filled);
      const at = Math.min(change.at, filled.length);
      return onWire(filled.slice(0, at) + change.text + filled.slice(at));
    });
}

/** Only what a request line can carry: the server refuses all else before the app sees it. */
function onWire(path: string): string {
  const sent = path.replace(/[^\x21-\x7e]/gu, (letter) => {
    try {
      return encodeURIComponent(letter);
    } catch {
      return "%ED%A0%80"; // half of a surrogate pair
    }
  });
  return sent.startsWith("/") ? sent.replaceAll("#", "%23") : `/${sent.replaceAll("#", "%23")}`;
}

function headers({ strangers, etags }: AttackWorld): fc.Arbitrary<Record<string, string>> {
  const { client, viewer, editor } = strangers;
  const basic = (user: string, password: string) => `Basic ${btoa(`${user}:${password}`)}`;
  const maybe = (values: readonly string[], weight = 2) =>
    fc.oneof(
      { weight: 40 - 4 * weight, arbitrary: fc.constant(undefined) },
      { weight: 4 * weight, arbitrary: fc.constantFrom(...values) },
      { weight: 1, arbitrary: value() },
    );
  return fc.record({
    "authorization": maybe([
      `Bearer ${client}`,
      `Bearer ${viewer}`,
      `Bearer ${editor}`,
      `Bearer ${editor}`,
      `Bearer ${editor}`,
      `Bearer ${editor}`,
      client,
      `Bearer ${client}:guess`,
      basic("token", viewer),
      basic("keeper", "guess"),
      basic("keeper", ""),
      basic("\0", "\n"),
      "Bearer pp_guess",
      "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.",
      "Basic %%%",
      "Negotiate x",
    ], 6),
    "accept": maybe(ACCEPTS, 6),
    "user-agent": maybe(AGENTS, 6),
    "content-type": maybe(TYPES, 6),
    "if-none-match": maybe([...etags, etags.join(", "), "*", 'W/"x"'], 2),
    "if-match": maybe(["*", '"x"', ...etags], 1),
    "range": maybe(["bytes=0-0", "bytes=-1", "bytes=9-1", "bytes=0-0,1-1"], 1),
    "accept-encoding": maybe(["gzip", "br, gzip;q=0", "identity;q=0"], 3),
    "content-encoding": maybe(["gzip", "br", "identity"], 1),
    "cookie": maybe(["__Host-session=x", "__Host-session=__proto__; a"], 1),
    "origin": maybe(["http://proxy.example", "https://evil.example", "null"], 2),
    "sec-fetch-site": maybe(["same-origin", "cross-site"], 2),
    "x-forwarded-host": maybe(["evil.example"], 1),
    "x-forwarded-proto": maybe(["https"], 1),
    "x-forwarded-for": maybe(["10.0.0.1, 127.0.0.1"], 1),
    "forwarded": maybe(["for=10.0.0.1;host=evil.example"], 1),
    "x-http-method-override": maybe(["DELETE"], 1),
  }).map((given) =>
    Object.fromEntries(
      Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined),
    )
  );
}

/** A header's value: no line ends, which the server refuses, and no letter beyond Latin-1. */
function value(): fc.Arbitrary<string> {
  return fc.oneof(nasty, short).map((text) => text.replace(/[^\x20-\x7e\xa0-\xff]/g, ""));
}
