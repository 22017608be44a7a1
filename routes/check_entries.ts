/** The verdicts on what a lockfile names, by the same indexes and the same judgement as downloads. */
import type { Ecosystem, Index } from "../ecosystems/ecosystem.ts";
import { loadWith } from "../ecosystems/indexes.ts";
import { type LockedEntry, statedDigests } from "../ecosystems/lockfiles/mod.ts";
import { endInstant } from "../ecosystems/refusal.ts";
import { pauser } from "../policy/pauser.ts";
import type { Action, Policy, ReleaseFile, Verdict } from "../policy/types.ts";
import type { Deps } from "./deps.ts";
import { problemOf } from "./errors.ts";
import { type Client, whyAddress } from "./exchange.ts";
import type { Identified } from "./identity.ts";
import { judgeIndex } from "./judgements.ts";
import { NameRefused, sourceFor } from "./sources.ts";
import { versionFinder } from "./version_finder.ts";

export interface CheckedEntry {
  readonly purl: string;
  readonly ecosystem: string;
  readonly package: string;
  readonly version: string;
  /**
   * `unknown`: it could not be judged, which counts as withheld.
   * `unsupported`: a kind of package that this proxy does not serve.
   */
  readonly verdict: Action | "unknown" | "unsupported";
  readonly code: string | null;
  readonly reason: string | null;
  /** RFC 3339: from then on it would pass; null: not known. */
  readonly until: string | null;
  readonly line: number | null;
  /** Address of the page that explains it; null: there is none. */
  readonly why: string | null;
}

export interface CheckAsked {
  readonly identity: Identified;
  readonly policy: Policy;
  readonly client: Client;
}

/** Indexes that are loaded at once for one file. */
const AT_ONCE = 32;
/** What is not judged by then is said to be unknown. */
const DEADLINE_MS = 240_000;

type Outcome = Pick<CheckedEntry, "verdict" | "code" | "reason" | "until">;

/** Entries of one package, by their positions in the file. */
interface Group {
  readonly ecosystem: Ecosystem;
  readonly name: string;
  readonly positions: number[];
  /** Parallel to the positions. */
  readonly versions: string[];
}

/** One result for each entry, in the same order. Throws nothing. */
export async function checkEntries(
  deps: Deps,
  entries: readonly LockedEntry[],
  asked: CheckAsked,
): Promise<CheckedEntry[]> {
  const outcomes: Outcome[] = entries.map(({ ecosystem }) => unsupported(ecosystem));
  const groups = inOrder(deps, groupsOf(deps, entries), asked);
  const end = deps.now() + DEADLINE_MS;
  const isLate = () => deps.now() >= end;
  const rest = groups.values();
  // Indexes at hand are judged without waiting for anything.
  const pause = pauser();
  const work = async () => {
    for (const group of rest) {
      const judged = isLate() ? () => LATE : await checkGroup(deps, group, asked);
      for (const position of group.positions) {
        outcomes[position] = isLate() ? LATE : judged(entries[position]);
        await pause();
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return entries.map((entry, position) => ({
    purl: entry.purl,
    ecosystem: entry.ecosystem,
    package: entry.name,
    version: entry.version,
    ...outcomes[position],
    line: entry.location?.line ?? null,
    why: outcomes[position].verdict === "unsupported" ? null : whyAddress(asked, entry.purl),
  }));
}

function groupsOf({ ecosystems }: Deps, entries: readonly LockedEntry[]): Group[] {
  const known = new Map(ecosystems.map((ecosystem) => [ecosystem.id, ecosystem]));
  const groups = new Map<string, Group>();
  entries.forEach(({ ecosystem: id, name, version }, position) => {
    const ecosystem = known.get(id);
    if (ecosystem === undefined) return;
    const key = `${id}\n${name}`;
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { ecosystem, name, positions: [position], versions: [version] });
    } else {
      group.positions.push(position);
      group.versions.push(version);
    }
  });
  return [...groups.values()];
}

/** Indexes at hand first: loading the others may push them out. */
function inOrder(deps: Deps, groups: readonly Group[], { policy, identity }: CheckAsked): Group[] {
  const isAtHand = ({ ecosystem, name }: Group) => {
    try {
      const source = sourceFor(deps, { ecosystem, name, policy, identity });
      return deps.indexes.peek(ecosystem, name, { source, purpose: "file" }) !== undefined;
    } catch {
      return true; // refused without asking anybody
    }
  };
  const { near = [], far = [] } = Object.groupBy(
    groups,
    (group) => isAtHand(group) ? "near" : "far",
  );
  return [...near, ...far];
}

/** How one package's versions are to be judged. */
async function checkGroup(
  deps: Deps,
  { ecosystem, name, versions }: Group,
  { identity, policy, client }: CheckAsked,
): Promise<(entry: LockedEntry) => Outcome> {
  try {
    if (ecosystem.versions.normalizeName(name) === null) {
      const failure = unknown("name_invalid", `${ecosystem.title} has no such names`);
      return () => failure;
    }
    const source = sourceFor(deps, { ecosystem, name, policy, identity });
    deps.facts.expect(ecosystem, name, { policy, source });
    const finderOf = ({ releases }: Index) => versionFinder(releases, ecosystem.versions);
    const has = (index: Index) => {
      const find = finderOf(index);
      return versions.every((version) => find(version).length > 0);
    };
    const kept = await loadWith(deps.indexes, { ecosystem, name, source, has });
    if (kept === null) {
      const failure = unknown("not_found", `${ecosystem.title} has no such package`);
      return () => failure;
    }
    const judgement = await judgeIndex(deps, { kept, policy, client });
    const find = finderOf(kept.value);
    return ({ version, integrity = "" }) => {
      const own = find(version);
      if (own.length === 0) return unknown("not_found", `${ecosystem.title} has no such version`);
      const files = own.flatMap((position) => kept.value.releases[position].files);
      return otherBytes(integrity, files) ??
        versionOutcome(own.map((position) => judgement.verdicts[position]));
    };
  } catch (error) {
    const failure = failureOf(deps, error);
    return () => failure;
  }
}

function failureOf(deps: Deps, error: unknown): Outcome {
  if (error instanceof NameRefused) return outcomeOf(error.verdict);
  const { status, code, message } = problemOf(error);
  if (status === 500) deps.log({ event: "failure", path: "/check", code, error: String(error) });
  return unknown(code, message.replace(/\.$/, ""));
}

/**
 * A version may have several files that are judged one by one (PyPI): it is
 * withheld where all of them are.
 */
function versionOutcome(own: readonly Verdict[]): Outcome {
  const denied = own.filter(({ action }) => action === "deny");
  if (denied.length === own.length) return outcomeOf(denied.toSorted(byUntil)[0]);
  if (denied.length > 0) {
    const last = denied.toSorted(byUntil)[denied.length - 1];
    const reason = `${denied.length} of ${own.length} files are withheld: ${last.message}`;
    return { ...outcomeOf(last), verdict: "warn", reason };
  }
  return outcomeOf(own.find(({ action }) => action === "warn") ?? own[0]);
}

/**
 * Withheld where the file's digest is not the index's: its client would install
 * something that nobody has judged, from wherever the file says. Null: it is, or
 * nothing can be compared. Hosts prove nothing, since lockfiles name those of
 * mirrors and of proxies, too.
 */
function otherBytes(integrity: string, files: readonly ReleaseFile[]): Outcome | null {
  const stated = statedDigests(integrity);
  const [algorithm, ...others] = new Set(files.map(({ digest }) => digest?.algorithm));
  if (stated.length === 0 || algorithm === undefined || others.length > 0) return null;
  const known = new Set(files.map(({ digest }) => digest?.hex));
  const other = stated.find((one) => one.algorithm === algorithm && !known.has(one.hex));
  if (other === undefined) return null;
  const reason = `${other.algorithm} ${other.hex.slice(0, 16)}... is the digest of no file that ` +
    "the registry has of this version: the bytes are others, from elsewhere";
  return { verdict: "deny", code: "integrity_mismatch", reason, until: null };
}

/** Those that pass soonest first, those of which nobody knows last. */
function byUntil(a: Verdict, b: Verdict): number {
  const [one, other] = [a.until ?? Infinity, b.until ?? Infinity];
  return one === other ? 0 : one - other;
}

function outcomeOf({ action, code, message, until }: Verdict): Outcome {
  return {
    verdict: action,
    code,
    reason: code === null ? null : message,
    until: until === null ? null : endInstant(until),
  };
}

function unknown(code: string, reason: string): Outcome {
  return { verdict: "unknown", code, reason, until: null };
}

function unsupported(ecosystem: string): Outcome {
  const reason = `this proxy serves no packages of ${ecosystem}`;
  return { verdict: "unsupported", code: "unsupported", reason, until: null };
}

const LATE: Outcome = unknown(
  "not_checked",
  `not judged within ${DEADLINE_MS / 60_000} minutes: check the file again`,
);
