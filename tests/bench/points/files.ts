/** 4. Files, judged, verified and recorded, against a proxy that only passes the body on. */
import { setPolicy } from "../admin_client.ts";
import type { Bench, Point } from "../bench.ts";
import type { Running } from "../process.ts";
import { RawClient } from "../raw_client.ts";
import { inTurns, median, medians } from "../rounds.ts";
import { limitRow, ratioRow, type Row } from "../row.ts";
import { World } from "../world.ts";

const MEGABYTE = 1_000_000;
const LARGE = "file-10000000-0";
/** For the first byte: of 10 MB the upstream's own copy takes longer than all that is looked for. */
const MEDIUM = "file-1000000-0";
const SMALL = "file-20000-0";
const LABELS: Readonly<Record<string, string>> = { [MEDIUM]: "1 MB", [SMALL]: "20 KB" };

interface Kind {
  readonly label: string;
  /** Least share of the pass-through's throughput. */
  readonly atLeast: number;
  /** Paths of the file: at the proxy, at the upstream. */
  paths(
    proxy: Running,
    name: string,
  ): Promise<{ readonly proxy: string; readonly upstream: string }>;
}

const npmPaths: Kind["paths"] = (_proxy, name) => {
  const upstream = `${name}/-/${name}-1.0.3.tgz`;
  return Promise.resolve({ proxy: `npm/${upstream}`, upstream });
};

const KINDS: readonly Kind[] = [
  { label: "npm, SHA-512", atLeast: 0.5, paths: npmPaths },
  {
    label: "PyPI, SHA-256",
    atLeast: 0.7,
    async paths(proxy, name) {
      using client = await RawClient.open(proxy.base);
      const accept = "application/vnd.pypi.simple.v1+json";
      const { body } = await client.get(`/pypi/simple/${name}/`, { accept });
      const page: { files: { url: string }[] } = JSON.parse(new TextDecoder().decode(body));
      const path = new URL(page.files[3].url, proxy.base).pathname.slice(1);
      return { proxy: path, upstream: path.replace(/^pypi\//, "") };
    },
  },
];

const NPM = { "user-agent": "npm/12.0.0 node/v24.0.0 linux x64" };
/** Nothing is hashed: what is left is judging and recording. */
const UNTOUCHED: Kind = {
  label: "npm, left to the client to verify",
  atLeast: 0.95,
  paths: npmPaths,
};

export const files: Point = {
  number: 4,
  title: "Files, judged, verified and recorded",
  async run(bench) {
    const rows: Row[] = [];
    for (const kind of KINDS) {
      await using world = await World.open(bench);
      const open = await opener(world, kind);
      rows.push(...await measureThroughput(bench, kind, await open(LARGE)));
      for (const name of [MEDIUM, SMALL]) {
        rows.push(
          await measureFirstByte(bench, `${kind.label}, ${LABELS[name]}`, await open(name)),
        );
      }
    }
    await using world = await World.open(bench);
    const open = await opener(world, UNTOUCHED, { verify: "client" });
    rows.push(...await measureThroughput(bench, UNTOUCHED, await open(LARGE), NPM));
    return rows;
  },
};

/** Addresses of the same file by contender. */
type Urls = Readonly<Record<string, string>>;

/** Finds a file at both contenders, and checks that it is the same. */
async function opener(
  world: World,
  kind: Kind,
  policy?: unknown,
): Promise<(name: string) => Promise<Urls>> {
  const proxy = await world.proxy();
  if (policy !== undefined) await setPolicy(proxy, policy);
  const streamed = await world.floor("streamed");
  return async (name) => {
    const paths = await kind.paths(proxy, name);
    const urls = {
      proxy: `${proxy.base}${paths.proxy}`,
      streamed: `${streamed.base}${paths.upstream}`,
    };
    const sizes = await Promise.all(
      Object.values(urls).map(async (url) => {
        using client = await RawClient.open(url);
        const { status, body, headers } = await client.get(new URL(url).pathname);
        if (status !== 200) throw new Error(`${url} answers ${status}`);
        if (Number(headers.get("content-length")) !== body.length) {
          throw new Error(`${url}: wrong length`);
        }
        return body.length;
      }),
    );
    if (new Set(sizes).size !== 1) throw new Error(`Not the same file: ${sizes}`);
    return urls;
  };
}

async function measureThroughput(
  bench: Bench,
  kind: Kind,
  urls: Urls,
  headers?: Readonly<Record<string, string>>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const connections of [1, 8]) {
    const results = await inTurns(
      Object.keys(urls),
      bench,
      (contender) =>
        bench.load.run({ urls: [urls[contender]], headers, connections, seconds: 1.2 }),
    );
    const what = `${kind.label}, 10 MB, ${connections} at a time`;
    const values = medians(results, (one) => one.bytesPerSecond / MEGABYTE);
    rows.push(ratioRow({ point: 4, what, unit: "MB/s", values }, ["proxy", "streamed"], {
      atLeast: kind.atLeast,
    }));
    bench.progress(`${what}: ${JSON.stringify(values)}`);
  }
  return rows;
}

/** Taken in pairs, since what is looked for is a fraction of a millisecond. */
async function measureFirstByte(bench: Bench, file: string, urls: Urls): Promise<Row> {
  using stack = new DisposableStack();
  const contenders = Object.keys(urls);
  const clients = new Map<string, RawClient>();
  for (const contender of contenders) {
    clients.set(contender, stack.use(await RawClient.open(urls[contender])));
  }
  const ask = async (contender: string) => {
    const { pathname } = new URL(urls[contender]);
    return (await clients.get(contender)!.get(pathname)).firstByteMs;
  };
  await inTurns(contenders, { rounds: 20 }, ask);
  const results = await inTurns(
    contenders,
    { rounds: bench.quick ? 40 : 100, patience: bench.patience },
    ask,
  );
  const added = results.get("proxy")!.map((ms, i) => ms - results.get("streamed")![i]);
  const what = `${file}, first byte`;
  const values = medians(results, (ms) => ms);
  bench.progress(`${what}: ${JSON.stringify(values)}`);
  const row = { point: 4, what, unit: "ms", values, compared: "proxy − streamed, ms" };
  return limitRow(row, median(added), { atMost: 1 });
}
