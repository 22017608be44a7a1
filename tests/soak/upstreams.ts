/** Registries with a few packages each, behind fronts that break now this and now that. */
import { DRIVERS } from "../contract/drivers.ts";
import { type Front, type FrontFault, startFront } from "../faults/front.ts";

export interface SoakFile {
  /** Path below the base, of the index and of the file. */
  readonly index: string;
  readonly path: string;
  readonly filename: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface SoakUpstreams extends AsyncDisposable {
  /** `UPSTREAM_...` by name. */
  readonly settings: Readonly<Record<string, string>>;
  readonly files: readonly SoakFile[];
  /** Breaks some packages in some way, and mends what was broken before. */
  shuffle(): void;
  mend(): void;
  /** Requests so far, and connections open now. */
  count(): number;
  open(): number;
}

/** Of each ecosystem. */
const PACKAGES = 40;
/** Share of packages that something is wrong with at a time. */
const FAULTY = 0.2;
const LONG_AGO = new Date("2020-01-01");

/** Faults that take long are rare, or there would be little else. */
const FAULTS: readonly FrontFault[] = [
  { kind: "close" },
  { kind: "reset" },
  { kind: "close", after: 60 },
  { kind: "reset", after: 60 },
  { kind: "length", by: 9 },
  { kind: "length", by: -9 },
  { kind: "tamper" },
  { kind: "page" },
  { kind: "cut_gzip" },
  { kind: "status", status: 500 },
  { kind: "status", status: 429, headers: { "retry-after": "1" } },
  { kind: "burst", answers: 20 },
  { kind: "flapping" },
  { kind: "trickle", pieces: 10, everyMs: 50 },
];
const SLOW: readonly FrontFault[] = [{ kind: "silent" }, { kind: "silent", after: 60 }];

export async function openSoakUpstreams(): Promise<SoakUpstreams> {
  const fronts: Front[] = [];
  const stops: AsyncDisposable[] = [];
  const files: SoakFile[] = [];
  const settings: Record<string, string> = {};
  for (const driver of DRIVERS) {
    const world = driver.start();
    const front = await startFront(world.server.url);
    stops.push(front, world.server);
    fronts.push(front);
    settings[`UPSTREAM_${driver.id.toUpperCase()}`] = world.upstream
      .replace(world.server.url, front.url);
    for (let i = 0; i < PACKAGES; i++) {
      const name = `soak${i}x`;
      const { path, bytes } = world.publish({ name, version: "1.0.0", publishedAt: LONG_AGO });
      files.push({
        index: `${driver.mount}${driver.index(name)}`,
        path: `${driver.mount}${path}`,
        filename: driver.id === "cargo" ? `${name}-1.0.0.crate` : path.split("/").at(-1) ?? "",
        headers: driver.headers,
        bytes,
      });
    }
  }
  return {
    settings,
    files,
    shuffle() {
      for (const front of fronts) {
        front.mend();
        for (let i = 0; i < PACKAGES * FAULTY; i++) {
          front.fault(new RegExp(`\\b${one()}`), pick(FAULTS));
        }
        if (Math.random() < 0.2) front.fault(new RegExp(`\\b${one()}`), pick(SLOW));
      }
    },
    mend: () => fronts.forEach((front) => front.mend()),
    count: () => fronts.reduce((sum, front) => sum + front.count(), 0),
    open: () => fronts.reduce((sum, front) => sum + front.open(), 0),
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await stop[Symbol.asyncDispose]();
    },
  };
}

function one(): string {
  return `soak${Math.floor(Math.random() * PACKAGES)}x`;
}

export function pick<T>(among: readonly T[]): T {
  return among[Math.floor(Math.random() * among.length)];
}
