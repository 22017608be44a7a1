import assert from "node:assert/strict";
import fc from "fast-check";
import { visibleTags } from "../../../ecosystems/npm/tags.ts";
import { readLifts } from "../../../ecosystems/npm/advisories.ts";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";

function tags(all: Record<string, string>, visible: string[]) {
  return { ...visibleTags(all, (version) => visible.includes(version), () => visible) };
}

Deno.test("a tag that names a visible version stays", () => {
  assert.deepEqual(tags({ latest: "1.9.1", next: "2.0.0" }, ["1.9.1", "2.0.0", "3.0.0"]), {
    latest: "1.9.1",
    next: "2.0.0",
  });
});

Deno.test("a hidden `latest` is the highest visible stable version not above it", () => {
  assert.deepEqual(tags({ latest: "2.0.0" }, ["1.9.1", "1.10.0", "2.0.0-rc.1", "3.0.0"]), {
    latest: "1.10.0",
  });
});

Deno.test("`latest` names something as long as anything is visible: clients break without it", () => {
  assert.deepEqual(tags({ latest: "1.0.0" }, ["2.0.0", "3.0.0"]), { latest: "3.0.0" });
  assert.deepEqual(tags({ latest: "1.0.0" }, ["2.0.0-beta.1"]), { latest: "2.0.0-beta.1" });
  assert.deepEqual(tags({ latest: "1.0.0" }, []), {});
});

Deno.test("a hidden `latest` of a package without stable versions is no pre-release above it either", () => {
  const visible = ["1.0.0-beta.3", "1.0.0-beta.4", "1.0.0-beta.6", "2.0.0-alpha.1"];
  assert.deepEqual(tags({ latest: "1.0.0-beta.5" }, visible), { latest: "1.0.0-beta.4" });
  assert.deepEqual(tags({ latest: "1.0.0-beta.1" }, visible), { latest: "2.0.0-alpha.1" });
});

Deno.test("another hidden tag keeps to its major and pre-release channel, or goes", () => {
  const visible = ["1.0.0", "2.0.0", "3.0.0-alpha.9", "3.0.0-beta.1", "3.0.0-beta.10"];
  assert.deepEqual(
    tags({ beta: "3.0.0-beta.11", alpha: "3.0.0-alpha.1", old: "1.4.0", lts: "4.0.0" }, visible),
    {
      beta: "3.0.0-beta.10",
      old: "1.0.0",
    },
  );
});

Deno.test("a tag of any version keeps to the highest below it, however many tags there are", () => {
  const number = fc.nat({ max: 3 });
  const channel = fc.constantFrom("", "", "-beta.1", "-beta.2", "-rc", "+build");
  const version = fc.tuple(number, number, channel).map(([a, b, more]) => `${a}.${b}.0${more}`);
  fc.assert(fc.property(fc.array(version), fc.array(version), (named, listed) => {
    const visible = [...new Set(listed)].filter((text) => !named.includes(text));
    const all = Object.fromEntries(named.map((text, i) => [`t${i}`, text]));
    const alone = named.map((text, i) => tags({ [`t${i}`]: text }, visible));
    assert.deepEqual(tags(all, visible), Object.assign({}, ...alone));
  }));
});

Deno.test("tags and versions by the ten thousands, and versions of any text, take no longer", () => {
  const count = 20_000;
  const all = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`t${i}`, `1.0.${2 * i + 1}`]),
  );
  const visible = Array.from({ length: count }, (_, i) => `1.0.${2 * i}`);
  const found = visibleTags(all, () => false, () => visible);
  assert.deepEqual(Object.values(found), visible);
  assert.deepEqual(tags({ odd: `1.0.0-beta${"1".repeat(50_000)}\n` }, ["1.0.0-beta"]), {});
});

Deno.test("a stable tag never comes to name a pre-release, nor a pre-release's tag a stable version", () => {
  assert.deepEqual(tags({ lts: "2.5.1" }, ["2.4.0", "2.5.0", "2.5.1-0"]), { lts: "2.5.0" });
  assert.deepEqual(tags({ "latest-2": "2.5.1" }, ["2.5.0", "2.5.1-20260101"]), {
    "latest-2": "2.5.0",
  });
  assert.deepEqual(tags({ next: "2.5.1-3" }, ["2.5.0", "2.4.0", "2.5.1-rc.1"]), {});
  assert.deepEqual(tags({ next: "2.5.1-3" }, ["2.5.1-2", "2.5.0-20", "2.5.1-4"]), {
    next: "2.5.1-2",
  });
  assert.deepEqual(tags({ old: "1.5.0" }, ["1.4.0beta", "v1.3.0"]), { old: "v1.3.0" });
});

Deno.test("the channel of a pre-release is its words, not the commit or the day behind them", () => {
  const canary = ["19.0.0-canary-0c6348758-20240304", "19.0.0-canary-a1b2c3d-20240303"];
  assert.deepEqual(tags({ canary: "19.0.0-canary-b9f6dd1-20240305" }, canary), {
    canary: canary[1],
  });
  assert.deepEqual(tags({ canary: "19.0.0-canary-deadbeef-20240305" }, canary), {
    canary: canary[1],
  });
  for (
    const [hidden, visible] of [
      ["1.0.0-alpha2", "1.0.0-alpha1"],
      ["1.0.0-rc.2", "1.0.0-rc.1"],
      ["1.0.0beta2", "1.0.0beta1"],
      ["0.0.0-fix-login-20240305", "0.0.0-fix-login-20240304"],
      ["5.0.0-dev.20240305", "5.0.0-dev.20240304+build-x"],
    ]
  ) {
    const others = ["1.0.0-beta.0", "1.0.0-next.1", "0.0.0-fix-crash-20240301", "5.0.0-x.1"];
    assert.deepEqual(tags({ tag: hidden }, [visible, ...others]), { tag: visible }, hidden);
    assert.deepEqual(tags({ tag: hidden }, others.filter((it) => !/^1.0.0-b/.test(it))), {});
  }
});

Deno.test("as many withheld tags as versions are looked up in versions that were read once", () => {
  const versions = Array.from({ length: 20_000 }, (_, i) => `5.3.0-pr${i}.${i}`);
  const all: Record<string, string> = { latest: "6.0.0" };
  versions.forEach((version, i) => all[`pr${i}`] = `${version}.next`);
  let asked = 0;
  const kept = visibleTags(all, () => false, () => {
    asked++;
    return versions;
  });
  assert.equal(asked, 1);
  assert.equal(kept.pr12345, "5.3.0-pr12345.12345");
  assert.equal(kept.latest, "5.3.0-pr9999.9999");
});

Deno.test("advisories are read in both of npm's forms", () => {
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  assert.deepEqual(
    readLifts(encode({ a: [{ vulnerable_versions: "<1" }, { vulnerable_versions: ">=3 <4" }] })),
    [
      { name: "a", vulnerable: ["<1", ">=3 <4"] },
    ],
  );
  assert.deepEqual(
    readLifts(encode({ advisories: { 7: { module_name: "a", vulnerable_versions: "<1" } } })),
    [
      { name: "a", vulnerable: ["<1"] },
    ],
  );
  assert.deepEqual(readLifts(encode({ a: [{ title: "no range" }] })), [{
    name: "a",
    vulnerable: ["*"],
  }]);
  assert.deepEqual(readLifts(encode({})), []);
});

Deno.test("any number of advisories may speak of one package", () => {
  const answer = `{"a":[{}${",{}".repeat(400_000)}]}`;
  assert.equal(readLifts(new TextEncoder().encode(answer))[0].vulnerable.length, 400_001);
});

Deno.test("an advisory answer that cannot be read is a failure, never `no advisories`", () => {
  for (const text of ["", "[]", "null", "<html>"]) {
    assert.throws(() => readLifts(new TextEncoder().encode(text)), InvalidMetadata, text);
  }
});
