import assert from "node:assert/strict";
import fc from "fast-check";
import { parseFilename, projectsOf } from "../../../ecosystems/pypi/filename.ts";

const CASES: [filename: string, project: string, version: string, kind: string][] = [
  ["demo-1.0-py3-none-any.whl", "demo", "1.0", "wheel"],
  ["demo_pkg-1.0-1build-cp311-cp311-manylinux_2_17_x86_64.whl", "demo-pkg", "1.0", "wheel"],
  ["Demo.Pkg-1.0_1-py2.py3-none-any.whl", "demo-pkg", "1.0-1", "wheel"],
  ["demo-1.0+cu118_x-py3-none-any.whl", "demo", "1.0+cu118-x", "wheel"],
  ["demo-1!2.0rc1-py3-none-any.whl", "demo", "1!2.0rc1", "wheel"],
  ["demo-1.0-py3.whl", "demo", "1.0-py3", "wheel"],
  ["demo-1.0.tar.gz", "demo", "1.0", "sdist"],
  ["python-language-server-0.1.13.tar.gz", "python-language-server", "0.1.13", "sdist"],
  ["Luigi_ext-2.7.0b1.tar.gz", "luigi-ext", "2.7.0b1", "sdist"],
  ["zope.interface-5.0.tar.gz", "zope-interface", "5.0", "sdist"],
  ["luigi-2-2.0.tar.gz", "luigi-2", "2.0", "sdist"],
  ["demo-1.0-1.tar.gz", "demo", "1.0-1", "sdist"],
  ["demo-1.0.post2.zip", "demo", "1.0.post2", "sdist"],
  ["demo-1.0.tar.bz2", "demo", "1.0", "sdist"],
  ["demo-1.0.tgz", "demo", "1.0", "sdist"],
  ["demo-1.0.tar.Z", "demo", "1.0", "sdist"],
  ["demo-1.0.bogus.5ffb.tar.gz", "demo", "1.0.bogus.5ffb", "sdist"],
  ["Luigi_ext-1.0.9.macosx-10.7-intel.tar.gz", "luigi-ext", "1.0.9", "sdist"],
  ["demo-1.0.linux-x86_64.tar.gz", "demo", "1.0", "sdist"],
  ["demo-1.0-py2.7.egg", "demo", "1.0", "other"],
  ["demo_pkg-1.0-py2.7-win-amd64.egg", "demo-pkg", "1.0", "other"],
  ["demo-1.0.win32-py2.7.exe", "demo", "1.0", "other"],
  ["demo-1.0.win-amd64.exe", "demo", "1.0", "other"],
  ["demo-1.0.win32.msi", "demo", "1.0", "other"],
  ["demo-1.0-1.noarch.rpm", "demo", "1.0", "other"],
  ["demo-1.0-2.src.rpm", "demo", "1.0", "other"],
  ["another-name-1.0.tar.gz", "demo", "1.0", "sdist"],
  ["demo_1.0.tar.gz", "demo", "1.0", "sdist"],
  ["nothing.tar.gz", "demo", "nothing", "sdist"],
];

for (const [filename, project, version, kind] of CASES) {
  Deno.test(`${filename} is ${kind} ${version} of ${project}`, () => {
    assert.deepEqual(parseFilename(filename, project), { version, kind });
  });
}

Deno.test("hyphenated sdists keep their whole version and project", () => {
  assert.equal(parseFilename("a-b-c-1.0-2.tar.gz", "a-b-c").version, "1.0-2");
  assert.equal(projectsOf("a-b-c-1.0.tar.gz")[0], "a-b-c");
});

const PROJECTS: [filename: string, projects: string[]][] = [
  ["demo_pkg-1.0-py3-none-any.whl", ["demo-pkg"]],
  ["demo_pkg-1.0-py2.7.egg", ["demo-pkg"]],
  ["demo-1.0-1-py3-none-any.whl", ["demo"]],
  ["sqlalchemy-legacy-4.3.4-py2-none-any.whl", ["sqlalchemy-legacy"]],
  ["demo-1.0.bogus.1-py3-none-any.whl", ["demo"]],
  ["Python.Language_Server-0.1.tar.gz", ["python-language-server"]],
  ["python-language-server-0.1.tar.gz", ["python-language-server", "python", "python-language"]],
  ["demo-1.0-1.tar.gz", ["demo", "demo-1-0"]],
  ["luigi-2-2.0.tar.gz", ["luigi-2", "luigi"]],
  ["Luigi_ext-1.0.9.macosx-10.7-intel.tar.gz", ["luigi-ext", "luigi-ext-1-0-9-macosx"]],
  ["demo-1.0.win32-py2.7.exe", ["demo", "demo-1-0-win32"]],
  ["demo_1.0-1_all.deb", ["demo", "demo-1-0"]],
  ["demo-1.0.txt", []],
  ["demo.tar.gz", []],
  ["-1.0.tar.gz", []],
  ["", []],
];

for (const [filename, projects] of PROJECTS) {
  Deno.test(`${filename || "an empty name"} may be of ${projects.join(", ") || "nothing"}`, () => {
    const found = projectsOf(filename);
    assert.deepEqual(
      found.toSorted().filter((name) => projects.includes(name)),
      projects.toSorted(),
    );
    assert.equal(found[0], projects[0]);
  });
}

const NAME = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,8}([-_.][A-Za-z][A-Za-z0-9]{0,8}){0,3}$/);
const VERSION = fc.stringMatching(
  /^(\d!)?\d{1,3}(\.\d{1,3}){0,3}((a|b|rc)\d{1,2})?(\.post\d)?(\.dev\d)?$/,
);

Deno.test("every project and version is found again in its own file names", () => {
  fc.assert(fc.property(NAME, VERSION, (name, version) => {
    const project = name.toLowerCase().replace(/[-_.]+/g, "-");
    const wheel = `${name.replace(/[-_.]+/g, "_")}-${version}-py3-none-any.whl`;
    assert.equal(parseFilename(wheel, project).version, version);
    assert.deepEqual(projectsOf(wheel), [project]);
    const sdist = `${name}-${version}.tar.gz`;
    assert.equal(parseFilename(sdist, project).version, version);
    assert.equal(projectsOf(sdist)[0], project);
  }));
});

Deno.test("any text is read as a file name without failing, and never as a long search", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom("-", "_", ".", "1", "a") }));
  const extension = fc.constantFrom("", ".whl", ".tar.gz", ".zip", ".egg", ".deb", ".exe");
  fc.assert(fc.property(text, extension, NAME, (stem, end, project) => {
    assert.equal(typeof parseFilename(stem + end, project).version, "string");
    assert.ok(projectsOf(stem + end).length <= 5);
  }));
  const started = performance.now();
  projectsOf(`${"1-".repeat(5000)}.tar.gz`);
  projectsOf(`${"1.0a1".repeat(5000)}-${"1.".repeat(5000)}x.tar.gz`);
  parseFilename(`demo-${"1_a".repeat(50_000)}.tar.gz`, "demo");
  parseFilename(`${"1.win32-".repeat(5000)}.exe`, "demo");
  assert.ok(performance.now() - started < 500);
});
