/** How files come to `/check`, and in which forms its answer goes out. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { createApp } from "../../routes/app.ts";
import { checkWorld } from "./check_world.ts";

const LIST = ["pkg:npm/left@1.0.0", "pkg:npm/left@2.0.0", "pkg:npm/left@3.0.0"].join("\n");

Deno.test("only POST is for a check; GET names it", async () => {
  await using it = await checkWorld();
  for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
    const response = await it.proxy.fetch("/o-acme/check", { method });
    assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST"], method);
  }
  assert.equal((await it.post(LIST, "/check/more")).status, 405);
  assert.equal((await it.proxy.fetch("/check/more")).status, 404);
});

Deno.test("an npm package called `check` is still there, and posting means a check all the same", async () => {
  await using it = await checkWorld();
  it.npm.publish({ name: "check", version: "1.0.0" });
  const headers = { "user-agent": "npm/12.0.0 node/v24.0.0 linux x64" };
  const document = await (await it.proxy.fetch("/check", { headers })).json();
  assert.equal(document.name, "check");
  const file = await it.proxy.fetch("/check/-/check-1.0.0.tgz");
  assert.equal(file.status, 200);
  await file.arrayBuffer();
  assert.equal((await it.check(LIST, "/check", headers)).summary.total, 3);
});

Deno.test("with BASE_DOMAIN the host names the org", async () => {
  await using it = await checkWorld({
    settings: { baseDomain: "packages.example" },
    policies: { acme: { rules: { min_age: { age: "0" } } } },
  });
  for (const host of ["acme", "npm.acme"]) {
    const url = `http://${host}.packages.example/check`;
    const response = await createApp(it.proxy.deps)(
      new Request(url, { method: "POST", body: "pkg:npm/left@2.0.0" }),
    );
    assert.equal((await response.json()).org, "acme");
    assert.equal(response.headers.get("check-result"), "pass");
  }
});

Deno.test("a file may come bare, gzipped, with its name in the query or a header, or in a form", async () => {
  await using it = await checkWorld();
  const named = async (body: BodyInit, path = "/check", headers: HeadersInit = {}) => {
    const { summary, filename } = await it.check(body, path, headers);
    assert.equal(summary.total, 3);
    return filename;
  };
  assert.equal(await named(LIST), null);
  assert.equal(await named(LIST, "/check?filename=web/purls.txt"), "web/purls.txt");
  const zipped = new Uint8Array(gzipSync(LIST));
  assert.equal(await named(zipped, "/check", { "content-encoding": "gzip" }), null);
  const disposition = (value: string) => ({ "content-disposition": value });
  assert.equal(
    await named(LIST, "/check", disposition('attachment; filename="a b.txt"')),
    "a b.txt",
  );
  assert.equal(await named(LIST, "/check", disposition("attachment; filename=a.txt")), "a.txt");
  assert.equal(
    await named(LIST, "/check", disposition("attachment; filename*=UTF-8''%C3%A4.txt")),
    "ä.txt",
  );
  assert.equal(await named(LIST, "/check", disposition("attachment; filename*=UTF-8''%")), null);
  const form = new FormData();
  form.set("note", "a field beside the file");
  form.set("file", new File([LIST], "purls.txt"));
  assert.equal(await named(form), "purls.txt");
  // What curl says of a body unless told otherwise.
  const curl = { "content-type": "application/x-www-form-urlencoded" };
  assert.equal(await named(LIST, "/check", curl), null);
});

Deno.test("what cannot be read is refused with a reason, and nobody is asked", async () => {
  await using it = await checkWorld();
  const unreadable = await it.refused("what is this?", "/check?filename=notes.txt");
  assert.deepEqual([unreadable.status, unreadable.code], [422, "lockfile_invalid"]);
  assert.match(unreadable.detail, /package-lock\.json/);
  const broken = await it.refused("pkg:npm/left@1.0.0\nleft 1.0.0");
  assert.equal(broken.status, 422);
  assert.match(broken.detail, /line 2: "left 1\.0\.0" is no PURL\.$/);
  assert.equal((await it.refused("")).status, 422);
  const zip = { "content-encoding": "gzip" };
  assert.deepEqual((await it.refused("no gzip", "/check", zip)).status, 400);
  const form = new FormData();
  assert.equal((await it.refused(form)).status, 400);
  form.append("file", new File([LIST], "a.txt"));
  form.append("file", new File([LIST], "b.txt"));
  assert.match((await it.refused(form)).detail, /2 files/);
  const torn = { "content-type": "multipart/form-data; boundary=x" };
  assert.equal((await it.refused("--x\r\nnothing", "/check", torn)).status, 400);
  assert.deepEqual(it.asked(), []);
});

Deno.test("a file that is too big is refused, even if it is small as it comes", async () => {
  await using it = await checkWorld();
  const bomb = new Uint8Array(gzipSync(new Uint8Array(51_000_000)));
  assert.ok(bomb.length < 100_000);
  const refused = await it.refused(bomb, "/check", { "content-encoding": "gzip" });
  assert.deepEqual([refused.status, refused.code], [413, "body_too_large"]);
  const many = Array.from({ length: 50_001 }, (_, i) => `pkg:npm/left@1.0.${i}`).join("\n");
  const refusedToo = await it.refused(many);
  assert.deepEqual([refusedToo.status, refusedToo.code], [413, "too_many_entries"]);
  assert.deepEqual(it.asked(), []);
});

Deno.test("a query that cannot be followed is refused: nobody takes a laxer check for the one meant", async () => {
  await using it = await checkWorld();
  for (const query of ["strikt=1", "strict=yes", "format=xml", "format="]) {
    const { status, code } = await it.refused(LIST, `/check?${query}`);
    assert.deepEqual([status, code], [400, "parameter_invalid"], query);
  }
});

Deno.test("JSON unless the query or Accept asks for another form", async () => {
  await using it = await checkWorld();
  const type = async (path: string, accept: string) => {
    const response = await it.post(LIST, path, { accept });
    await response.text();
    assert.equal(response.headers.get("check-result"), "fail");
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    return response.headers.get("content-type");
  };
  assert.equal(await type("/check", "*/*"), "application/json");
  assert.equal(await type("/check", "text/plain"), "text/plain; charset=utf-8");
  assert.equal(await type("/check", "application/sarif+json"), "application/sarif+json");
  assert.equal(await type("/check?format=sarif", "text/plain"), "application/sarif+json");
  assert.equal(await type("/check?format=junit", "*/*"), "application/xml; charset=utf-8");
  assert.equal(await type("/check?format=json", "text/plain"), "application/json");
});

Deno.test("SARIF has a result for each that fails, at its place in the file", async () => {
  await using it = await checkWorld();
  const purls =
    `${LIST}\npkg:npm/nowhere@1.0.0\npkg:npm/left@4.0.0\npkg:golang/example.com/x@1.0.0`;
  const sarif = async (path: string) => await (await it.post(purls, path)).json();
  const path = "/check?format=sarif&filename=../web/a%20b.txt";
  const { version, runs: [{ tool, results }] } = await sarif(path);
  assert.equal(version, "2.1.0");
  const rules = tool.driver.rules.map(({ id }: { id: string }) => id);
  assert.deepEqual(rules, ["min_age", "blocked", "not_found"]);
  assert.deepEqual(
    results.map((result: Record<string, unknown>) => [
      result.ruleId,
      result.ruleIndex,
      result.level,
    ]),
    [["min_age", 0, "error"], ["blocked", 1, "error"], ["not_found", 2, "error"]],
  );
  assert.match(results[0].message.text, /^left 2\.0\.0 is withheld \(min_age\): .* See http/);
  assert.deepEqual(results[0].locations, [{
    physicalLocation: {
      artifactLocation: { uri: "web/a%20b.txt" },
      region: { startLine: 2 },
    },
  }]);
  const prints = results.map(({ partialFingerprints }: Record<string, Record<string, string>>) =>
    Object.values(partialFingerprints)[0]
  );
  assert.equal(new Set(prints).size, 3);
  assert.equal((await sarif(`${path}&strict=1`)).runs[0].results.length, 4);
  assert.equal(
    (await sarif("/check?format=sarif")).runs[0].results[0].locations[0].physicalLocation
      .artifactLocation.uri,
    "lockfile",
  );
});

Deno.test("JUnit has a test case for each entry, and no text can break out of it", async () => {
  await using it = await checkWorld();
  const purls = `${LIST}\npkg:npm/left@4.0.0\npkg:golang/example.com/x@1.0.0\npkg:npm/versionless`;
  const path = "/check?format=junit&filename=%3Cb%3E%22%00%1B%EF%BF%BF.txt";
  const xml = await (await it.post(purls, path)).text();
  const counts = 'tests="6" failures="2" errors="0" skipped="2"';
  assert.ok(xml.startsWith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites '), xml);
  assert.equal(xml.split(counts).length, 3, xml);
  assert.equal(xml.match(/<testcase /g)?.length, 6);
  assert.equal(xml.match(/<failure type="(?:min_age|blocked)" /g)?.length, 2);
  assert.match(xml, /<testcase classname="npm" name="left@1\.0\.0" file="[^"]*" line="1"\/>/);
  assert.match(xml, /&lt;not&gt; &quot;good&quot; &amp; &apos;new&apos;/);
  assert.ok(xml.includes('file="&lt;b&gt;&quot;\\u{0}\\u{1b}.txt"'), xml);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(xml, /[\u0000-\u0008\u000b-\u001f\uffff]|<not>|<b>/);
  assert.match(xml, /classname="golang"[^>]*><skipped message=/);
  assert.match(xml, /name="left@4\.0\.0"[^>]*><system-out>[^<]*deprecated[^<]*<\/system-out>/);
  const strict = await (await it.post(purls, `${path}&strict=1`)).text();
  assert.equal(strict.match(/<failure /g)?.length, 3);
});

Deno.test("text is a table of what does not simply pass, and one line that sums up", async () => {
  await using it = await checkWorld();
  const text = async (purls: string) =>
    await (await it.post(purls, "/check?format=text&filename=%1Bpurls.txt")).text();
  const lines = (await text(`${LIST}\npkg:npm/versionless`)).split("\n");
  assert.match(lines[0], /^VERDICT +PACKAGE +VERSION +PASSES FROM +LINE +REASON$/);
  assert.match(lines[1], new RegExp(`^deny +npm left +2\\.0\\.0 +${it.grownUp} +2 +min_age: publ`));
  assert.match(lines[2], /^deny +npm left +3\.0\.0 +3 +blocked: .*<not>/);
  assert.match(lines[3], /^skipped +versionless +has no version$/);
  assert.equal(
    lines[4],
    '\\u{1b}purls.txt (list of PURLs) for the org "default": 3 packages: 2 withheld, 0 unknown, ' +
      "0 warned of, 1 allowed, 1 skipped: FAIL",
  );
  assert.match(await text("pkg:npm/left@1.0.0"), /^[^\n]*1 allowed: pass\n$/);
});
