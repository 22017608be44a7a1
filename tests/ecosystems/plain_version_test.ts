import assert from "node:assert/strict";
import fc from "fast-check";
import parse from "semver/parse";
import { comparePlain, plainVersion } from "../../ecosystems/plain_version.ts";

const identifier = fc.oneof(
  fc.constantFrom("rc", "beta", "alpha1", "0", "00", "01", "1", "10", "2", "-", "x-y", "1a", "A"),
  fc.stringMatching(/^[0-9A-Za-z-]{1,8}$/),
);
const number = fc.oneof(
  { weight: 20, arbitrary: fc.nat(3).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("00", "01", "999999999999999", "9999999999999999", "9".repeat(40)),
  },
);
const core = fc.oneof(
  { weight: 9, arbitrary: fc.array(number, { minLength: 3, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.array(number, { minLength: 2, maxLength: 4 }) },
);
const ending = fc.oneof(
  { weight: 9, arbitrary: fc.constant("") },
  { weight: 1, arbitrary: fc.constantFrom("+build", " ", ".") },
);
const version = fc.tuple(core, fc.array(identifier, { maxLength: 3 }), ending).map(
  ([numbers, channel, end]) =>
    `${numbers.join(".")}${channel.length > 0 ? "-" : ""}${channel.join(".")}${end}`,
);

for (const [name, options] of [["loosely", { loose: true }], ["strictly", {}]] as const) {
  Deno.test(`plain versions are those of semver read ${name}, in its order`, () => {
    let seen = 0;
    fc.assert(
      fc.property(version, version, (a, b) => {
        const [plainA, plainB] = [plainVersion(a), plainVersion(b)];
        for (const [text, plain] of [[a, plainA], [b, plainB]] as const) {
          if (plain === null) continue;
          const parsed = parse(text, options);
          assert(parsed !== null, text);
          assert.deepEqual(
            [plain.major, plain.minor, plain.patch, plain.channel ?? []],
            [parsed.major, parsed.minor, parsed.patch, [...parsed.prerelease]],
          );
        }
        if (plainA === null || plainB === null) return;
        seen++;
        const [left, right] = [parse(a, options), parse(b, options)];
        assert.equal(Math.sign(comparePlain(plainA, plainB)), left?.compare(right ?? ""));
      }),
      { numRuns: 5_000 },
    );
    assert(seen > 500, `${seen} pairs were plain`);
  });
}

Deno.test("what is not plainly written is left to semver", () => {
  const others = [
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "v1.2.3",
    " 1.2.3",
    "1.2.3 ",
    "01.2.3",
    "1.2.3-",
    "1.2.3-01",
  ];
  others.push(
    "1.2.3-a..b",
    "1.2.3+b",
    "1.2.3beta",
    "1.2.3-ä",
    `1.2.${"3".repeat(16)}`,
    `1.2.3-${"a".repeat(300)}`,
  );
  for (const text of others) assert.equal(plainVersion(text), null, text);
});
