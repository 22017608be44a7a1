/** Cuts an answer out of a packument: versions let through, addresses of this proxy, tags that hold. */
import { Writer } from "./abbreviate.ts";
import type { Layout, TopMember, VersionSpan } from "./layout.ts";
import { visibleTags } from "./tags.ts";

export interface Cut {
  /** Whether the version at a position of `layout.versions` is let through. */
  readonly isKept: (position: number) => boolean;
  /** How many are not. */
  readonly hidden: number;
  /** The tarball's address for the client; null: leave upstream's. */
  readonly tarball: (position: number) => string | null;
  /** Told to clients that read `policyRestrictions`. */
  readonly restrictions: () => { message: string; versions: Record<string, unknown> };
}

/** The document of this layout, whatever is withheld cut out of versions, times and tags. */
export function renderLayout(layout: Layout, cut: Cut): Uint8Array<ArrayBuffer> {
  const out = new Writer(layout.bytes.length + layout.versions.length * 32 + 1024);
  const kept = cut.hidden === 0 ? null : keptVersions(layout, cut);
  out.text("{");
  let first = true;
  for (const member of layout.members) {
    if (kept !== null && member.key === "policyRestrictions") continue;
    if (!first) out.text(",");
    first = false;
    writeMember(out, layout, { member, cut, kept });
  }
  if (kept !== null) {
    if (!first) out.text(",");
    out.text(`"policyRestrictions":${JSON.stringify(cut.restrictions())}`);
  }
  out.text("}");
  return out.bytes();
}

/** One version's manifest. */
export function renderManifest(layout: Layout, position: number, tarball: string | null) {
  const span = layout.versions[position];
  const out = new Writer(span.end - span.value + 256);
  writeSpan(out, layout, { span, from: span.value, tarball });
  return out.bytes();
}

/** Tags after withholding. */
export function renderTags(layout: Layout, cut: Cut): Record<string, string> {
  const kept = keptVersions(layout, cut);
  return visibleTags(layout.tags, (version) => kept.has(version), () => [...kept]);
}

function writeMember(
  out: Writer,
  layout: Layout,
  { member, cut, kept }: { member: TopMember; cut: Cut; kept: ReadonlySet<string> | null },
): void {
  if (member.key === "versions") {
    out.copy(layout.bytes, member.start, member.value);
    writeVersions(out, layout, cut);
    return;
  }
  if (kept === null || (member.key !== "time" && member.key !== "dist-tags")) {
    out.copy(layout.bytes, member.start, member.end);
    return;
  }
  out.copy(layout.bytes, member.start, member.value);
  out.text(JSON.stringify(
    member.key === "time"
      ? visibleTimes(layout, kept)
      : visibleTags(layout.tags, (version) => kept.has(version), () => [...kept]),
  ));
}

function writeVersions(out: Writer, layout: Layout, cut: Cut): void {
  let first = true;
  out.text("{");
  layout.versions.forEach((span, position) => {
    if (!cut.isKept(position)) return;
    if (!first) out.text(",");
    first = false;
    writeSpan(out, layout, { span, from: span.start, tarball: cut.tarball(position) });
  });
  out.text("}");
}

function writeSpan(
  out: Writer,
  layout: Layout,
  { span, from, tarball }: { span: VersionSpan; from: number; tarball: string | null },
): void {
  if (tarball === null || span.tarballEnd === 0) {
    out.copy(layout.bytes, from, span.end);
    return;
  }
  out.copy(layout.bytes, from, span.tarballStart);
  out.text(JSON.stringify(tarball));
  out.copy(layout.bytes, span.tarballEnd, span.end);
}

function keptVersions(layout: Layout, cut: Cut): Set<string> {
  const kept = new Set<string>();
  layout.versions.forEach((span, position) => {
    if (cut.isKept(position)) kept.add(span.version);
  });
  return kept;
}

/** Without the times of withheld versions; those of versions long removed stay, as upstream has them. */
function visibleTimes(layout: Layout, kept: ReadonlySet<string>): Record<string, unknown> {
  const times: Record<string, unknown> = Object.create(null);
  const all = new Set(layout.versions.map((span) => span.version));
  for (const [key, time] of Object.entries(layout.time ?? {})) {
    if (!all.has(key) || kept.has(key)) times[key] = time;
  }
  return times;
}
