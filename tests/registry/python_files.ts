/** Builds wheels and sdists that real pip installs. */
import { createHash } from "node:crypto";
import { tarGzip } from "./tar.ts";
import { zip, type ZipEntry } from "./zip.ts";

export interface Distribution {
  readonly name: string;
  readonly version: string;
  /** Requirement specifiers of the dependencies. */
  readonly dependencies: readonly string[];
  readonly requiresPython?: string;
}

/** PEP 427's spelling within file names. */
export function escaped(text: string): string {
  return text.replace(/[-_.]+/g, "_").toLowerCase();
}

export function coreMetadata(
  { name, version, dependencies, requiresPython }: Distribution,
): string {
  const lines = ["Metadata-Version: 2.1", `Name: ${name}`, `Version: ${version}`];
  lines.push(`Summary: ${name} for a test`);
  if (requiresPython) lines.push(`Requires-Python: ${requiresPython}`);
  for (const dependency of dependencies) lines.push(`Requires-Dist: ${dependency}`);
  return `${lines.join("\n")}\n`;
}

export function wheelFilename({ name, version }: Distribution, build = ""): string {
  const part = build === "" ? "" : `-${build}`;
  return `${escaped(name)}-${version.replaceAll("-", "_")}${part}-py3-none-any.whl`;
}

/** A wheel with one module that has `__version__`. */
export function buildWheel(distribution: Distribution): Uint8Array<ArrayBuffer> {
  const { name, version } = distribution;
  const info = `${escaped(name)}-${version.replaceAll("-", "_")}.dist-info`;
  const files: ZipEntry[] = [
    { path: `${escaped(name)}/__init__.py`, content: `__version__ = ${JSON.stringify(version)}\n` },
    { path: `${info}/METADATA`, content: coreMetadata(distribution) },
    {
      path: `${info}/WHEEL`,
      content: "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    },
  ];
  const lines = files.map(({ path, content }) => {
    const digest = createHash("sha256").update(content).digest("base64url");
    return `${path},sha256=${digest},${new TextEncoder().encode(content).length}\n`;
  });
  const record = { path: `${info}/RECORD`, content: `${lines.join("")}${info}/RECORD,,\n` };
  return zip([...files, record]);
}

/** A source archive whose build needs nothing from any index: it hands out the wheel it holds. */
export function buildSdist(distribution: Distribution): Uint8Array<ArrayBuffer> {
  const { name, version } = distribution;
  const top = `${escaped(name)}-${version}`;
  const wheel = wheelFilename(distribution);
  return tarGzip([
    { path: `${top}/PKG-INFO`, content: coreMetadata(distribution) },
    {
      path: `${top}/pyproject.toml`,
      content: '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    },
    {
      path: `${top}/backend.py`,
      content: "import shutil\n\n\ndef build_wheel(folder, settings=None, metadata=None):\n" +
        `    shutil.copy(${JSON.stringify(wheel)}, folder)\n    return ${JSON.stringify(wheel)}\n`,
    },
    { path: `${top}/${wheel}`, content: buildWheel(distribution) },
  ]);
}
