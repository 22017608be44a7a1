/** A packument of no package, for a process that has not read one yet. */

const VERSIONS = 40;

/** As the public registry writes them, with every kind of member that is looked at. */
export function samplePackument(
  registry: string,
): { name: string; bytes: Uint8Array<ArrayBuffer> } {
  const name = "@sample/package";
  const versions = Array.from({ length: VERSIONS }, (_, i) => `1.${i}.0`);
  const document = {
    _id: name,
    name,
    "dist-tags": { latest: versions.at(-1), next: versions[3] },
    versions: Object.fromEntries(
      versions.map((version, i) => [version, manifest({ name, version, registry, i })]),
    ),
    time: Object.fromEntries(
      versions.map((version, i) => [version, new Date(Date.UTC(2020, 0, 1 + i)).toISOString()]),
    ),
    readme: `# ${name}\n\n`.repeat(40),
  };
  return { name, bytes: new TextEncoder().encode(JSON.stringify(document)) };
}

function manifest(
  { name, version, registry, i }: { name: string; version: string; registry: string; i: number },
) {
  return {
    name,
    version,
    description: "Read once and thrown away, so that the code that reads packuments is compiled.",
    license: "MIT",
    main: "index.js",
    files: ["lib", "index.js"],
    engines: { node: ">=18" },
    scripts: i % 7 === 0 ? { postinstall: "node install.js" } : { test: "node --test" },
    dependencies: { first: "^1.0.0", second: "~2.1.0", third: ">=3 <5" },
    devDependencies: { fourth: "^4.0.0", fifth: "^5.0.0", sixth: "^6.0.0" },
    repository: { type: "git", url: `git+https://${name}.example/repository.git` },
    maintainers: [{ name: "somebody", email: "somebody@sample.example" }],
    dist: {
      integrity: `sha512-${"A".repeat(86)}==`,
      shasum: "0".repeat(40),
      tarball: `${registry}${name}/-/package-${version}.tgz`,
      fileCount: 12,
      unpackedSize: 34567,
      signatures: [{ keyid: "SHA256:sample", sig: "M".repeat(94) }],
      ...(i % 2 === 0 ? { attestations: { url: "x", provenance: { predicateType: "y" } } } : {}),
    },
    _npmUser: i % 2 === 0
      ? { name: "robot", trustedPublisher: { id: "github", oidcConfigId: "oidc:1" } }
      : { name: "somebody", email: "somebody@sample.example" },
    _hasShrinkwrap: false,
  };
}
