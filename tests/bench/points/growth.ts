/** 8. What time and memory cost as documents, versions, policies and orgs grow. */
import { setPolicy } from "../admin_client.ts";
import type { Bench, Point } from "../bench.ts";
import { headersOf } from "../capture.ts";
import type { Running } from "../process.ts";
import { RawClient } from "../raw_client.ts";
import { median } from "../rounds.ts";
import { limitRow, type Row } from "../row.ts";
import { World } from "../world.ts";

/** Steepest growth that still counts as linear: ten times as much may cost 10^1.2 times the time. */
const LINEAR = 1.2;
/** Below this a difference is the machine's. */
const NOISE = { ms: 0.3, MB: 20 } as const;
const FORM = headersOf({ abbreviated: false, gzip: true });

interface Panel {
  readonly title: string;
  readonly xs: readonly number[];
  /** Milliseconds and, under `MB`, megabytes by what is measured. */
  measure(bench: Bench, x: number): Promise<Record<string, number>>;
}

const PANELS: readonly Panel[] = [
  {
    title: "document size, bytes",
    xs: [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000],
    measure: (bench, size) => measureDocument(bench, `doc-${size}`),
  },
  {
    title: "versions of a document",
    xs: [10, 100, 1_000, 10_000],
    measure: (bench, count) => measureDocument(bench, `versions-${count}`),
  },
  {
    title: "entries of the blocklist",
    xs: [10, 100, 1_000, 10_000, 100_000],
    measure: measurePolicy,
  },
  {
    title: "orgs with policies of their own, 36 KB",
    xs: [1, 10, 100, 1_000],
    measure: (bench, orgs) => measureOrgs(bench, orgs, "doc-36000-0"),
  },
  {
    title: "orgs with policies of their own, 650 KB",
    xs: [1, 10, 100, 1_000],
    measure: (bench, orgs) => measureOrgs(bench, orgs, "doc-650000-0"),
  },
];

export const growth: Point = {
  number: 8,
  title: "How cost grows",
  async run(bench) {
    const rows: Row[] = [];
    for (const panel of PANELS) rows.push(...await measurePanel(bench, panel));
    return rows;
  },
};

async function measurePanel(bench: Bench, { title, xs, measure }: Panel): Promise<Row[]> {
  const rows: Row[] = [];
  for (const x of xs) {
    const values = await measure(bench, x);
    const what = `${title}: ${x.toLocaleString("en")}`;
    bench.progress(`${what}: ${JSON.stringify(values)}`);
    rows.push({ point: 8, what, unit: "ms, MB", values, curve: { panel: title, x } });
  }
  const steepest = Object.keys(rows[0].values).map((name) => ({ name, slope: slopeOf(rows, name) }))
    .reduce((a, b) => a.slope >= b.slope ? a : b);
  const what = `${title}: steepest, ${steepest.name}`;
  const compared = "exponent";
  return [
    ...rows,
    limitRow({ point: 8, what, unit: "", values: {}, compared }, steepest.slope, {
      atMost: LINEAR,
    }),
  ];
}

/** The largest exponent of growth between two neighbours: 1 is linear. */
function slopeOf(rows: readonly Row[], name: string): number {
  const noise = name === "MB" ? NOISE.MB : NOISE.ms;
  return Math.max(
    0,
    ...rows.slice(1).map((row, i) => {
      const [before, after] = [rows[i], row];
      const [low, high] = [before.values[name], after.values[name]].map((y) => Math.max(y, noise));
      return Math.log(high / low) / Math.log(after.curve!.x / before.curve!.x);
    }),
  );
}

/** Seen for the first time (warm process), seen before, and the most memory beyond the start's. */
async function measureDocument(bench: Bench, kind: string): Promise<Record<string, number>> {
  await using world = await World.open(bench);
  const proxy = await warmProxy(world);
  const before = proxy.memory().now;
  const first: number[] = [];
  for (let i = 0; i < 3; i++) {
    await fetchWhole(`${world.upstream.base}${kind}-${i}`);
    first.push(await ask(proxy, `npm/${kind}-${i}`));
  }
  const known: number[] = [];
  for (let i = 0; i < 5; i++) known.push(await ask(proxy, `npm/${kind}-2`));
  return { first: median(first), known: median(known), MB: proxy.memory().peak - before };
}

async function measurePolicy(bench: Bench, entries: number): Promise<Record<string, number>> {
  await using world = await World.open(bench);
  const proxy = await warmProxy(world);
  const file = "npm/file-20000-0/-/file-20000-0-1.0.3.tgz";
  await ask(proxy, file);
  const before = proxy.memory().now;
  const begin = performance.now();
  await setPolicy(proxy, policyOf(entries, "blocked"));
  const stored = performance.now() - begin;
  const first: number[] = [];
  for (let i = 0; i < 5; i++) {
    await fetchWhole(`${world.upstream.base}doc-650000-${i}`);
    first.push(await ask(proxy, `npm/doc-650000-${i}`));
  }
  const known: number[] = [];
  const download: number[] = [];
  for (let i = 0; i < 20; i++) {
    known.push(await ask(proxy, "npm/doc-650000-4"));
    download.push(await ask(proxy, file));
  }
  return {
    store: stored,
    first: median(first),
    known: median(known),
    file: median(download),
    MB: proxy.memory().peak - before,
  };
}

/** Each org has a policy of its own, so nothing but the work on the document can be shared. */
async function measureOrgs(
  bench: Bench,
  orgs: number,
  document: string,
): Promise<Record<string, number>> {
  await using world = await World.open(bench);
  const proxy = await warmProxy(world);
  const before = proxy.memory().now;
  const paths: string[] = [];
  for (let i = 0; i < orgs; i++) {
    await setPolicy(proxy, policyOf(10, `blocked-${i}`), `org-${i}`);
    paths.push(`o-org-${i}/npm/${document}`);
  }
  const first: number[] = [];
  for (const path of paths) first.push(await ask(proxy, path));
  const measured = await bench.load.run({
    urls: paths.map((path) => `${proxy.base}${path}`),
    headers: FORM,
    connections: 16,
    seconds: 2,
  });
  return {
    first: median(first),
    known: 1_000 / measured.requestsPerSecond,
    MB: proxy.memory().peak - before,
  };
}

/** Its code compiled, so that what is measured first does not pay for that. */
async function warmProxy(world: World): Promise<Running> {
  const proxy = await world.proxy();
  for (let i = 0; i < 30; i++) await ask(proxy, `npm/doc-36000-${i}x`);
  return proxy;
}

function policyOf(entries: number, prefix: string): unknown {
  const list = Array.from({ length: entries }, (_, i) => ({ purl: `pkg:npm/${prefix}-${i}` }));
  return { rules: { block: { level: "deny", entries: list } } };
}

/** Milliseconds to the last byte. */
async function ask({ base }: Running, path: string): Promise<number> {
  using client = await RawClient.open(base);
  const { status, lastByteMs } = await client.get(`/${path}`, FORM);
  if (status !== 200) throw new Error(`${path} answers ${status}`);
  return lastByteMs;
}

/** Has the upstream make what it will be asked for. */
async function fetchWhole(url: string): Promise<void> {
  using client = await RawClient.open(url);
  await client.get(new URL(url).pathname);
}
