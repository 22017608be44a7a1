import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import {
  type BodyBounds,
  BodyMemory,
  BodyRefused,
  readBounded,
} from "../../policy/bounded_body.ts";

const MB = 1024 * 1024;

function streamOf(...chunks: (Uint8Array | number)[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const next = chunks.shift();
      if (next === undefined) return controller.close();
      if (typeof next === "number") {
        await new Promise((resolve) => setTimeout(resolve, next));
        return controller.enqueue(new Uint8Array(1));
      }
      controller.enqueue(new Uint8Array(next));
    },
  }, { highWaterMark: 0 });
}

async function fault(body: ReadableStream<Uint8Array<ArrayBuffer>>, bounds: BodyBounds) {
  try {
    await readBounded(body, bounds);
  } catch (error) {
    assert.ok(error instanceof BodyRefused, String(error));
    return error.fault;
  }
  return "none";
}

Deno.test("a body comes whole up to its bound, and no byte beyond", async () => {
  const bytes = await readBounded(streamOf(new Uint8Array([1, 2]), new Uint8Array([3])), {
    maxBytes: 3,
  });
  assert.deepEqual([...bytes], [1, 2, 3]);
  assert.equal(await fault(streamOf(new Uint8Array(4)), { maxBytes: 3 }), "too_large");
  assert.equal((await readBounded(null, { maxBytes: 3 })).length, 0);
});

Deno.test("what is zipped counts by what it inflates to, and may not inflate to a hundred times itself", async () => {
  const zipped = (size: number, fill?: number) =>
    streamOf(
      gzipSync(
        fill === undefined ? crypto.getRandomValues(new Uint8Array(size)) : new Uint8Array(size),
      ),
    );
  const bounds = { maxBytes: 40 * MB, zipped: true };
  assert.equal((await readBounded(zipped(60_000), bounds)).length, 60_000);
  assert.equal((await readBounded(zipped(8 * MB, 0), bounds)).length, 8 * MB, "small enough");
  assert.equal(await fault(zipped(9 * MB, 0), bounds), "too_large");
  assert.equal(await fault(zipped(60_000), { maxBytes: 59_999, zipped: true }), "too_large");
  assert.equal(await fault(streamOf(new Uint8Array([1, 2, 3])), bounds), "broken");
  const cut = gzipSync(new Uint8Array(1000)).subarray(0, 15);
  assert.equal(await fault(streamOf(cut), bounds), "broken");
});

Deno.test("a body that stalls or trickles is given up", async () => {
  const bounds = { maxBytes: 1_000, stallMs: 60, totalMs: 250 };
  assert.equal(await fault(streamOf(5, 5, 5), bounds), "none");
  assert.equal(await fault(streamOf(5, 2_000), bounds), "too_slow");
  assert.equal(await fault(streamOf(...Array(40).fill(30)), bounds), "too_slow");
  assert.equal(await fault(streamOf(5, 2_000), { ...bounds, zipped: true }), "too_slow");
});

Deno.test("what is reserved is taken once, whatever is taken of it, and given back whole", async () => {
  const memory = new BodyMemory(100);
  const share = memory.open();
  assert.ok(await share.reserve(60, 0));
  assert.ok(share.take(50) && share.take(10));
  assert.ok(memory.open().take(40));
  assert.ok(!share.take(1));
  share[Symbol.dispose]();
  share[Symbol.dispose]();
  assert.ok(!memory.open().take(61) && memory.open().take(60));
});

Deno.test("what is spare may be taken and not reserved", async () => {
  const memory = new BodyMemory(100, 30);
  const share = memory.open();
  assert.ok(!await share.reserve(71, 0));
  assert.ok(await share.reserve(70, 0));
  assert.ok(share.take(70));
  const other = memory.open();
  assert.ok(!await other.reserve(1, 0));
  assert.ok(other.take(30));
  assert.ok(!other.take(1));
});

Deno.test("those who need room wait for it in the order they came, and not for ever", async () => {
  const memory = new BodyMemory(100);
  const order: string[] = [];
  const wait = async (name: string, bytes: number, ms: number) => {
    const share = memory.open();
    order.push(`${name} ${await share.reserve(bytes, ms)}`);
    return share;
  };
  const first = await wait("first", 80, 0);
  const second = wait("second", 60, 60_000);
  const third = wait("third", 70, 60_000);
  await wait("never", 101, 20);
  (await wait("small", 20, 60_000))[Symbol.dispose]();
  assert.deepEqual(order, ["first true", "never false", "small true"]);
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  assert.deepEqual(order.slice(3), ["second true", "third true"]);
  assert.ok(memory.open().take(100));
});
