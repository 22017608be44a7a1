/** A simulation in numbers: by rule, by package, by user, with examples. */
import * as v from "valibot";
import type { Verdict } from "../policy/types.ts";
import type { Install, JudgedPackage, Simulated } from "./simulation.ts";

const MAX_ROWS = 500;
const EXAMPLES_OF_CODE = 3;
const MAX_EXAMPLES = 50;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const instant = v.pipe(v.string(), v.isoTimestamp());
const sums = {
  refused: count,
  warned: v.pipe(count, v.description("Let through with a warning")),
};

export const simulation = v.strictObject({
  since: instant,
  until: instant,
  installs: v.pipe(count, v.description("Installs looked at: the sum of the next four")),
  ...sums,
  allowed: count,
  unknown: v.pipe(
    count,
    v.description("Installs that could not be judged; see `unknown_packages`"),
  ),
  by_code: v.pipe(
    v.record(v.string(), v.strictObject(sums)),
    v.description("By reason code"),
  ),
  packages: v.pipe(
    v.array(v.strictObject({
      purl: v.string(),
      ecosystem: v.string(),
      package: v.string(),
      version: v.string(),
      ...sums,
      users: count,
      code: v.string(),
      reason: v.string(),
    })),
    v.description("Versions that would have been refused or warned of, most refused first"),
  ),
  more_packages: count,
  users: v.pipe(
    v.array(v.strictObject({ user: v.string(), ...sums, packages: count })),
    v.description("Who would have been refused or warned, most refused first"),
  ),
  more_users: count,
  examples: v.pipe(
    v.array(v.strictObject({
      id: v.pipe(v.string(), v.description("Of the install record")),
      at: instant,
      user: v.string(),
      purl: v.string(),
      filename: v.string(),
      verdict: v.picklist(["warn", "deny"]),
      code: v.string(),
      reason: v.string(),
    })),
    v.description("A few of each reason code"),
  ),
  unknown_packages: v.array(v.strictObject({
    ecosystem: v.string(),
    package: v.string(),
    installs: count,
    reason: v.string(),
  })),
  more_unknown_packages: count,
  cut: v.pipe(
    v.nullable(v.strictObject({
      before: v.pipe(
        v.nullable(instant),
        v.description("Earlier installs of the period were not looked at; null: all were"),
      ),
      late: v.pipe(count, v.description("Installs, among the unknown, that time ran out for")),
    })),
    v.description("Where a period was too long to be judged as a whole; null: it was not"),
  ),
});

export type Simulation = v.InferOutput<typeof simulation>;
type Code = { refused: number; warned: number };
type PackageSums = Simulation["packages"][number] & { readonly names: Set<string> };
type UserSums = Code & { readonly user: string; readonly purls: Set<string> };

/** @param period Unix ms */
export function summary(
  { packages, before, late }: Simulated,
  { since, until }: { since: number; until: number },
): Simulation {
  const sums = new Sums();
  for (const one of packages) {
    one.installs.forEach((install, at) => sums.add(one, install, one.outcomes[at]));
  }
  const rows = [...sums.packages.values()].sort(worstFirst);
  const users = [...sums.users.values()].sort(worstFirst);
  const unknown = [...sums.unknown.values()].sort((a, b) => b.installs - a.installs);
  return {
    since: new Date(since).toISOString(),
    until: new Date(until).toISOString(),
    installs: sums.installs,
    refused: sums.refused,
    warned: sums.warned,
    allowed: sums.installs - sums.refused - sums.warned - sums.unjudged,
    unknown: sums.unjudged,
    by_code: Object.fromEntries(sums.codes),
    packages: rows.slice(0, MAX_ROWS).map(({ names, ...row }) => ({ ...row, users: names.size })),
    more_packages: Math.max(0, rows.length - MAX_ROWS),
    users: users.slice(0, MAX_ROWS).map(({ purls, ...row }) => ({ ...row, packages: purls.size })),
    more_users: Math.max(0, users.length - MAX_ROWS),
    examples: sums.examples,
    unknown_packages: unknown.slice(0, MAX_ROWS),
    more_unknown_packages: Math.max(0, unknown.length - MAX_ROWS),
    cut: before === null && late === 0
      ? null
      : { before: before === null ? null : new Date(before).toISOString(), late },
  };
}

function worstFirst(a: Code, b: Code): number {
  return b.refused - a.refused || b.warned - a.warned;
}

class Sums {
  installs = 0;
  refused = 0;
  warned = 0;
  unjudged = 0;
  readonly codes = new Map<string, Code>();
  readonly packages = new Map<string, PackageSums>();
  readonly users = new Map<string, UserSums>();
  readonly unknown = new Map<string, Simulation["unknown_packages"][number]>();
  readonly examples: Simulation["examples"] = [];

  add(one: JudgedPackage, install: Install, outcome: Verdict | string): void {
    this.installs++;
    if (typeof outcome === "string") this.#unknown(one, outcome);
    else if (outcome.action !== "allow") this.#minded(one, install, outcome);
  }

  #unknown({ ecosystem, package: name }: JudgedPackage, reason: string): void {
    this.unjudged++;
    const key = `${ecosystem}\n${name}\n${reason}`;
    const known = this.unknown.get(key);
    if (known !== undefined) known.installs++;
    else this.unknown.set(key, { ecosystem, package: name, installs: 1, reason });
  }

  #minded(one: JudgedPackage, install: Install, { action, code, message }: Verdict): void {
    const what = action === "deny" ? "refused" : "warned";
    const stated = code ?? "policy";
    const { user, purl, version } = install;
    this[what]++;
    const ofCode = upsert(this.codes, stated, () => ({ refused: 0, warned: 0 }));
    ofCode[what]++;
    const row = upsert(this.packages, purl, () => ({
      ...{ purl, ecosystem: one.ecosystem, package: one.package, version },
      ...{ refused: 0, warned: 0, users: 0, code: stated, reason: message, names: new Set() },
    }));
    row[what]++;
    row.names.add(user);
    const person = upsert(
      this.users,
      user,
      () => ({ user, refused: 0, warned: 0, purls: new Set() }),
    );
    person[what]++;
    person.purls.add(purl);
    if (ofCode.refused + ofCode.warned > EXAMPLES_OF_CODE) return;
    if (this.examples.length >= MAX_EXAMPLES) return;
    this.examples.push({
      id: install.id,
      at: new Date(install.at).toISOString(),
      user,
      purl,
      filename: install.filename,
      verdict: action === "deny" ? "deny" : "warn",
      code: stated,
      reason: message,
    });
  }
}

function upsert<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}
