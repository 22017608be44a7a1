import assert from "node:assert/strict";
import { inWorld, isObject, type Json, member } from "./world.ts";

const SBOM = "/admin/v1/orgs/acme/sbom";

/** What CycloneDX 1.6 demands of the members that are written (bom-1.6.schema.json). */
function assertValid(bom: Json): void {
  assert.equal(bom.bomFormat, "CycloneDX");
  assert.equal(bom.specVersion, "1.6");
  assert.match(
    String(bom.serialNumber),
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  );
  assert(Number.isInteger(bom.version) && Number(bom.version) >= 1);
  only(bom, "bomFormat specVersion serialNumber version metadata components");
  assert(isObject(bom.metadata));
  only(bom.metadata, "timestamp tools component");
  assert.match(String(bom.metadata.timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const tools = member(bom.metadata, "tools", "components");
  assert(Array.isArray(tools) && Array.isArray(bom.components));
  const subject = bom.metadata.component;
  const refs = new Set<unknown>();
  for (const component of [...tools, subject, ...bom.components]) {
    only(component, "type bom-ref group name version hashes purl properties");
    assert(["application", "library"].includes(component.type));
    assert(typeof component.name === "string" && component.name !== "");
    const { "bom-ref": ref, hashes = [], properties = [] } = component;
    assert(ref === undefined || (typeof ref === "string" && ref.length > 0 && !refs.has(ref)));
    refs.add(ref);
    for (const hash of hashes) {
      only(hash, "alg content");
      assert.equal(hash.alg, "SHA-256");
      assert.match(hash.content, /^[a-fA-F0-9]{64}$/);
    }
    for (const property of properties) {
      only(property, "name value");
      assert(typeof property.name === "string" && typeof property.value === "string");
    }
  }
}

/** Every object of the schema is closed. */
function only(object: unknown, names: string): void {
  assert(isObject(object));
  const known = names.split(" ");
  assert.deepEqual(Object.keys(object).filter((name) => !known.includes(name)), []);
}

function components(bom: Json): readonly Json[] {
  assert(Array.isArray(bom.components));
  return bom.components;
}

Deno.test("the bill of materials has each package and version once, with hash and properties", () =>
  inWorld(async ({ call, install, refuse, clock, secrets }) => {
    const start = clock.now;
    const at = (seconds: number) => new Date(start + seconds * 1_000).toISOString();
    await install({ sha256: "ab".repeat(32) });
    await install({ user: "bob", sha256: "cd".repeat(32) });
    await install({
      user: "",
      package: "@acme/ui",
      version: "1.0.0",
      purl: "pkg:npm/%40acme/ui@1.0.0",
    });
    await install({ ecosystem: "pypi", package: "requests", purl: "pkg:pypi/requests@4.17.21" });
    await install({ org: "other", package: "secret" });
    await refuse({ package: "refused", purl: "pkg:npm/refused@1" });

    const { status, headers, body } = await call("GET", SBOM, { token: secrets.viewer });
    assert.equal(status, 200);
    assert.equal(headers.get("content-type"), "application/vnd.cyclonedx+json; version=1.6");
    assertValid(body);
    assert.equal(member(body, "metadata", "component", "name"), "acme");
    assert.equal(member(body, "metadata", "timestamp"), new Date(clock.now).toISOString());
    const [scoped, lodash, requests, ...rest] = components(body);
    assert.deepEqual(rest, []);
    assert.deepEqual(lodash, {
      type: "library",
      "bom-ref": "pkg:npm/lodash@4.17.21",
      name: "lodash",
      version: "4.17.21",
      hashes: [{ alg: "SHA-256", content: "cd".repeat(32) }],
      purl: "pkg:npm/lodash@4.17.21",
      properties: [
        { name: "package-proxy:first_install", value: at(0) },
        { name: "package-proxy:last_install", value: at(1) },
        { name: "package-proxy:installs", value: "2" },
        { name: "package-proxy:file", value: "lodash-4.17.21.tgz" },
        { name: "package-proxy:users", value: "alice bob" },
      ],
    });
    assert.deepEqual([scoped.group, scoped.name, scoped.hashes], ["@acme", "ui", undefined]);
    assert.equal(requests["bom-ref"], "pkg:pypi/requests@4.17.21");

    const again = await call("GET", SBOM);
    assert.notEqual(again.body.serialNumber, body.serialNumber);
    assert.deepEqual(again.body.components, body.components);
  }));

Deno.test("the bill of materials of one user, ecosystem or time names what it is of", () =>
  inWorld(async ({ call, install, clock }) => {
    await install();
    const later = clock.now;
    await install({ user: "bob", package: "x", purl: "pkg:npm/x@4.17.21" });
    await install({ user: "bob", ecosystem: "pypi", package: "y", purl: "pkg:pypi/y@4.17.21" });
    const names = async (query: string) => {
      const { body } = await call("GET", `${SBOM}?${query}`);
      assertValid(body);
      return components(body).map(({ name }) => name);
    };
    assert.deepEqual(await names("user=bob"), ["x", "y"]);
    assert.deepEqual(await names("user=bob&ecosystem=pypi"), ["y"]);
    assert.deepEqual(await names(`since=${new Date(later).toISOString()}`), ["x", "y"]);
    assert.deepEqual(await names(`until=${new Date(later).toISOString()}`), ["lodash"]);
    assert.deepEqual(await names("user=nobody"), []);

    const { body } = await call("GET", `${SBOM}?user=bob&ecosystem=pypi`);
    assert.deepEqual(member(body, "metadata", "component"), {
      type: "application",
      "bom-ref": "subject",
      name: "acme/bob",
      properties: [
        { name: "package-proxy:org", value: "acme" },
        { name: "package-proxy:user", value: "bob" },
        { name: "package-proxy:ecosystem", value: "pypi" },
      ],
    });
  }));

Deno.test("a bill of more components than a page has all of them", () =>
  inWorld(async ({ call, records }) => {
    const count = 1_203;
    await Promise.all(Array.from({ length: count }, (_, i) => {
      const name = `p${String(i).padStart(4, "0")}`;
      return records.add("install", {
        org: "acme",
        user: "alice",
        ip: "10.0.0.7",
        ecosystem: "npm",
        package: name,
        version: "1.0.0",
        filename: `${name}-1.0.0.tgz`,
        purl: `pkg:npm/${name}@1.0.0`,
        bytes: 1,
        verdict: "allow",
        policy: "01",
      });
    }));
    const { body } = await call("GET", SBOM);
    assertValid(body);
    assert.equal(components(body).length, count);
    assert.equal(components(body)[count - 1].name, "p1202");
  }));

Deno.test("the bill of materials refuses other roles, orgs and parameters", () =>
  inWorld(async ({ call, secrets }) => {
    assert.equal((await call("GET", SBOM, { token: secrets.client })).status, 403);
    const other = await call("GET", "/admin/v1/orgs/other/sbom", { token: secrets.viewer });
    assert.equal(other.status, 403);
    for (const query of ["ecosystem=nonsense", "package=x", "since=soon", "limit=1"]) {
      assert.equal((await call("GET", `${SBOM}?${query}`)).status, 400, query);
    }
  }));
