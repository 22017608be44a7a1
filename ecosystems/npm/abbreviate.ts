/** The abbreviated packument, built here because the upstream's own has no `time` to judge by. */
import { KeyTable, walkObject } from "./json_scan.ts";
import { skipValue } from "./json_scan.ts";
import type { Layout, TopMember, VersionFacts, VersionSpan } from "./layout.ts";

/** Members that an installer reads: https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md */
const KEPT = new KeyTable([
  "name",
  "version",
  "deprecated",
  "dependencies",
  "optionalDependencies",
  "devDependencies",
  "bundleDependencies",
  "bundledDependencies",
  "peerDependencies",
  "peerDependenciesMeta",
  "acceptDependencies",
  "bin",
  "directories",
  "dist",
  "engines",
  "os",
  "cpu",
  "libc",
  "funding",
  "_hasShrinkwrap",
]);

const INSTALL_SCRIPT = new TextEncoder().encode(`,"hasInstallScript":true`);

/** A layout of the abbreviated form, with every version of the full one. */
export function abbreviate(
  full: Layout,
  name: string,
  facts: readonly VersionFacts[],
): Layout {
  const out = new Writer(full.bytes.length >> 1);
  const members: TopMember[] = [];
  const versions: VersionSpan[] = [];
  const member = (key: TopMember["key"], label: string, write: () => void) => {
    if (members.length > 0) out.text(",");
    const start = out.length;
    out.text(`${JSON.stringify(label)}:`);
    const value = out.length;
    write();
    members.push({ key, start, value, end: out.length });
  };
  out.text("{");
  member(null, "name", () => out.text(JSON.stringify(name)));
  const modified = full.time?.modified;
  if (typeof modified === "string") {
    member(null, "modified", () => out.text(JSON.stringify(modified)));
  }
  member("dist-tags", "dist-tags", () => out.text(JSON.stringify(full.tags)));
  member("versions", "versions", () => {
    out.text("{");
    full.versions.forEach((span, i) => {
      if (i > 0) out.text(",");
      versions.push(abbreviateVersion(out, full.bytes, span, facts[i]));
    });
    out.text("}");
  });
  out.text("}");
  return { bytes: out.bytes(), members, versions, tags: full.tags, time: null };
}

function abbreviateVersion(
  out: Writer,
  bytes: Uint8Array,
  span: VersionSpan,
  facts: VersionFacts,
): VersionSpan {
  const start = out.length;
  out.copy(bytes, span.start, span.value);
  const value = out.length;
  let tarballStart = 0;
  let first = true;
  out.text("{");
  walkObject(bytes, span.value, (keyStart, keyEnd, valueStart) => {
    const end = skipValue(bytes, valueStart);
    const key = KEPT.find(bytes, keyStart, keyEnd);
    if (key === null) return end;
    if (!first) out.text(",");
    first = false;
    if (key === "dist" && span.tarballEnd > 0) {
      tarballStart = out.length + span.tarballStart - keyStart;
    }
    out.copy(bytes, keyStart, end);
    return end;
  });
  if (facts.installScripts) out.copy(INSTALL_SCRIPT, first ? 1 : 0, INSTALL_SCRIPT.length);
  out.text("}");
  return {
    version: span.version,
    start,
    value,
    end: out.length,
    tarballStart,
    tarballEnd: tarballStart === 0 ? 0 : tarballStart + span.tarballEnd - span.tarballStart,
  };
}

/** Bytes that grow. */
export class Writer {
  #bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(size: number) {
    this.#bytes = new Uint8Array(Math.max(size, 1024));
  }

  text(text: string): void {
    this.#reserve(text.length * 3);
    this.length += encoder.encodeInto(text, this.#bytes.subarray(this.length)).written;
  }

  copy(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    this.#bytes.set(bytes.subarray(start, end), this.length);
    this.length += end - start;
  }

  /** A copy of exactly what was written. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length);
  }

  #reserve(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + more));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
  }
}

const encoder = new TextEncoder();
