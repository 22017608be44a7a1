/** The other side of the replay: what people need passes the built-in policy. */
import assert from "node:assert/strict";
import type { Index } from "../../ecosystems/ecosystem.ts";
import { npmVersions } from "../../ecosystems/npm/versions.ts";
import { pypi } from "../../ecosystems/pypi/mod.ts";
import { pypiVersions } from "../../ecosystems/pypi/versions.ts";
import type { VersionScheme } from "../../policy/types.ts";
import { documentOf, read, SOURCE } from "../ecosystems/npm/world.ts";
import { DAY, policy } from "../policy/world.ts";

const FIXTURES = new URL("../../../shared/fixtures/", import.meta.url);
const ignore = !exists(FIXTURES);
/** Later than all that was recorded. */
const NOW = Date.parse("2026-11-23T00:00:00Z");
// Whether an advisory is at hand is not what this is about.
const BUILT_IN = policy({ rules: { malware: { level: "off" } } });

Deno.test({
  name: "the newest mature release of every recorded npm package passes",
  ignore,
  fn() {
    const folder = new URL("npm/packument/", FIXTURES);
    let checked = 0;
    for (const { name: file, isFile } of Deno.readDirSync(folder)) {
      if (!isFile) continue;
      const document = JSON.parse(Deno.readTextFileSync(new URL(file, folder)));
      if (document.time === undefined) continue;
      if (passes(read(document, document.name), npmVersions)) checked++;
    }
    assert.ok(checked >= 20, `${checked} packages`);
  },
});

Deno.test({
  name: "the newest mature release of the recorded PyPI project passes",
  ignore,
  async fn() {
    const bytes = Deno.readFileSync(new URL("pypi/simple-json/certifi.json", FIXTURES));
    const type = "application/vnd.pypi.simple.v1+json";
    const source = { ...SOURCE, ecosystem: "pypi", url: "https://pypi.org/simple/" };
    const document = { ...documentOf(bytes), type, url: source.url };
    const context = { source, document: () => Promise.resolve(null) };
    assert.ok(passes(await pypi.parse(document, "certifi", context), pypiVersions));
  },
});

/** false: the package has no mature stable release with a date. */
function passes({ name, releases }: Index, scheme: VersionScheme): boolean {
  const { verdicts } = BUILT_IN.judge(releases, NOW);
  const mature = releases
    .map((release, position) => ({ ...dated(release), position }))
    .filter(({ version, publishedAt }) =>
      publishedAt !== null && publishedAt <= NOW - 10 * DAY && !scheme.isPrerelease(version)
    )
    .toSorted((a, b) => scheme.compare(b.version, a.version));
  const newest = mature.at(0);
  if (newest === undefined) return false;
  const { action, message } = verdicts[newest.position];
  assert.equal(action, "allow", `${name} ${newest.version}: ${message}`);
  return true;
}

function dated({ version, publishedAt }: Index["releases"][number]) {
  return { version, publishedAt };
}

function exists(folder: URL): boolean {
  try {
    return Deno.statSync(folder).isDirectory;
  } catch {
    return false;
  }
}
