/** The abbreviated packument, built here because the upstream's own has no `time` to judge by. */
import { KeyTable, Members, skipValue } from "./json_scan.ts";
import type { Layout, TopMember, VersionSpan } from "./layout.ts";
import type { VersionFacts } from "./manifest.ts";
import { KeptMembers, Writer } from "./writer.ts";

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
  { name, modified, facts }: {
    name: string;
    /** null: left out. */
    modified: string | null;
    facts: readonly VersionFacts[];
  },
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
  if (modified !== null) {
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
  return { bytes: out.bytes(), members, versions, tags: full.tags, times: [] };
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
  /** How far the address of the tarball moved. */
  let moved = 0;
  const kept = new KeptMembers(out, bytes, (from, to) => {
    if (span.tarballStart > from && span.tarballStart < to) moved = out.length - from;
  });
  out.text("{");
  const members = new Members(bytes, span.value);
  while (members.next()) {
    members.end = skipValue(bytes, members.value);
    if (KEPT.find(bytes, members.keyStart, members.keyEnd) === null) kept.flush();
    else kept.keep(members.keyStart, members.end);
  }
  kept.flush();
  if (facts.installScripts) out.copy(INSTALL_SCRIPT, kept.isFirst ? 1 : 0, INSTALL_SCRIPT.length);
  out.text("}");
  const move = (position: number) => position === 0 ? 0 : position + moved;
  return {
    version: span.version,
    start,
    value,
    end: out.length,
    tarballStart: move(span.tarballStart),
    tarballEnd: move(span.tarballEnd),
    tailStart: move(span.tailStart),
  };
}
