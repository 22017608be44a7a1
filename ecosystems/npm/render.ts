/** Cuts an answer out of a packument: versions let through, addresses of this proxy, tags that hold. */
import type { Layout, TopMember } from "./layout.ts";
import { visibleTags } from "./tags.ts";
import { KeptMembers, Writer } from "./writer.ts";

export interface Cut {
  /** Whether the version at a position of `layout.versions` is let through. */
  readonly isKept: (position: number) => boolean;
  /** How many are not. */
  readonly hidden: number;
  /** Where clients get tarballs; null: leave the upstream's addresses. */
  readonly tarballs: Tarballs | null;
  /** Told to clients that read `policyRestrictions`. */
  readonly restrictions: () => { message: string; versions: Record<string, unknown> };
}

/** The addresses of tarballs for the client. */
export interface Tarballs {
  /** What stands before the file's name where upstream's address has the usual form. */
  readonly usual: Uint8Array;
  /** The whole address of another; null: there is none. */
  readonly unusual: (position: number) => string | null;
}

/** The document of this layout, whatever is withheld cut out of versions, times and tags. */
export function renderLayout(layout: Layout, cut: Cut): Uint8Array<ArrayBuffer> {
  const out = new Writer(sizeFor(layout, cut.tarballs));
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

/** Every address may grow by what ours is longer than theirs. */
function sizeFor({ bytes, versions }: Layout, tarballs: Tarballs | null): number {
  const usual = versions.find((span) => span.tailStart > 0);
  if (tarballs === null || usual === undefined) return bytes.length + 1024;
  const growth = tarballs.usual.length - (usual.tailStart - usual.tarballStart - 1);
  return bytes.length + versions.length * Math.max(growth, 0) + 4096;
}

/** One version's manifest. */
export function renderManifest(
  layout: Layout,
  position: number,
  tarballs: Tarballs | null,
): Uint8Array<ArrayBuffer> {
  const span = layout.versions[position];
  const out = new Writer(span.end - span.value + 256);
  const from = writeTarball(out, layout, { position, from: span.value, tarballs });
  out.copy(layout.bytes, from, span.end);
  return out.bytes();
}

/** The tags that the document of this layout has; where nothing is withheld, as upstream has them. */
export function renderTags(layout: Layout, cut: Cut): Readonly<Record<string, string>> {
  return cut.hidden === 0 ? layout.tags : tagsOf(layout, keptVersions(layout, cut));
}

function tagsOf({ tags }: Layout, kept: ReadonlySet<string>): Record<string, string> {
  return visibleTags(tags, (version) => kept.has(version), () => kept);
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
  if (member.key === "time") writeTimes(out, layout, cut);
  else out.text(JSON.stringify(tagsOf(layout, kept)));
}

/** Neighbours that are both kept are copied together, with what stands between them. */
function writeVersions(out: Writer, layout: Layout, { isKept, tarballs }: Cut): void {
  const { bytes, versions } = layout;
  /** What is kept and not yet written: from here to the end of `last`. */
  let from = 0;
  let last = -1;
  out.text("{");
  for (let position = 0; position < versions.length; position++) {
    if (!isKept(position)) continue;
    if (last !== position - 1 || last < 0) {
      if (last >= 0) {
        out.copy(bytes, from, versions[last].end);
        out.text(",");
      }
      from = versions[position].start;
    }
    from = writeTarball(out, layout, { position, from, tarballs });
    last = position;
  }
  if (last >= 0) out.copy(bytes, from, versions[last].end);
  out.text("}");
}

/** Writes up to and with the address of a tarball. @returns where to go on from */
function writeTarball(
  out: Writer,
  { bytes, versions }: Layout,
  { position, from, tarballs }: { position: number; from: number; tarballs: Tarballs | null },
): number {
  const { tarballStart, tarballEnd, tailStart } = versions[position];
  if (tarballs === null || tarballEnd === 0) return from;
  if (tailStart > 0) {
    out.copy(bytes, from, tarballStart + 1);
    out.copy(tarballs.usual, 0, tarballs.usual.length);
    return tailStart;
  }
  const address = tarballs.unusual(position);
  if (address === null) return from;
  out.copy(bytes, from, tarballStart);
  out.text(JSON.stringify(address));
  return tarballEnd;
}

function keptVersions(layout: Layout, cut: Cut): Set<string> {
  const kept = new Set<string>();
  layout.versions.forEach((span, position) => {
    if (cut.isKept(position)) kept.add(span.version);
  });
  return kept;
}

/** Without the times of withheld versions; those of versions long removed stay, as upstream has them. */
function writeTimes(out: Writer, { bytes, times }: Layout, { isKept }: Cut): void {
  const kept = new KeptMembers(out, bytes);
  out.text("{");
  for (const { start, end, position } of times) {
    if (position >= 0 && !isKept(position)) kept.flush();
    else kept.keep(start, end);
  }
  kept.flush();
  out.text("}");
}
