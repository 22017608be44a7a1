import assert from "node:assert/strict";
import { advisoryFor, AdvisoryUnreadable, readRecord } from "../../../policy/advisories/record.ts";
import { cvss3, severityOfScore } from "../../../policy/advisories/severity.ts";
import { HAS_FIXTURES, recorded } from "../../registry/osv.ts";

const asNpm = (name: string) => ({
  ecosystem: "npm",
  isNamed: (other: string) => other === name,
});
const record = (more: Record<string, unknown> = {}) => ({
  id: "GHSA-aaaa-bbbb-cccc",
  modified: "2026-01-01T00:00:00Z",
  affected: [{ package: { ecosystem: "npm", name: "some" }, versions: ["1.0.0"] }],
  ...more,
});
const severity = (more: Record<string, unknown>) =>
  advisoryFor(readRecord(record(more)), asNpm("some"))?.severity;

Deno.test({
  name: "recorded advisories are read as they are meant",
  ignore: !HAS_FIXTURES,
  fn() {
    const axios = advisoryFor(
      readRecord(recorded("mal/npm-axios-MAL-2026-2307.json")),
      asNpm("axios"),
    );
    assert.deepEqual(axios && [axios.malware, axios.versions], [true, ["0.30.4", "1.14.1"]]);
    const minimist = advisoryFor(
      readRecord(recorded("ghsa/GHSA-xvch-5gv4-984h-minimist.json")),
      asNpm("minimist"),
    );
    assert.equal(minimist?.severity, "critical");
    assert.equal(minimist.reviewed, true);
    assert.deepEqual(minimist.fixed, ["1.2.6", "0.2.4"]);
    const withdrawn = recorded("mal/npm-ctrl-plex-MAL-2026-4377-withdrawn.json");
    assert.equal(advisoryFor(readRecord(withdrawn), asNpm("@ctrl/plex")), null);
    const go = { ecosystem: "Go", isNamed: (name: string) => name === "github.com/beego/beego" };
    const beego = advisoryFor(readRecord(recorded("go/GO-2022-0463.json")), go);
    assert.deepEqual(beego && [beego.reviewed, beego.fixed], [true, ["1.12.9"]]);
  },
});

Deno.test("a record speaks of the packages that it names, of their ecosystem alone", () => {
  const read = readRecord(record());
  assert.ok(advisoryFor(read, asNpm("some")));
  assert.equal(advisoryFor(read, asNpm("other")), null);
  assert.equal(advisoryFor(read, { ...asNpm("some"), ecosystem: "PyPI" }), null);
});

Deno.test("a package named without versions is meant as a whole, one with Git's ranges alone is not", () => {
  const affected = { package: { ecosystem: "npm", name: "some" } };
  const all = advisoryFor(readRecord(record({ affected: [affected] })), asNpm("some"));
  assert.deepEqual(all?.ranges, [{ events: [{ kind: "introduced", version: "0" }] }]);
  const git = { ...affected, ranges: [{ type: "GIT", events: [{ introduced: "0" }] }] };
  assert.deepEqual(
    advisoryFor(readRecord(record({ affected: [git] })), asNpm("some"))?.ranges,
    [],
  );
});

Deno.test("what is no OSV record is refused", () => {
  const affected = (more: unknown) => ({
    affected: [{ package: { ecosystem: "npm", name: "some" }, ...more as object }],
  });
  for (
    const more of [
      { id: "" },
      { id: "../x" },
      { id: 1 },
      { modified: "yesterday" },
      { modified: undefined },
      { withdrawn: true },
      { affected: {} },
      affected({ versions: [1] }),
      affected({ versions: "1.0.0" }),
      affected({ ranges: [{ type: "SEMVER", events: [] }] }),
      affected({ ranges: [{ type: "SEMVER", events: [{}] }] }),
      affected({ ranges: [{ type: "OTHER", events: [{ introduced: "0" }] }] }),
      affected({ ranges: [{ events: [{ introduced: "0" }] }] }),
      affected({ package: { name: "some" } }),
    ]
  ) {
    assert.throws(() => readRecord(record(more)), AdvisoryUnreadable, JSON.stringify(more));
  }
  for (const value of [null, [], "x", 1, {}]) {
    assert.throws(() => readRecord(value), AdvisoryUnreadable);
  }
});

Deno.test("severity is CVSS's or the database's word, the stronger of them", () => {
  const cvss = (score: string) => ({ severity: [{ type: "CVSS_V3", score }] });
  assert.equal(severity({}), null);
  assert.equal(severity(cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")), "critical");
  assert.equal(severity(cvss("CVSS:4.0/AV:N/AC:L")), null);
  assert.equal(severity({ database_specific: { severity: "MODERATE" } }), "medium");
  assert.equal(
    severity({
      ...cvss("CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:N/I:N/A:L"),
      database_specific: { severity: "HIGH" },
    }),
    "high",
  );
});

Deno.test("base scores are those of the CVSS specification's examples", () => {
  const scores: Record<string, number | null> = {
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 9.8,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N": 6.1,
    "CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N": 6.4,
    "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N": 3.1,
    "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H": 8.8,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N": 7.5,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H": 10,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N": 0,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N": null,
    "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N": null,
    "CVSS:2.0/AV:N": null,
    "": null,
  };
  for (const [vector, score] of Object.entries(scores)) assert.equal(cvss3(vector), score, vector);
});

Deno.test("ratings begin at 4, 7 and 9", () => {
  const rated = [0, 0.1, 3.9, 4, 6.9, 7, 8.9, 9, 10, 10.1, NaN].map(severityOfScore);
  const [l, m, h, c] = ["low", "medium", "high", "critical"];
  assert.deepEqual(rated, [null, l, l, m, m, h, h, c, c, null, null]);
});
