/** Cargo.lock. */
import assert from "node:assert/strict";
import { assertInvalid, lines, read, skipped } from "./reading.ts";

const CRATES = "registry+https://github.com/rust-lang/crates.io-index";

const PACKAGES = `[[package]]
name = "app"
version = "0.1.0"
dependencies = ["serde_json"]

[[package]]
name = "serde_json"
version = "1.0.100"
source = "${CRATES}"
checksum = "aaaa"

[[package]]
name = "own"
version = "2.0.0+build.1"
source = "sparse+https://crates.example/index/"

[[package]]
name = "g"
version = "1.0.0"
source = "git+https://git.example/a/g?branch=main#0123"

[[package]]
name = "d"
version = "1.0.0"
source = "directory+file:///vendor"
`;

Deno.test("Cargo.lock is read in all its versions", async () => {
  const first = PACKAGES.replace('checksum = "aaaa"\n', "") +
    `[metadata]\n"checksum serde_json 1.0.100 (${CRATES})" = "aaaa"\n`;
  const samples = [first, PACKAGES, `version = 3\n${PACKAGES}`, `version = 4\n${PACKAGES}`];
  for (const [i, sample] of samples.entries()) {
    const locked = await read(sample);
    assert.equal(locked.format, `Cargo.lock ${i + 1}`);
    const shift = i < 2 ? 0 : 1;
    assert.deepEqual(lines(locked), {
      "pkg:cargo/serde_json@1.0.100": 6 + shift,
      "pkg:cargo/own@2.0.0+build.1": (i === 0 ? 11 : 12) + shift,
    });
    const [serde] = locked.entries;
    assert.deepEqual([serde.name, serde.integrity], ["serde_json", "sha256:aaaa"]);
    assert.deepEqual(skipped(locked), [
      "app@0.1.0 is a crate of the project",
      "g@1.0.0 is from git (git.example/a/g)",
      "d@1.0.0 is from no registry (/vendor)",
    ]);
  }
});

Deno.test("a Cargo.lock of another version, or with a crate that says too little, is refused", async () => {
  await assertInvalid(`version = 5\n${PACKAGES}`, /Its version is "5"; known are 1 to 4/);
  await assertInvalid(`version = 4\n[[package]]\nname = "a"\n`, /line 2: .*no version/);
  await assertInvalid(`[package]\nname = "a"\n`, /"package" is an object/, "Cargo.lock");
});
