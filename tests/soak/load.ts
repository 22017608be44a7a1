/** What clients and administrators do, many at once, and what they were told. */
import { ADMIN_TOKEN, type Life } from "./life.ts";
import { pick, type SoakFile, type SoakUpstreams } from "./upstreams.ts";

export interface Load {
  requests: number;
  refusals: number;
  kills: number;
  seconds: number;
  /** How often each kind of request ended how. */
  readonly outcomes: Map<string, number>;
  /** `<user> <filename>` of each file that came whole: its record is promised. */
  readonly promised: string[];
  /** Purls of the block entries whose change was acknowledged. */
  readonly changed: string[];
  /** What must never be. */
  readonly wrong: string[];
}

export interface LoadOptions {
  readonly life: Life;
  readonly upstreams: SoakUpstreams;
  readonly totalMs: number;
  readonly killEveryMs: number;
  readonly progress: (line: string) => void;
}

const AT_ONCE = 16;
/** Between the requests of one client, on average. */
const PAUSE_MS = 20;
const SHUFFLE_MS = 4_000;
const SAMPLE_MS = 1_000;
/** Longer than any deadline of the proxy. */
const GIVE_UP_MS = 45_000;
/** Answers that a fault or a refusal may have; 404 is a file of a PyPI index that came as a page without links. */
const EXPECTED = new Set([200, 201, 204, 304, 403, 404, 502, 503, 504]);

type Kind = readonly [name: string, weight: number, ask: (turn: Turn) => Promise<number>];

interface Turn extends LoadOptions {
  readonly load: Load;
  /** Never given twice. */
  readonly number: number;
  readonly file: SoakFile;
}

const KINDS: readonly Kind[] = [
  ["index", 30, (turn) => status(turn, turn.file.index, { headers: turn.file.headers })],
  ["file", 36, takeFile],
  ["why", 4, (turn) => status(turn, `/why/pkg:npm/soak${turn.number % 40}x`)],
  ["token use", 8, (turn) => asAdmin(turn, turn.file.index, { headers: turn.file.headers })],
  ["admin read", 10, (turn) => asAdmin(turn, `${ORG}/${pick(READS)}`)],
  ["policy change", 4, changePolicy],
  ["token made", 2, (turn) => post(turn, `${ORG}/tokens`, { user: "soak", role: "client" })],
  ["check", 4, (turn) => post(turn, "/check", lockfile(turn.number))],
  ["health", 2, (turn) => status(turn, "/health", { headers: { "user-agent": "curl/8" } })],
];
const ORG = "/admin/v1/orgs/default";
const READS = [
  "installs?limit=20",
  "refusals?limit=20",
  "stats",
  "policy",
  "audit",
  "tokens",
  "block",
];
const WEIGHTS = KINDS.reduce((sum, [, weight]) => sum + weight, 0);

export async function runLoad(options: LoadOptions): Promise<Load> {
  const { life, upstreams, totalMs, killEveryMs, progress } = options;
  const load: Load = {
    requests: 0,
    refusals: 0,
    kills: 0,
    seconds: 0,
    outcomes: new Map(),
    promised: [],
    changed: [],
    wrong: [],
  };
  const began = performance.now();
  const over = () => performance.now() - began >= totalMs;
  upstreams.shuffle();
  const timers = [
    setInterval(() => upstreams.shuffle(), SHUFFLE_MS),
    setInterval(() => life.sample(), SAMPLE_MS),
  ];
  const killer = async () => {
    for (let next = killEveryMs; next < totalMs - 1_000; next += killEveryMs) {
      await sleep(next - (performance.now() - began));
      life.sample();
      await life.restart();
      load.kills++;
      progress(`${Math.round(next / 1000)} s: killed; ${load.requests} requests so far`);
    }
  };
  const client = async () => {
    while (!over()) {
      await oneRequest({ ...options, load, number: load.requests++, file: pick(upstreams.files) });
      await sleep(2 * PAUSE_MS * Math.random());
    }
  };
  await Promise.all([killer(), ...Array.from({ length: AT_ONCE }, client)]);
  for (const timer of timers) clearInterval(timer);
  upstreams.mend();
  life.sample();
  load.seconds = (performance.now() - began) / 1000;
  return load;
}

async function oneRequest(turn: Turn): Promise<void> {
  const { load } = turn;
  const [name, , ask] = chosen();
  let outcome: string;
  try {
    const status = await ask(turn);
    outcome = String(status);
    if (status === 403) load.refusals++;
    if (!EXPECTED.has(status)) load.wrong.push(`${name}: ${status}`);
  } catch (error) {
    if (error instanceof WrongBytes) load.wrong.push(`${name}: other bytes than were published`);
    outcome = error instanceof DOMException
      ? "given up"
      : error instanceof BrokenBody
      ? "broke off"
      : "no connection";
    if (outcome === "given up") load.wrong.push(`${name}: no answer in ${GIVE_UP_MS} ms`);
  }
  const key = `${name}: ${outcome}`;
  load.outcomes.set(key, (load.outcomes.get(key) ?? 0) + 1);
}

function chosen(): Kind {
  let left = Math.random() * WEIGHTS;
  return KINDS.find(([, weight]) => (left -= weight) < 0) ?? KINDS[0];
}

class BrokenBody extends Error {
  override readonly name = "BrokenBody";
}

class WrongBytes extends Error {
  override readonly name = "WrongBytes";
}

async function ask(
  { life }: Turn,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; bytes: Uint8Array }> {
  const response = await fetch(`${life.url}${path}`, {
    ...init,
    redirect: "manual",
    signal: AbortSignal.timeout(GIVE_UP_MS),
  });
  try {
    return { status: response.status, bytes: await response.bytes() };
  } catch (cause) {
    if (cause instanceof DOMException) throw cause;
    throw new BrokenBody("The body broke off", { cause });
  }
}

async function status(turn: Turn, path: string, init?: RequestInit): Promise<number> {
  return (await ask(turn, path, init)).status;
}

function asAdmin(turn: Turn, path: string, init: RequestInit = {}): Promise<number> {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${ADMIN_TOKEN}`);
  return status(turn, path, { ...init, headers });
}

function post(turn: Turn, path: string, body: unknown): Promise<number> {
  const headers = { "content-type": "application/json", "accept": "application/json" };
  return asAdmin(turn, path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function takeFile(turn: Turn): Promise<number> {
  const { file, load, number } = turn;
  const user = `s${number}`;
  const { status, bytes } = await ask(turn, `/o-default/u-${user}${file.path}`, {
    headers: file.headers,
  });
  if (status !== 200) return status;
  if (bytes.length !== file.bytes.length || bytes.some((byte, i) => byte !== file.bytes[i])) {
    throw new WrongBytes("It ended well all the same");
  }
  load.promised.push(`${user} ${file.filename}`);
  return status;
}

/** Half of them withhold something that others ask for, and half of those for a moment. */
async function changePolicy(turn: Turn): Promise<number> {
  const { number, load } = turn;
  if (number % 4 === 0) {
    const level = number % 8 === 0 ? "warn" : "deny";
    return await patch(turn, { rules: { yanked: { level } } });
  }
  if (number % 4 === 1) {
    return await patch(turn, { rules: { block: { entries: [] } } });
  }
  const purl = number % 4 === 2 ? `pkg:npm/soak${number % 40}x` : `pkg:npm/never-${number}`;
  const status = await post(turn, `${ORG}/block`, { purl, reason: `soak ${number}` });
  if (status === 201) load.changed.push(`soak ${number}`);
  return status;
}

function patch(turn: Turn, body: unknown): Promise<number> {
  const headers = { "content-type": "application/merge-patch+json" };
  return asAdmin(turn, `${ORG}/policy`, { method: "PATCH", headers, body: JSON.stringify(body) });
}

function lockfile(number: number) {
  const names = Array.from({ length: 5 }, (_, i) => `soak${(number + i) % 40}x`);
  return {
    name: "soak",
    lockfileVersion: 3,
    packages: Object.fromEntries(
      names.map((name) => [`node_modules/${name}`, { version: "1.0.0" }]),
    ),
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
