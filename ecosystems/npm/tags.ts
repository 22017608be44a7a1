import { comparePlain, type PlainVersion, plainVersion } from "../plain_version.ts";
import { npmVersions } from "./versions.ts";

/**
 * Tags that name only visible versions. `latest` falls back to the highest
 * visible stable version not above it (never by publish time: a backport would
 * win), to a pre-release only where no stable version is visible; every other
 * tag to the highest visible one not above it of the same major and pre-release
 * channel; where there is none, the tag goes.
 * @param tags as upstream has them
 * @param isVisible whether a version exists and is let through
 * @param visible all versions that are; asked for once at most
 */
export function visibleTags(
  tags: Readonly<Record<string, string>>,
  isVisible: (version: string) => boolean,
  visible: () => Iterable<string>,
): Record<string, string> {
  const kept: Record<string, string> = Object.create(null);
  let substitutes: Substitutes | null = null;
  for (const [tag, version] of Object.entries(tags)) {
    let found: string | null = version;
    if (!isVisible(version)) {
      substitutes ??= new Substitutes(visible());
      found = tag === "latest" ? substitutes.latest(version) : substitutes.inLine(version);
    }
    if (found !== null) kept[tag] = found;
  }
  return kept;
}

/** A version, read once. */
interface Read {
  readonly text: string;
  /** null: not plainly written. */
  readonly plain: PlainVersion | null;
}

/** What stands in for withheld versions: a package may have as many tags as versions. */
class Substitutes {
  readonly #visible: readonly Read[];
  #majors: ReadonlyMap<string, Read[]> | null = null;
  /** Of the majors that were asked for, by channel, the highest first. */
  readonly #channels = new Map<string, ReadonlyMap<string | null, readonly Read[]>>();

  constructor(visible: Iterable<string>) {
    this.#visible = Array.from(visible, readVersion);
  }

  latest(version: string): string | null {
    const wanted = readVersion(version);
    const isAbove = (it: Read) => compare(it, wanted) > 0;
    const found = highest(this.#visible, (it) => isStable(it) && !isAbove(it)) ??
      highest(this.#visible, isStable) ?? highest(this.#visible, (it) => !isAbove(it)) ??
      highest(this.#visible, () => true);
    return found?.text ?? null;
  }

  inLine(version: string): string | null {
    const wanted = readVersion(version);
    const line = this.#channelsOf(majorOf(wanted)).get(channelOf(wanted));
    return line === undefined ? null : firstNotAbove(line, wanted)?.text ?? null;
  }

  #channelsOf(major: string): ReadonlyMap<string | null, readonly Read[]> {
    this.#majors ??= Map.groupBy(this.#visible, majorOf);
    let channels = this.#channels.get(major);
    if (channels === undefined) {
      const versions = this.#majors.get(major) ?? [];
      channels = Map.groupBy(versions.sort((a, b) => compare(b, a)), channelOf);
      this.#channels.set(major, channels);
    }
    return channels;
  }
}

function readVersion(text: string): Read {
  return { text, plain: plainVersion(text) };
}

function majorOf({ text, plain }: Read): string {
  return plain === null ? npmVersions.major(text) : String(plain.major);
}

function isStable({ text, plain }: Read): boolean {
  return plain === null ? !npmVersions.isPrerelease(text) : plain.channel === null;
}

/**
 * The words that a pre-release begins with: `beta` of `2.0.0-beta.3`, `canary`
 * of `19.0.0-canary-b9f6dd1-20240305`, `""` of `2.0.0-3`; null: a stable version.
 */
function channelOf(version: Read): string | null {
  return isStable(version) ? null : CHANNEL.exec(version.text)?.[1] ?? "";
}

/** What follows the numbers; a commit's name is no word, though it may be all letters. */
const CHANNEL = /^[v=\s\d.]*-?([a-z]+(?:[.-](?![a-f]{7,}(?![^.+-]))[a-z]+(?![^.+-]))*)/i;

function highest(versions: readonly Read[], isFit: (version: Read) => boolean): Read | null {
  let best: Read | null = null;
  for (const version of versions) {
    if (isFit(version) && (best === null || compare(version, best) > 0)) best = version;
  }
  return best;
}

/** @param descending the highest first */
function firstNotAbove(descending: readonly Read[], wanted: Read): Read | undefined {
  let low = 0;
  let high = descending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(descending[middle], wanted) > 0) low = middle + 1;
    else high = middle;
  }
  return descending[low];
}

function compare(a: Read, b: Read): number {
  return a.plain !== null && b.plain !== null
    ? comparePlain(a.plain, b.plain)
    : npmVersions.compare(a.text, b.text);
}
