/** A load generator for machines without wrk: raw connections, each asking again when it has its answer. */
// deno-lint-ignore-file no-console -- the result goes to whoever started it
import { RawClient } from "../raw_client.ts";
import type { Measured, Target } from "../load.ts";

const target: Target = JSON.parse(Deno.args[0]);
const latencies: number[] = [];
let bytes = 0;
const begin = performance.now();
const end = begin + target.seconds * 1_000;
await Promise.all(Array.from({ length: target.connections }, (_, i) => ask(i)));
const elapsed = (performance.now() - begin) / 1_000;
latencies.sort((a, b) => a - b);
const at = (share: number) =>
  latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
const measured: Measured = {
  requestsPerSecond: latencies.length / elapsed,
  bytesPerSecond: bytes / elapsed,
  p50: at(0.5),
  p99: at(0.99),
};
console.log(JSON.stringify(measured));

async function ask(first: number): Promise<void> {
  const { urls, headers = {} } = target;
  using client = await RawClient.open(urls[0]);
  for (let i = first; performance.now() < end; i++) {
    const { pathname } = new URL(urls[i % urls.length]);
    const { status, lastByteMs, body } = await client.get(pathname, headers);
    if (status !== 200) throw new Error(`${pathname} answers ${status}`);
    latencies.push(lastByteMs);
    bytes += body.length;
  }
}
