/** npm packuments in the shape and at the compressibility of real ones. */
import { type Random, randomOf } from "./random.ts";

export interface PackumentOptions {
  readonly name: string;
  /** Ends in `/`. */
  readonly base: string;
  /** Unix ms; the newest versions were published in the ten days before. */
  readonly now: number;
  readonly versions: number;
  /** Of one version's manifest, roughly. */
  readonly bytesPerVersion: number;
  /** How many are younger than ten days. */
  readonly young: number;
  /** By version; absent: made up. */
  readonly dist?: (version: string) => Record<string, unknown>;
  readonly dependencies?: (version: string) => Record<string, string>;
  /** Absent: `versionOf`. */
  readonly version?: (position: number) => string;
}

const DAY = 24 * 3600_000;

/** Bytes of one version that documents of this size have: large ones carry long manifests. */
export function shapeOf(
  bytes: number,
): Pick<PackumentOptions, "versions" | "bytesPerVersion" | "young"> {
  const bytesPerVersion = bytes < 100_000 ? 1_000 : bytes < 2_000_000 ? 2_000 : 2_700;
  const versions = Math.max(2, Math.round(bytes / (bytesPerVersion + 45)));
  return { bytesPerVersion, versions, young: Math.ceil(versions * 0.08) };
}

/** Every fifth is stable, the others lead up to the next one. */
export function versionOf(position: number): string {
  const stable = Math.floor(position / 5);
  const [major, minor, patch] = [Math.floor(stable / 60), Math.floor(stable / 5) % 12, stable % 5];
  const core = `${major}.${minor}.${patch}`;
  return position % 5 === 0 ? core : `${major}.${minor}.${patch + 1}-dev.${position % 5}`;
}

export function packument(options: PackumentOptions): Record<string, unknown> {
  const { name, now, versions: count, young, version = versionOf } = options;
  const random = randomOf(name);
  const versions: Record<string, unknown> = {};
  const time: Record<string, string> = {};
  const oldest = Date.parse("2014-03-01T09:30:00.000Z");
  const youngest = now - 10 * DAY;
  time.created = new Date(oldest).toISOString();
  time.modified = new Date(now - 3600_000).toISOString();
  const names = Array.from({ length: count }, (_, position) => version(position));
  names.forEach((text, position) => {
    versions[text] = manifest(options, { version: text, position, random });
    const old = count - young;
    const at = position < old
      ? oldest + (youngest - DAY - oldest) * (position / Math.max(old, 1))
      : youngest + 9 * DAY * ((position - old + 1) / (young + 1));
    time[text] = new Date(Math.floor(at) + random.below(999)).toISOString();
  });
  const stable = names.filter((text) => !text.includes("-"));
  return {
    _id: name,
    _rev: `${count}-${random.hex(32)}`,
    name,
    "dist-tags": { latest: stable.at(-1) ?? names.at(-1), next: names.at(-1) },
    versions,
    time,
    maintainers: PEOPLE,
    description: "A package that a benchmark's registry serves",
    homepage: `https://packages.example/${name}`,
    keywords: ["benchmark", "proxy"],
    repository: { type: "git", url: `git+https://packages.example/${name}.git` },
    license: "MIT",
    readme: "",
    readmeFilename: "README.md",
  };
}

/** The form that installers ask for. */
export function abbreviated(full: Record<string, unknown>): Record<string, unknown> {
  const versions = full.versions as Record<string, Record<string, unknown>>;
  const time = full.time as Record<string, string>;
  return {
    name: full.name,
    modified: time.modified,
    "dist-tags": full["dist-tags"],
    versions: Object.fromEntries(
      Object.entries(versions).map(([version, manifest]) => [
        version,
        Object.fromEntries(Object.entries(manifest).filter(([key]) => SHORT.has(key))),
      ]),
    ),
  };
}

const SHORT = new Set([
  "name",
  "version",
  "dependencies",
  "devDependencies",
  "bin",
  "directories",
  "dist",
  "engines",
  "_hasShrinkwrap",
]);

const PEOPLE = [
  { name: "alice", email: "alice@packages.example" },
  { name: "bob", email: "bob@packages.example" },
];

function manifest(
  { name, base, bytesPerVersion, dist, dependencies }: PackumentOptions,
  { version, position, random }: { version: string; position: number; random: Random },
): Record<string, unknown> {
  const text: Record<string, unknown> = {
    name,
    version,
    description: "A package that a benchmark's registry serves",
    main: "lib/main.js",
    types: "lib/main.d.ts",
    scripts: SCRIPTS,
    repository: { type: "git", url: `git+https://packages.example/${name}.git` },
    author: { name: "alice", email: "alice@packages.example" },
    license: "MIT",
    engines: { node: position < 200 ? ">=14" : ">=18" },
    dependencies: dependencies?.(version) ?? {},
    devDependencies: {},
    gitHead: random.hex(40),
    _id: `${name}@${version}`,
    _nodeVersion: `22.${position % 12}.0`,
    _npmVersion: "10.9.2",
    dist: dist?.(version) ?? {
      integrity: `sha512-${random.base64(64)}`,
      shasum: random.hex(40),
      tarball: tarballAddress(base, name, version),
      fileCount: 40 + position % 17,
      unpackedSize: 200_000 + random.below(90_000),
      signatures: [{ keyid: KEY, sig: random.base64(71) }],
    },
    _npmUser: PEOPLE[0],
    directories: {},
    maintainers: PEOPLE,
    _npmOperationalInternal: {
      host: "s3://npm-registry-packages",
      tmp: `tmp/${name}_${version}_${1_600_000_000_000 + position}_0.${random.below(1e9)}`,
    },
    _hasShrinkwrap: false,
  };
  const missing = bytesPerVersion - JSON.stringify(text).length;
  text.devDependencies = developmentOf(missing, position);
  return text;
}

const KEY = "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA";

const SCRIPTS = {
  build: "tsc -p . && rollup -c",
  test: "node --test",
  lint: "eslint . --max-warnings 0",
  prepack: "npm run build",
};

export function tarballAddress(base: string, name: string, version: string): string {
  return `${base}${name}/-/${name.slice(name.indexOf("/") + 1)}-${version}.tgz`;
}

/** Fills a manifest up; what development needs changes with every tenth version. */
function developmentOf(bytes: number, position: number): Record<string, string> {
  const found: Record<string, string> = {};
  for (let i = 0, left = bytes; left > 40; i++) {
    const name = `development-tool-${i}`;
    const version = `^${1 + i % 7}.${Math.floor(position / 10) % 30}.${i % 9}`;
    found[name] = version;
    left -= name.length + version.length + 6;
  }
  return found;
}
