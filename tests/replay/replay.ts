/**
 * Attacks that happened, in the order in which they did: packages rebuilt with
 * their publish times and evidence, asked of the proxy under its built-in
 * policy an hour and a day after their publication, and when they were disclosed.
 */
import * as v from "valibot";
import { DAY, testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { advisory, startOsv } from "../registry/osv.ts";
import { startPypiRegistry } from "../registry/pypi.ts";
import given from "./incidents.json" with { type: "json" };

const trust = v.optional(v.picklist(["provenance", "trusted_publisher"]));
/** A day alone is known only to the day, a month only to the month. */
const time = v.pipe(v.string(), v.regex(/^\d{4}-\d\d(?:-\d\d(?:T\d\d:\d\d:\d\dZ)?)?$/));
const day = v.pipe(time, v.regex(/^\d{4}-\d\d-\d\d/));

const Incident = v.strictObject({
  ecosystem: v.picklist(["npm", "pypi", "cargo"]),
  name: v.string(),
  /** null: every version was bad. */
  version: v.nullable(v.string()),
  published: time,
  /** When it was first reported in public or removed, whichever a source gives first. */
  disclosed: day,
  /** The last good release, if there was any; without a time it is taken for a month older. */
  before: v.optional(v.strictObject({ version: v.string(), published: v.optional(time), trust })),
  trust,
  /** Whether installing it ran its code. */
  scripts: v.optional(v.literal(true)),
  note: v.optional(v.string()),
  /**
   * Facts that none of the sources states; `evidence`: `trust` or `scripts`. A release before
   * without a time is one in any case.
   */
  unchecked: v.optional(v.array(v.picklist(["published", "disclosed", "before", "evidence"]))),
  sources: v.pipe(v.array(v.pipe(v.string(), v.url())), v.minLength(1)),
});

export type Incident = v.InferOutput<typeof Incident>;

export const INCIDENTS: readonly Incident[] = v.parse(v.array(Incident), given);

/** When the proxy was asked. */
export const MOMENTS = ["hour", "day", "disclosed", "advised"] as const;
export type Moment = (typeof MOMENTS)[number];
const HEADS: Readonly<Record<Moment, string>> = {
  hour: "after 1 h",
  day: "after 1 d",
  disclosed: "when disclosed",
  advised: "with its advisory",
};

/** Rules that withheld it, by moment; empty: it was let through. */
export type Outcome = Readonly<Record<Moment, readonly string[]>>;

export interface Replayed {
  readonly incident: Incident;
  readonly outcome: Outcome;
  /** Whether the release before was served all the time; null: there is none with a time. */
  readonly goodServed: boolean | null;
}

const HOUR = 3_600_000;
const OSV_NAMES = { npm: "npm", pypi: "PyPI", cargo: "crates.io" } as const;

/** Cautious both ways: published as early on its day, and disclosed as late, as can be. */
function timesOf({ published, disclosed }: Incident): { published: number; disclosed: number } {
  const end = Date.parse(disclosed) + (disclosed.includes("T") ? 0 : DAY);
  return { published: Date.parse(published), disclosed: end };
}

function versionOf({ version }: Incident): string {
  return version ?? "1.0.0";
}

export async function replay(incidents: readonly Incident[] = INCIDENTS): Promise<Replayed[]> {
  await using world = await rebuild(incidents);
  const replayed: Replayed[] = [];
  for (const incident of incidents.toSorted((a, b) => a.published < b.published ? -1 : 1)) {
    const { published, disclosed } = timesOf(incident);
    const instants = {
      hour: published + HOUR,
      day: published + DAY,
      disclosed,
      advised: disclosed,
    };
    const outcome: Partial<Record<Moment, readonly string[]>> = {};
    let goodServed = incident.before?.published === undefined ? null : true;
    for (const moment of MOMENTS) {
      const proxy = moment === "advised" ? world.advised : world.plain;
      outcome[moment] = await proxy.ask(incident, versionOf(incident), instants[moment]);
      if (incident.before?.published === undefined) continue;
      const good = await proxy.ask(incident, incident.before.version, instants[moment]);
      goodServed &&= good.length === 0;
    }
    replayed.push({ incident, outcome: v.parse(Outcome, outcome), goodServed });
  }
  return replayed;
}

const rules = v.array(v.string());
const Outcome = v.strictObject({ hour: rules, day: rules, disclosed: rules, advised: rules });

async function rebuild(incidents: readonly Incident[]) {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const cargo = startCargoRegistry();
  const osv = startOsv();
  const paths = new Map<string, string>();
  const publish = (incident: Incident, version: string, at: number, evidence?: string) => {
    const { ecosystem, name } = incident;
    const publishedAt = new Date(at);
    const key = `${ecosystem} ${name} ${version}`;
    if (ecosystem === "npm") {
      const runs = incident.scripts && version === versionOf(incident);
      npm.publish({
        name,
        version,
        publishedAt,
        trust: v.parse(v.optional(v.picklist(["provenance", "trusted_publisher"])), evidence),
        scripts: runs ? { postinstall: "node setup.js" } : undefined,
      });
      paths.set(key, `/npm/${name}/-/${name.split("/").at(-1)}-${version}.tgz`);
    } else if (ecosystem === "pypi") {
      const uploadedAt = publishedAt.toISOString();
      const provenance = evidence !== undefined;
      const [file] = pypi.publish({ name, version, uploadedAt, provenance });
      paths.set(key, `/pypi/${file.path}`);
    } else {
      cargo.publish({ name, version, publishedAt });
      paths.set(key, `/cargo/crates/${name}/${version}/download`);
    }
  };
  for (const [position, incident] of incidents.entries()) {
    const { ecosystem, name, before } = incident;
    const { published } = timesOf(incident);
    if (before !== undefined) {
      const at = before.published === undefined
        ? published - 30 * DAY
        : Date.parse(before.published);
      publish(incident, before.version, at, before.trust);
    }
    publish(incident, versionOf(incident), published, incident.trust);
    const versions = [versionOf(incident)];
    osv.add(
      advisory(`MAL-0000-${position}`, { ecosystem: OSV_NAMES[ecosystem], name, versions }),
    );
  }
  const upstreams = { npm: npm.url, pypi: pypi.index, cargo: cargo.url };
  const plain = await asking(upstreams, paths);
  const advised = await asking(upstreams, paths, osv.url);
  return {
    plain,
    advised,
    async [Symbol.asyncDispose]() {
      await plain[Symbol.asyncDispose]();
      await advised[Symbol.asyncDispose]();
      for (const server of [npm, pypi, cargo, osv]) await server[Symbol.asyncDispose]();
    },
  };
}

const Why = v.object({
  versions: v.array(v.object({
    findings: v.array(
      v.object({ rule: v.string(), level: v.string(), waived: v.nullable(v.string()) }),
    ),
  })),
});

async function asking(
  upstreams: Readonly<Record<string, string>>,
  paths: ReadonlyMap<string, string>,
  osv?: string,
) {
  const proxy = await testProxy({ upstreams, osv });
  return {
    /** The rules that withhold a file at an instant; all of them, but only if it is refused. */
    async ask({ ecosystem, name }: Incident, version: string, now: number): Promise<string[]> {
      proxy.clock.now = now;
      const path = paths.get(`${ecosystem} ${name} ${version}`);
      if (path === undefined) throw new Error(`Nobody published ${name} ${version}`);
      const file = await proxy.fetch(path, { headers: { "user-agent": "npm/12.0.0" } });
      await file.bytes();
      if (file.status === 200) return [];
      if (!file.headers.get("policy-decision")?.startsWith("deny")) {
        throw new Error(`Cannot judge ${name} ${version}: the proxy answers ${file.status}`);
      }
      const why = await proxy.fetch(`/why/pkg:${ecosystem}/${name}@${version}`, {
        headers: { accept: "application/json" },
      });
      const [{ findings }] = v.parse(Why, await why.json()).versions;
      return findings
        .filter(({ level, waived }) => level === "deny" && waived === null)
        .map(({ rule }) => rule);
    },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** What is not known from a source: empty if everything is. */
export function unchecked({ before, unchecked: facts = [] }: Incident): readonly string[] {
  const estimated = before !== undefined && before.published === undefined;
  return estimated ? [...facts, "before"] : facts;
}

/** How far the facts can be relied upon, and what became of the releases before. */
export function standing(replayed: readonly Replayed[]): readonly string[] {
  const known = replayed.filter(({ goodServed }) => goodServed !== null);
  const young = known.filter(({ goodServed }) => !goodServed)
    .map(({ incident: { name, before } }) => `${name} ${before?.version}`);
  const open = replayed.map(({ incident }) => unchecked(incident)).filter(({ length }) =>
    length > 0
  );
  const onlyBefore = open.filter((facts) => facts.every((fact) => fact === "before"));
  return [
    `Of ${replayed.length} incidents ${replayed.length - open.length} agree in every fact with ` +
    `a source that was read; in ${onlyBefore.length} only the release before does not, and in ` +
    `${open.length - onlyBefore.length} another fact.`,
    `Of ${known.length} releases before that have a date ${known.length - young.length} were ` +
    `served all the time; too young themselves were ${young.join(", ")}.`,
  ];
}

/** The table of the README: how many were withheld, when, and by which rules. */
export function totals(replayed: readonly Replayed[]): string {
  const lines = MOMENTS.map((moment) => {
    const rules = replayed.map(({ outcome }) => outcome[moment]);
    const withheld = rules.filter(({ length }) => length > 0);
    const names = [...new Set(withheld.flat())].toSorted();
    const by = names.map((name) => `${name} ${rules.filter((all) => all.includes(name)).length}`);
    return [
      HEADS[moment],
      String(withheld.length),
      String(rules.length - withheld.length),
      by.join(", "),
    ];
  });
  return markdown([["", "withheld", "let through", "by"], ...lines]);
}

/** The table of `tests/replay/README.md`; the sources are in `incidents.json`. */
export function table(replayed: readonly Replayed[]): string {
  const cell = (rules: readonly string[]) => rules.length === 0 ? "let through" : rules.join(", ");
  const lines = replayed.map(({ incident, outcome }) => [
    incident.published.slice(0, 10),
    [incident.ecosystem, incident.name, incident.version ?? []].flat().join(" "),
    ...MOMENTS.map((moment) => cell(outcome[moment])),
    unchecked(incident).join(", "),
  ]);
  const head = ["published", "release", ...MOMENTS.map((moment) => HEADS[moment]), "not checked"];
  return markdown([head, ...lines]);
}

function markdown([head, ...lines]: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

if (import.meta.main) {
  const replayed = await replay();
  const text = [table(replayed), "", totals(replayed), "", ...standing(replayed), ""].join("\n");
  await Deno.stdout.write(new TextEncoder().encode(text));
}
