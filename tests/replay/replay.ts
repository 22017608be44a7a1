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
/** A day alone is known only to the day. */
const time = v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\dZ)?$/));

const Incident = v.strictObject({
  ecosystem: v.picklist(["npm", "pypi", "cargo"]),
  name: v.string(),
  /** null: every version was bad. */
  version: v.nullable(v.string()),
  published: time,
  disclosed: time,
  /** The last good release, if there was any; without a time it is taken for a month older. */
  before: v.optional(v.strictObject({ version: v.string(), published: v.optional(time), trust })),
  trust,
  /** Whether installing it ran its code. */
  scripts: v.optional(v.literal(true)),
  note: v.optional(v.string()),
  source: v.pipe(v.string(), v.url()),
});

export type Incident = v.InferOutput<typeof Incident>;

export const INCIDENTS: readonly Incident[] = v.parse(v.array(Incident), given);

/** When the proxy was asked. */
export const MOMENTS = ["hour", "day", "disclosed", "advised"] as const;
export type Moment = (typeof MOMENTS)[number];

/** Rules that withheld it, by moment; empty: it was let through. */
export type Outcome = Readonly<Record<Moment, readonly string[]>>;

export interface Replayed {
  readonly incident: Incident;
  readonly outcome: Outcome;
  /** Whether the release before was served all the time. */
  readonly goodServed: boolean;
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
    let goodServed = true;
    for (const moment of MOMENTS) {
      const proxy = moment === "advised" ? world.advised : world.plain;
      outcome[moment] = await proxy.ask(incident, versionOf(incident), instants[moment]);
      if (incident.before === undefined) continue;
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

/** The table of the README; the sources are in `incidents.json`. */
export function table(replayed: readonly Replayed[]): string {
  const cell = (rules: readonly string[]) => rules.length === 0 ? "let through" : rules.join(", ");
  const lines = replayed.map(({ incident, outcome }) => [
    incident.published.slice(0, 10),
    [incident.ecosystem, incident.name, incident.version ?? []].flat().join(" "),
    ...MOMENTS.map((moment) => cell(outcome[moment])),
  ]);
  const head = [
    "published",
    "release",
    "after 1 h",
    "after 1 d",
    "when disclosed",
    "with its advisory",
  ];
  return [head, head.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

if (import.meta.main) {
  const replayed = await replay();
  const stopped = (moment: Moment) =>
    `${replayed.filter(({ outcome }) => outcome[moment].length > 0).length}`;
  const text = [
    table(replayed),
    "",
    `Withheld of ${replayed.length}: ${stopped("hour")} after an hour, ${stopped("day")} after a ` +
    `day, ${stopped("disclosed")} when disclosed, ${stopped("advised")} with an advisory.`,
    "",
  ].join("\n");
  await Deno.stdout.write(new TextEncoder().encode(text));
}
