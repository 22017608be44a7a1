import { cargoVersions } from "../../../ecosystems/cargo/versions.ts";
import { npmVersions } from "../../../ecosystems/npm/versions.ts";
import { pypiVersions } from "../../../ecosystems/pypi/versions.ts";
import { openRecords, type RecordsOptions } from "../../../policy/store/records.ts";
import type { Records } from "../../../policy/store/types.ts";
import type { RecordInput } from "../../../policy/types.ts";

export const DAY = 86_400_000;
export const START = Date.parse("2026-11-01T12:00:00Z");

export const schemes = new Map(
  [npmVersions, pypiVersions, cargoVersions].map((scheme) => [scheme.ecosystem, scheme]),
);

/** `npm:lodash@4.17.21` and whatever else a test cares for. */
export function input(release: string, more: Partial<RecordInput> = {}): RecordInput {
  const [ecosystem, rest] = [
    release.slice(0, release.indexOf(":")),
    release.slice(release.indexOf(":") + 1),
  ];
  const at = rest.lastIndexOf("@");
  const [name, version] = [rest.slice(0, at), rest.slice(at + 1)];
  return {
    org: "acme",
    user: "alice",
    ip: "10.0.0.1",
    ecosystem,
    package: name,
    version,
    filename: `${name}-${version}.tgz`,
    purl: `pkg:${ecosystem}/${name}@${version}`,
    bytes: 1_000,
    verdict: "allow",
    policy: "01",
    ...more,
  };
}

export interface World {
  readonly kv: Deno.Kv;
  readonly records: Records;
  readonly clock: { now: number };
}

/** Records in a KV of their own, with a clock that stands still until it is moved. */
export async function withRecords(
  run: (world: World) => Promise<void>,
  options: Partial<RecordsOptions> & { wrap?: (kv: Deno.Kv) => Deno.Kv } = {},
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = { now: START };
  const { wrap = (same: Deno.Kv) => same, ...rest } = options;
  const records = openRecords(wrap(kv), {
    schemes,
    now: () => clock.now,
    retentionMs: 400 * DAY,
    ...rest,
  });
  try {
    await run({ kv, records, clock });
  } finally {
    kv.close();
  }
}

/** A KV whose methods are replaced one by one; the rest is the real one's. */
export function kvWith(kv: Deno.Kv, methods: Partial<Deno.Kv>): Deno.Kv {
  return new Proxy(kv, {
    get(target, name) {
      const replaced: unknown = Reflect.get(methods, name);
      if (replaced !== undefined) return replaced;
      const own: unknown = Reflect.get(target, name, target);
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
}

/** A KV that tells of every entry it lists. */
export function kvListing(kv: Deno.Kv, listed: () => void): Deno.Kv {
  return kvWith(kv, {
    list: <T>(selector: Deno.KvListSelector, options?: Deno.KvListOptions) => {
      const entries = kv.list<T>(selector, options);
      const next = entries.next.bind(entries);
      entries.next = async () => {
        const result = await next();
        if (!result.done) listed();
        return result;
      };
      return entries;
    },
  });
}

/** `commit` of every atomic replaced by what `around` makes of it. */
export function kvCommitting(
  kv: Deno.Kv,
  around: (commit: () => Promise<Deno.KvCommitResult | Deno.KvCommitError>) => ReturnType<
    Deno.AtomicOperation["commit"]
  >,
): Deno.Kv {
  return kvWith(kv, {
    atomic() {
      const atomic = kv.atomic();
      const commit = atomic.commit.bind(atomic);
      atomic.commit = () => around(commit);
      return atomic;
    },
  });
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
