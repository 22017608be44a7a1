/**
 * The other side of the replay, asked of the real registries: does the newest
 * mature release of much-used packages pass the built-in policy? Each package
 * is one look-up of its index; names are taken evenly from `policy/data/`.
 */
// deno-lint-ignore-file no-console -- a command's output
import { parseArgs } from "node:util";
import * as v from "valibot";
import { ECOSYSTEMS, SCHEMES } from "../../ecosystems/mod.ts";
import { defaultUpstreams, readSettings } from "../../routes/settings.ts";
import { DAY, testProxy } from "../proxy.ts";
import npm from "../../policy/data/popular_npm.json" with { type: "json" };
import pypi from "../../policy/data/popular_pypi.json" with { type: "json" };
import cargo from "../../policy/data/popular_cargo.json" with { type: "json" };

const NAMES: Readonly<Record<string, readonly string[]>> = { npm, pypi, cargo };
const USUAL: Readonly<Record<string, number>> = { npm: 500, pypi: 200, cargo: 100 };
const AT_ONCE = 4;
const MATURE_MS = 10 * DAY;

/** What `/why/` says of a version, as far as it matters here. */
const Explanation = v.object({
  versions: v.array(v.object({
    version: v.string(),
    verdict: v.string(),
    reason: v.nullable(v.string()),
    published: v.nullable(v.string()),
  })),
});

export type Outcome =
  | { readonly kind: "passes" }
  | { readonly kind: "alarm"; readonly version: string; readonly reason: string }
  /** Nothing to judge: no such package, no mature release, an upstream out of reach. */
  | { readonly kind: "unknown"; readonly reason: string };

/** @param ask answers the JSON of `/why/<purl>` */
export async function judgeNewest(
  ecosystem: string,
  name: string,
  { ask, now }: { ask: (path: string) => Promise<Response>; now: number },
): Promise<Outcome> {
  const scheme = SCHEMES.get(ecosystem);
  if (scheme === undefined) throw new RangeError(`Cannot judge ${ecosystem}: there is no such`);
  const purl = `pkg:${scheme.purlType}/${name.replace("@", "%40")}`;
  const response = await ask(`/why/${purl}`);
  if (response.status !== 200) {
    await response.body?.cancel();
    return { kind: "unknown", reason: `${purl}: ${response.status}` };
  }
  const { versions } = v.parse(Explanation, await response.json());
  // Newest first, whatever its verdict; of a PyPI version every file is one entry.
  const newest = versions.find(({ version, published }) =>
    published !== null && Date.parse(published) <= now - MATURE_MS && !scheme.isPrerelease(version)
  );
  if (newest === undefined) return { kind: "unknown", reason: `${purl}: no mature release` };
  const { version } = newest;
  const files = versions.filter((entry) => entry.version === version);
  const passing = files.some(({ verdict }) => verdict === "allow");
  if (passing) return { kind: "passes" };
  return { kind: "alarm", version, reason: newest.reason ?? newest.verdict };
}

/** Evenly spread over a list in the order of the alphabet. */
export function spread<T>(all: readonly T[], count: number): T[] {
  if (count >= all.length) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.floor(i * all.length / count)]);
}

async function main(args: readonly string[]): Promise<number> {
  const number = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { npm: number, pypi: number, cargo: number },
  });
  const env = (name: string) => Deno.env.get(name);
  const settings = readSettings(env, ECOSYSTEMS, await defaultUpstreams(env, ECOSYSTEMS));
  const upstreams = Object.fromEntries([...settings.upstreams].map(([id, { url }]) => [id, url]));
  await using proxy = await testProxy({ upstreams, osv: settings.osvUrl ?? undefined, settings });
  let alarms = 0;
  for (const id of Object.keys(NAMES)) {
    const count = Number(values[id as keyof typeof values] ?? USUAL[id]);
    const names = spread(NAMES[id], count);
    const counts = { passes: 0, alarm: 0, unknown: 0 };
    for (let at = 0; at < names.length; at += AT_ONCE) {
      await Promise.all(
        names.slice(at, at + AT_ONCE).map(async (name) => {
          const ask = (path: string) =>
            proxy.fetch(path, { headers: { accept: "application/json" } });
          const outcome = await judgeNewest(id, name, { ask, now: Date.now() });
          counts[outcome.kind]++;
          if (outcome.kind === "alarm") {
            console.log(`${id} ${name} ${outcome.version}: ${outcome.reason}`);
          }
          if (outcome.kind === "unknown") console.log(`? ${outcome.reason}`);
        }),
      );
    }
    alarms += counts.alarm;
    console.log(
      `${id}: ${counts.passes} pass, ${counts.alarm} false alarms, ${counts.unknown} unknown`,
    );
  }
  return alarms === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
