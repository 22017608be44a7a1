import { Buffer } from "node:buffer";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Trust } from "../../policy/types.ts";
import { tarGzip } from "./tar.ts";

export interface NpmPublish {
  name: string;
  version: string;
  /** Default 2020-01-01; a string is written as it is; null: no entry in `time`. */
  publishedAt?: Date | string | null;
  dependencies?: Record<string, string>;
  bin?: string | Record<string, string>;
  scripts?: Record<string, string>;
  deprecated?: string;
  /** Evidence in the manifest; default `none`. */
  trust?: Trust;
  /** Default `latest`. */
  tag?: string;
  /** Path below `package/` to text; `index.js` is there by default. */
  files?: Record<string, string>;
  /** Merged into the manifest. */
  extra?: Record<string, unknown>;
  /** Instead of the true `dist.integrity`. */
  integrity?: string;
}

export type Manifest = Record<string, unknown> & { name: string; version: string };

export interface BuiltPackage {
  manifest: Manifest;
  tarball: Uint8Array<ArrayBuffer>;
  integrity: string;
  shasum: string;
}

/** The key that signs `dist.signatures`, as `npm audit signatures` checks them. */
export interface SigningKey {
  id: string;
  /** SubjectPublicKeyInfo, Base64. */
  spki: string;
  key: KeyObject;
}

export function makeSigningKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const der = publicKey.export({ type: "spki", format: "der" });
  const id = `SHA256:${createHash("sha256").update(der).digest("base64").replace(/=+$/, "")}`;
  return { id, spki: der.toString("base64"), key: privateKey };
}

/** Packs a version and writes its manifest as a registry shows it. */
export function buildPackage(
  given: NpmPublish,
  { base, signing }: { base: string; signing: SigningKey },
): BuiltPackage {
  const { name, version } = given;
  const described = {
    name,
    version,
    description: `${name} of the test registry`,
    license: "MIT",
    ...(given.dependencies && { dependencies: given.dependencies }),
    ...(given.bin && { bin: given.bin }),
    ...(given.scripts && { scripts: given.scripts }),
  };
  const files: Record<string, string> = {
    "package.json": `${JSON.stringify(described, null, 2)}\n`,
    "index.js": `module.exports = ${JSON.stringify(`${name}@${version}`)};\n`,
    ...given.files,
  };
  const tarball = tarGzip(
    Object.entries(files).map(([path, content]) => ({
      path: `package/${path}`,
      content,
      mode: path.startsWith("bin/") ? 0o755 : 0o644,
    })),
  );
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  const shasum = createHash("sha1").update(tarball).digest("hex");
  const signed = Buffer.from(`${name}@${version}:${integrity}`);
  const manifest = {
    ...described,
    ...(given.deprecated !== undefined && { deprecated: given.deprecated }),
    _id: `${name}@${version}`,
    _nodeVersion: "24.0.0",
    _npmVersion: "11.0.0",
    maintainers: [{ name: "maintainer", email: "maintainer@packages.example" }],
    _npmUser: user(given.trust ?? "none"),
    dist: {
      integrity: given.integrity ?? integrity,
      shasum,
      tarball: `${base}${name}/-/${name.split("/").at(-1)}-${version}.tgz`,
      fileCount: Object.keys(files).length,
      unpackedSize: Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0),
      ...(given.trust && given.trust !== "none" && {
        attestations: {
          url: `${base}-/npm/v1/attestations/${name}@${version}`,
          provenance: { predicateType: "https://slsa.dev/provenance/v1" },
        },
      }),
      signatures: [{
        keyid: signing.id,
        sig: sign("sha256", signed, signing.key).toString("base64"),
      }],
    },
    _hasShrinkwrap: false,
    ...given.extra,
  };
  return { manifest, tarball, integrity, shasum };
}

/** The publisher, as the registry notes it for each way of publishing. */
function user(trust: Trust): Record<string, unknown> {
  const person = { name: "maintainer", email: "maintainer@packages.example" };
  if (trust === "none" || trust === "provenance") return person;
  return {
    name: "GitHub Actions",
    email: "actions@packages.example",
    ...(trust === "approved" && { approver: person }),
    trustedPublisher: { id: "github", oidcConfigId: "oidc:00000000-0000-4000-8000-000000000000" },
  };
}

const ABBREVIATED = [
  ..."name version deprecated dependencies optionalDependencies devDependencies".split(" "),
  ..."bundleDependencies peerDependencies peerDependenciesMeta bin directories dist".split(" "),
  ..."engines cpu os libc funding _hasShrinkwrap".split(" "),
];

/** What `application/vnd.npm.install-v1+json` shows of a version. */
export function abbreviate(manifest: Manifest): Record<string, unknown> {
  const scripts = Object.keys(manifest.scripts ?? {});
  const kept = ABBREVIATED.filter((key) => key in manifest).map((key) => [key, manifest[key]]);
  return {
    ...Object.fromEntries(kept),
    ...(scripts.some((script) => /^(pre|post)?install$/.test(script)) &&
      { hasInstallScript: true }),
  };
}
