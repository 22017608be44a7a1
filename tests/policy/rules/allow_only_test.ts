import assert from "node:assert/strict";
import { findings, NOW, only, policy, release } from "../world.ts";

function listing(...entries: unknown[]) {
  return only({ allow_only: { level: "deny", entries } });
}

Deno.test("allow_only lets through what is listed and withholds everything else", () => {
  const judged = listing({ purl: "pkg:npm/axios", versions: "^1.0.0" }, { purl: "pkg:pypi/*" });
  assert.deepEqual(
    findings(judged, [
      release(),
      release({ version: "2.0.0" }),
      release({ name: "lodash", version: "4.0.0" }),
      release({ ecosystem: "pypi", name: "axios", version: "3.0" }),
      release({ ecosystem: "cargo", name: "axios", version: "5.0.0" }),
    ]),
    ["2.0.0: allow_only", "4.0.0: allow_only", "5.0.0: allow_only"],
  );
});

Deno.test("allow_only takes a PURL with a version for exactly that", () => {
  const judged = listing({ purl: "pkg:npm/axios@1.0.0" });
  assert.deepEqual(findings(judged, [release(), release({ version: "1.0.1" })]), [
    "1.0.1: allow_only",
  ]);
});

Deno.test("allow_only with an empty list withholds everything", () => {
  assert.deepEqual(findings(listing(), [release()]), ["1.0.0: allow_only"]);
});

Deno.test("allow_only withholds a name that no package can have", () => {
  const judged = listing({ purl: "pkg:npm/*" });
  assert.deepEqual(findings(judged, [release({ name: "" })]), ["1.0.0: metadata_invalid"]);
});

Deno.test("allow_only is off by default, warns where told to, and exceptions waive it", () => {
  assert.deepEqual(findings(only({ allow_only: {} }), [release()]), []);
  assert.deepEqual(findings(only({ allow_only: { level: "warn" } }), [release()]), [
    "warn 1.0.0: allow_only",
  ]);
  const exceptions = [{ purl: "pkg:npm/axios", rules: ["allow_only"] }];
  const judged = only({ allow_only: { level: "deny" } }, { exceptions });
  assert.deepEqual(findings(judged, [release()]), []);
});

Deno.test("what is listed is still judged by the other rules", () => {
  const rules = { allow_only: { level: "deny", entries: [{ purl: "pkg:npm/axios" }] } };
  const young = release({ publishedAt: NOW });
  assert.deepEqual(findings(policy({ rules: { ...rules, malware: { level: "off" } } }), [young]), [
    "1.0.0: min_age",
  ]);
});
