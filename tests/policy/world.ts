import { compilePolicy } from "../../policy/engine.ts";
import { RULES } from "../../policy/rules/mod.ts";
import type { Policy, Release, VersionSchemes } from "../../policy/types.ts";
import { cargoVersions } from "../../ecosystems/cargo/versions.ts";
import { npmVersions } from "../../ecosystems/npm/versions.ts";
import { pypiVersions } from "../../ecosystems/pypi/versions.ts";

/** What the tests of the policy are made of. */

export const SCHEMES: VersionSchemes = new Map(
  [npmVersions, pypiVersions, cargoVersions].map((scheme) => [scheme.ecosystem, scheme]),
);

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** When the tests happen. */
export const NOW = Date.parse("2026-12-01T10:00:00Z");

/** An old, unobjectionable npm release, but for what the test says. */
export function release(more: Partial<Release> = {}): Release {
  return {
    ecosystem: "npm",
    name: "axios",
    version: "1.0.0",
    publishedAt: NOW - 100 * DAY,
    yanked: false,
    trust: null,
    installScripts: null,
    files: [],
    ...more,
  };
}

export function policy(document: unknown = {}): Policy {
  return compilePolicy(document, { org: "acme", revision: "r1", schemes: SCHEMES });
}

/** A policy in which only these rules look. */
export function only(rules: Record<string, unknown>, more: Record<string, unknown> = {}): Policy {
  const off = { level: "off" };
  const all = Object.fromEntries(RULES.map(({ id }) => [id, off]));
  return policy({ ...more, rules: { ...all, ...rules } });
}

/** `version: code` of what is not allowed, in order; `warn ` before warnings. */
export function findings(judged: Policy, releases: readonly Release[], now = NOW): string[] {
  return judged.judge(releases, now).verdicts.flatMap(({ action, code }, i) =>
    action === "allow" ? [] : [`${action === "warn" ? "warn " : ""}${releases[i].version}: ${code}`]
  );
}
