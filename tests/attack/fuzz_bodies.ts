/** What strangers might send: documents of every kind that is read here, and what only looks like one. */
import { gzipSync } from "node:zlib";
import fc from "fast-check";

const deep = (open: string, close: string) => open.repeat(10_000) + close.repeat(10_000);
const BODIES = [
  "",
  "{}",
  "[]",
  "null",
  "0",
  '""',
  "{",
  deep("[", "]"),
  deep('{"a":', "}"),
  '{"__proto__":{"mode":"audit"}}',
  '{"constructor":{"prototype":{}},"toString":1}',
  '{"mode":"audit","mode":"enforce"}',
  '{"mode":"audit"}',
  '{"rules":{"min_age":{"age":"0"}}}',
  '{"rules":{"min_age":{"packages":{"__proto__":"0"}}}}',
  '{"rules":{"block":{"entries":[{"purl":"pkg:npm/__proto__"}]}}}',
  '{"auth":"token"}',
  '{"auth":"open"}',
  '{"registries":[{"ecosystem":"npm","packages":"pkg:npm/@x/*","url":"http://127.0.0.1:9/"}]}',
  '{"webhooks":[{"url":"http://127.0.0.1:9/"}]}',
  '{"purl":"pkg:npm/left@1.1.0"}',
  '{"purl":"pkg:npm/left","rules":["min_age"],"until":"2099-01-01"}',
  '{"purl":"pkg:npm/left@1.1.0","reason":"x"}',
  '{"user":"eve","role":"client","expires":"NaN"}',
  '{"user":"eve","role":"client"}',
  '{"user":"../../x","role":"admin"}',
  '{"decision":"approve","days":1e308}',
  '{"decision":"approve"}',
  '{"reason":"<script>alert(1)</script>","ticket":"\\u0000\\u202e"}',
  '{"policy":{},"days":30}',
  '{"patch":{"mode":"audit"},"since":"-271821-04-20"}',
  '{"left":["1.0.0"],"@vault/tool":["2.0.0"]}',
  "reason=x&ticket=y&token=pp_x&csrf=z&reason=again",
  "decision=approve&days=NaN",
  "pkg:npm/left@1.1.0\npkg:npm/@vault/tool@2.0.0\npkg:cargo/vault-tool@2.0.0\n",
  "left==1.0\nvault-tool==2.0 --hash=sha256:zz\n-r /etc/passwd\n",
  '{"lockfileVersion":3,"packages":{"node_modules/@vault/tool":{"version":"2.0.0"},"__proto__":{}}}',
  "lockfileVersion: '9.0'\npackages:\n  left@1.0.0: &a [*a]\n",
  'version = 4\n[[package]]\nname = "vault-tool"\nversion = "2.0.0"\nsource = "registry+x"\n',
  '# yarn lockfile v1\n"left@^1":\n  version "1.0.0"\n',
  '{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"purl":"pkg:npm/@vault/tool@2.0.0"}]}',
  '{"spdxVersion":"SPDX-2.3","packages":[null]}',
  '--x\r\nContent-Disposition: form-data; name="file"; filename="../../package-lock.json"\r\n\r\n{}\r\n--x--\r\n',
];

/** Routes that read a body, for the org `acme`, with one that they take. */
const AIMED: readonly (readonly [method: string, path: string, ...fitting: string[]])[] = [
  [
    "PUT",
    "/admin/v1/orgs/acme/policy",
    '{"rules":{"min_age":{"age":"1d","packages":{"pkg:npm/left":"0"}}}}',
    '{"mode":"audit","rules":{"block":{"entries":[{"purl":"pkg:npm/left","versions":"<2"}]}}}',
    '{"limits":{"per_user":"100/m"},"approvals":{"default":"1d","maximum":"2d"}}',
  ],
  ["PATCH", "/admin/v1/orgs/acme/policy", '{"rules":{"yanked":{"level":"warn"}}}', '{"auth":null}'],
  ["POST", "/admin/v1/orgs/acme/block", '{"purl":"pkg:npm/left","versions":"<1","reason":"x"}'],
  [
    "POST",
    "/admin/v1/orgs/acme/exceptions",
    '{"purl":"pkg:pypi/demo-tool","rules":["min_age"],"until":"2030-01-01","reason":"x"}',
  ],
  ["POST", "/admin/v1/orgs/acme/tokens", '{"user":"bob","role":"client","expires":"1d"}'],
  ["POST", "/admin/v1/orgs/acme/break-glass", '{"purl":"pkg:npm/left@1.1.0","reason":"down"}'],
  ["POST", "/admin/v1/orgs/acme/simulate", '{"patch":{"mode":"audit"},"days":1}'],
  ["POST", "/o-acme/check?filename=purls.txt", "pkg:npm/left@1.1.0\npkg:cargo/demo@1.0.0\n"],
  [
    "POST",
    "/o-acme/check?filename=package-lock.json",
    '{"lockfileVersion":3,"packages":{"node_modules/left":{"version":"1.0.0","resolved":"x"}}}',
  ],
  [
    "POST",
    "/o-acme/check?filename=Cargo.lock",
    'version = 4\n[[package]]\nname = "demo"\nversion = "1.0.0"\n',
  ],
  ["POST", "/o-acme/check?filename=requirements.txt", "demo-tool==1.0\n"],
  ["POST", "/o-acme/u-eve/why/pkg:npm/left@1.1.0", '{"reason":"mends it","ticket":"T-1"}'],
  ["POST", "/o-acme/npm/-/npm/v1/security/advisories/bulk", '{"left":["1.0.0"]}'],
  ["POST", "/o-acme/npm/-/npm/v1/security/audits/quick", '{"requires":{},"dependencies":{}}'],
];

export interface Aim {
  readonly method: string;
  readonly path: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** @param nasty what is put anywhere into a body that would have been taken */
export function aims(nasty: fc.Arbitrary<string>): fc.Arbitrary<Aim> {
  return fc.constantFrom(...AIMED).chain(([method, path, ...fitting]) =>
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...fitting) },
      {
        weight: 4,
        arbitrary: fc.record({ text: fc.constantFrom(...fitting), at: fc.nat(80), more: nasty })
          .map(({ text, at, more }) => text.slice(0, at) + more + text.slice(at)),
      },
      { weight: 1, arbitrary: fc.constantFrom(...BODIES) },
    ).map((text) => ({ method, path, body: encode(text) }))
  );
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

export function bodies(): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...BODIES).map(encode) },
    { weight: 2, arbitrary: fc.json({ maxDepth: 3 }).map(encode) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => new Uint8Array(bytes)),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...BODIES).map((text) => new Uint8Array(gzipSync(text))),
    },
  );
}
