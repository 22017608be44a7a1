/** A lockfile of each format with as many releases as asked for. */

interface Sample {
  readonly filename: string;
  /** Whether every part of the file that is not the whole is broken. */
  readonly closed: boolean;
  make(count: number): string;
}

const REGISTRY = "https://registry.example";
const SHA512 = `sha512-${"KmMz+X68YvrS6aN6TJWtDiH8aCIL".repeat(3)}==`;
const SHA256 = "0123456789abcdef".repeat(4);

function each(count: number, write: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => write(i)).join("");
}

function members<T>(count: number, entry: (i: number) => [string, T]): Record<string, T> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => entry(i)));
}

const json = (value: unknown) => JSON.stringify(value, null, 2);
const tarball = (i: number) => `${REGISTRY}/@a/p${i}/-/p${i}-1.${i}.0.tgz`;
const python = (i: number) => `[[package]]\nname = "p${i}"\nversion = "1.${i}"\n`;
const file = (i: number) => `{file = "p${i}-1.${i}.tar.gz", hash = "sha256:${SHA256}"}`;

const NPM_FAMILY: readonly Sample[] = [
  {
    filename: "package-lock.json",
    closed: true,
    make: (count) =>
      json({
        lockfileVersion: 3,
        packages: members(count, (i) => [`node_modules/@a/p${i}`, {
          version: `1.${i}.0`,
          resolved: tarball(i),
          integrity: SHA512,
          dependencies: { a: "^1.0.0" },
        }]),
      }),
  },
  {
    filename: "npm-shrinkwrap.json",
    closed: true,
    make: (count) =>
      json({
        lockfileVersion: 1,
        dependencies: members(count, (i) => [`@a/p${i}`, {
          version: `1.${i}.0`,
          resolved: tarball(i),
          integrity: SHA512,
        }]),
      }),
  },
  {
    filename: "pnpm-lock.yaml",
    closed: false,
    make: (count) =>
      "lockfileVersion: '9.0'\n\npackages:\n" +
      each(count, (i) =>
        `\n  '@a/p${i}@1.${i}.0':\n    resolution: {integrity: ${SHA512}}\n` +
        "    engines: {node: '>=8'}\n") +
      "\nsnapshots:\n" +
      each(count, (i) =>
        `\n  '@a/p${i}@1.${i}.0(react@18.0.0)':\n    dependencies:\n      a: 1.0.0\n`),
  },
  {
    filename: "yarn.lock",
    closed: false,
    make: (count) =>
      "# yarn lockfile v1\n\n" +
      each(count, (i) =>
        `\n"@a/p${i}@^1.0.0", "@a/p${i}@~1.${i}.0":\n  version "1.${i}.0"\n` +
        `  resolved "${tarball(i)}#0123"\n  integrity ${SHA512}\n  dependencies:\n    a "^1"\n`),
  },
  {
    filename: "berry/yarn.lock",
    closed: false,
    make: (count) =>
      "__metadata:\n  version: 8\n" +
      each(count, (i) =>
        `\n"@a/p${i}@npm:^1.0.0":\n  version: 1.${i}.0\n  resolution: "@a/p${i}@npm:1.${i}.0"\n` +
        `  dependencies:\n    a: "npm:^1"\n  checksum: 10c0/${SHA256}\n  languageName: node\n`),
  },
  {
    filename: "bun.lock",
    closed: true,
    make: (count) =>
      '{\n  "lockfileVersion": 1,\n  "workspaces": {},\n  "packages": {\n' +
      each(count, (i) => `    "@a/p${i}": ["@a/p${i}@1.${i}.0", "", {}, "${SHA512}"],\n`) +
      "  },\n}",
  },
  {
    filename: "deno.lock",
    closed: true,
    make: (count) =>
      json({
        version: "5",
        specifiers: members(count, (i) => [`npm:@a/p${i}@1`, `1.${i}.0`]),
        npm: members(count, (i) => [`@a/p${i}@1.${i}.0`, { integrity: SHA512 }]),
      }),
  },
];

const PYTHON: readonly Sample[] = [
  {
    filename: "requirements.txt",
    closed: false,
    make: (count) => each(count, (i) => `p${i}==1.${i} \\\n    --hash=sha256:${SHA256}\n`),
  },
  {
    filename: "uv.lock",
    closed: false,
    make: (count) =>
      'version = 1\nrequires-python = ">=3.11"\n' +
      each(count, (i) =>
        `\n${python(i)}source = { registry = "https://pypi.org/simple" }\n` +
        `sdist = { url = "https://files.example/p${i}.tar.gz", hash = "sha256:${SHA256}" }\n` +
        `wheels = [\n    { url = "https://files.example/p${i}.whl", hash = "sha256:${SHA256}" },\n]\n`),
  },
  {
    filename: "poetry.lock",
    closed: false,
    make: (count) =>
      each(count, (i) => `${python(i)}files = [\n    ${file(i)},\n]\n\n`) +
      '[metadata]\nlock-version = "2.1"\ncontent-hash = "0123"\n',
  },
  {
    filename: "pdm.lock",
    closed: false,
    make: (count) =>
      '[metadata]\nlock_version = "4.5.0"\ncontent_hash = "0123"\n\n' +
      each(count, (i) => `${python(i)}files = [\n    ${file(i)},\n]\n\n`),
  },
  {
    filename: "pylock.toml",
    closed: false,
    make: (count) =>
      'lock-version = "1.0"\n' +
      each(count, (i) => `\n${python(i).replace("package", "packages")}`),
  },
  {
    filename: "Pipfile.lock",
    closed: true,
    make: (count) =>
      json({
        _meta: { "pipfile-spec": 6 },
        default: members(count, (i) => [`p${i}`, {
          hashes: [`sha256:${SHA256}`],
          version: `==1.${i}`,
        }]),
      }),
  },
];

export const SAMPLES: readonly Sample[] = [
  ...NPM_FAMILY,
  ...PYTHON,
  {
    filename: "Cargo.lock",
    closed: false,
    make: (count) =>
      "version = 4\n" +
      each(count, (i) =>
        `\n[[package]]\nname = "p${i}"\nversion = "1.${i}.0"\n` +
        `source = "registry+https://github.com/rust-lang/crates.io-index"\n` +
        `checksum = "${SHA256}"\n`),
  },
  {
    filename: "bom.json",
    closed: true,
    make: (count) =>
      json({
        bomFormat: "CycloneDX",
        specVersion: "1.6",
        metadata: { component: { type: "application", name: "app" } },
        components: Array.from({ length: count }, (_, i) => ({
          type: "library",
          name: `p${i}`,
          purl: `pkg:npm/%40a/p${i}@1.${i}.0`,
          hashes: [{ alg: "SHA-256", content: SHA256 }],
        })),
      }),
  },
  {
    filename: "spdx.json",
    closed: true,
    make: (count) =>
      json({
        spdxVersion: "SPDX-2.3",
        documentDescribes: [],
        relationships: [{ relationshipType: "CONTAINS", relatedSpdxElement: "SPDXRef-1" }],
        packages: Array.from({ length: count }, (_, i) => ({
          SPDXID: `SPDXRef-${i}`,
          name: `p${i}`,
          checksums: [{ algorithm: "SHA256", checksumValue: SHA256 }],
          externalRefs: [{ referenceType: "purl", referenceLocator: `pkg:pypi/p${i}@1.${i}` }],
        })),
      }),
  },
  {
    filename: "spdx3.json",
    closed: true,
    make: (count) =>
      json({
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": Array.from({ length: count }, (_, i) => ({
          type: "software_Package",
          spdxId: `urn:${i}`,
          name: `p${i}`,
          software_packageUrl: `pkg:pypi/p${i}@1.${i}`,
        })),
      }),
  },
  {
    filename: "purls.json",
    closed: true,
    make: (count) => json(Array.from({ length: count }, (_, i) => `pkg:npm/p${i}@1.${i}.0`)),
  },
  {
    filename: "purls.txt",
    closed: false,
    make: (count) => each(count, (i) => `pkg:cargo/p${i}@1.${i}.0\n`),
  },
];
