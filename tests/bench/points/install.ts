/**
 * 5. Real projects, installed by real clients with empty caches: 1,000 packages by
 * their lockfile; 250 without one, since npm alone takes half a minute to resolve 1,000.
 */
import type { Bench, Point } from "../bench.ts";
import { NPM_CLIENTS } from "../../clients/npm_clients.ts";
import { openWorkspace } from "../../clients/workspace.ts";
import type { TreeProject } from "../data/tree.ts";
import { versionOf } from "../load.ts";
import { inTurns, median, medians } from "../rounds.ts";
import { ratioRow, type Row } from "../row.ts";
import { World } from "../world.ts";

export interface Kind {
  readonly label: string;
  readonly command: readonly string[];
  readonly locked: boolean;
  /** Packages. */
  readonly size: 1_000 | 250;
  /** Of the time through nginx. */
  readonly atMost: number;
  /** Of the time that is left. */
  readonly share: number;
  /** Further files of the project. */
  readonly files?: Readonly<Record<string, string>>;
}

/** npm's audit goes to a service that neither the upstream nor Verdaccio has. */
const NPM = ["--ignore-scripts", "--no-audit", "--no-fund"];

export const install: Point = {
  number: 5,
  title: "A project of 1,000 packages",
  async run(bench) {
    await using world = await World.open(bench);
    const bases = await open(world);
    const rows: Row[] = [];
    const left = bench.msLeft();
    for (const kind of kinds()) {
      rows.push(...await measure(bench, kind, { world, bases, budgetMs: left * kind.share }));
    }
    return rows;
  },
};

export function kinds(): Kind[] {
  const pnpm = NPM_CLIENTS.find(({ name }) => name === "pnpm");
  const found: Kind[] = versionOf("npm", ["--version"]) === null ? [] : [
    {
      label: "npm ci",
      share: 0.6,
      command: ["npm", "ci", ...NPM],
      locked: true,
      size: 1_000,
      atMost: 1.05,
    },
    {
      label: "npm install",
      share: 0.3,
      command: ["npm", "install", ...NPM],
      locked: false,
      size: 250,
      atMost: 1.05,
    },
  ];
  if (pnpm !== undefined && pnpm.missing === null) {
    // With its own minimum age it asks for full documents.
    const files = pnpm.unguarded;
    const command = [...pnpm.command, "install", "--ignore-scripts"];
    found.push({
      label: "pnpm install",
      share: 0.1,
      command,
      locked: false,
      size: 250,
      atMost: 1,
      files,
    });
  }
  return found;
}

/** Addresses of the registry by contender, each with the tree at hand upstream; without nginx the upstream itself. */
async function open(world: World): Promise<Record<string, string>> {
  const proxy = await world.proxy();
  const nginx = await world.nginx();
  const verdaccio = await world.verdaccio();
  const bases = {
    proxy: `${proxy.base}npm/`,
    ...(nginx && { nginx: nginx.base }),
    ...(verdaccio && { verdaccio: verdaccio.base }),
    ...(nginx === null && { direct: world.upstream.base }),
  };
  for (const base of [world.upstream.base, nginx?.base]) {
    if (base !== undefined) { for (const size of [1_000, 250]) await treeOf(base, size); }
  }
  return bases;
}

async function measure(
  bench: Bench,
  kind: Kind,
  { world, bases, budgetMs }: {
    world: World;
    bases: Readonly<Record<string, string>>;
    /** For all rounds, the first included. */
    budgetMs: number;
  },
): Promise<Row[]> {
  const { patience } = bench;
  const begin = performance.now();
  const project = await treeOf(world.upstream.base, kind.size);
  const once = async (contender: string) => {
    try {
      return await run(kind, { base: bases[contender], project, world });
    } catch (error) {
      bench.progress(`${contender}: ${error}`);
      return NaN;
    }
  };
  const contenders = Object.keys(bases);
  const isClose = (name: string) => name === "proxy" || name === "nginx";
  const first = await inTurns(contenders.filter(isClose), { rounds: 1 }, once);
  bench.progress(`${kind.label}, first: ${JSON.stringify(medians(first, (s) => s))}`);
  const others = contenders.filter((name) => !isClose(name));
  // Verdaccio has its own cache, and is far off: a turn to fill that, and one that counts.
  await inTurns(others, { rounds: 1 }, once);
  const results = new Map([
    ...await inTurns(others, { rounds: 1, patience }, once),
    ...await inTurns(
      contenders.filter(isClose),
      { rounds: bench.rounds, patience, budgetMs: budgetMs - performance.now() + begin },
      once,
    ),
  ]);
  const values = medians(results, (seconds) => seconds);
  bench.progress(`${kind.label}: ${JSON.stringify(values)}`);
  const rounds = results.get("proxy")?.length;
  const row = { point: 5, rounds, unit: "s", what: `${kind.label}, ${kind.size} packages`, values };
  const rows: Row[] = [];
  if ("nginx" in bases) rows.push(ratioRow(row, ["proxy", "nginx"], { atMost: kind.atMost }));
  if ("verdaccio" in bases) {
    const against = { ...row, what: `${kind.label}, Verdaccio` };
    rows.push(ratioRow(against, ["proxy", "verdaccio"], { atMost: 1 }));
  }
  if (rows.length === 0) rows.push(ratioRow(row, ["proxy", "direct"], {}));
  const cold = Object.fromEntries(first.entries().map(([name, list]) => [name, median(list)]));
  const what = `${kind.label}, first of its kind (once)`;
  return [...rows, { point: 5, unit: "s", what, values: cold }];
}

/** The project, with everything made that its install asks for at this address. */
export async function treeOf(base: string, size: number): Promise<TreeProject> {
  return await (await fetch(`${base}-/bench/tree/${size}`)).json();
}

/** Seconds. Throws if the client fails. */
export async function run(
  { label, command, locked, files = {} }: Kind,
  { base, project, world }: { base: string; project: TreeProject; world: World },
): Promise<number> {
  await using workspace = await openWorkspace();
  await workspace.write("package.json", project.manifest);
  await workspace.write(".npmrc", `registry=${base}\n`);
  if (locked) {
    const lock = JSON.stringify(project.lock).replaceAll(`"${world.upstream.base}`, `"${base}`);
    await workspace.write("package-lock.json", lock);
  }
  for (const [path, text] of Object.entries(files)) await workspace.write(path, text);
  const begin = performance.now();
  const { code, text } = await workspace.run(command);
  const seconds = (performance.now() - begin) / 1_000;
  const last = `node_modules/${Object.keys(Object(project.manifest.dependencies))[0]}/package.json`;
  if (code !== 0 || !await workspace.exists(last)) {
    throw new Error(`${label} through ${base} fails:\n${text.slice(-2_000)}`);
  }
  return seconds;
}
