/** A file ends well only if it is the right one and on record. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { HoldBack } from "../../ecosystems/ecosystem.ts";
import { type Passed, roomFor, verified } from "../../ecosystems/verified.ts";
import { BodyMemory } from "../../policy/bounded_body.ts";

const FILE = crypto.getRandomValues(new Uint8Array(1_000));
const SHA256 = {
  algorithm: "sha256",
  hex: createHash("sha256").update(FILE).digest("hex"),
} as const;
const SHA1 = { algorithm: "sha1", hex: createHash("sha1").update(FILE).digest("hex") } as const;

function pieces(...sizes: number[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return ReadableStream.from(sizes.map((size) => FILE.slice(at, at += size)));
}

function through(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  given: Partial<Parameters<typeof verified>[1]> = {},
) {
  const finished: Passed[] = [];
  const broken: unknown[] = [];
  const stream = verified(body.getReader(), {
    digest: SHA256,
    size: null,
    finish: (passed) => Promise.resolve(void finished.push(passed)),
    broken: (error) => void broken.push(error),
    ...given,
  });
  return { stream, finished, broken };
}

/** What arrives before the stream ends, and whether it ends well. */
async function drain(stream: ReadableStream<Uint8Array>) {
  let bytes = 0;
  try {
    for await (const chunk of stream) bytes += chunk.length;
    return { bytes, ended: true };
  } catch {
    return { bytes, ended: false };
  }
}

Deno.test("a file arrives unchanged, however it is cut", async () => {
  for (const sizes of [[1_000], [1, 999], [0, 500, 0, 500, 0], Array<number>(1_000).fill(1)]) {
    const { stream, finished, broken } = through(pieces(...sizes));
    assert.deepEqual(await new Response(stream).bytes(), FILE);
    assert.deepEqual(finished, [{ bytes: 1_000, sha256: SHA256.hex }]);
    assert.deepEqual(broken, []);
  }
});

Deno.test("an empty file is a file", async () => {
  const { stream, finished } = through(pieces(), { digest: null, size: 0 });
  assert.deepEqual(await drain(stream), { bytes: 0, ended: true });
  assert.deepEqual(finished, [{ bytes: 0 }]);
});

Deno.test("the last piece waits for the record", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { stream } = through(pieces(400, 400, 200), { finish: () => promise });
  let received = 0;
  const whole = (async () => {
    for await (const chunk of stream) received += chunk.length;
  })();
  await new Promise((tick) => setTimeout(tick, 50));
  assert.equal(received, 800);
  resolve();
  await whole;
  assert.equal(received, 1_000);
});

Deno.test("a file that comes in one piece begins at once, and its last byte waits for the record", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { stream } = through(pieces(1_000), { finish: () => promise });
  let received = 0;
  const whole = (async () => {
    for await (const chunk of stream) received += chunk.length;
  })();
  await new Promise((tick) => setTimeout(tick, 50));
  assert.equal(received, 999);
  resolve();
  await whole;
  assert.equal(received, 1_000);
});

Deno.test("a record that fails breaks the file off before its end", async () => {
  const { stream, broken } = through(pieces(400, 600), {
    finish: () => Promise.reject(new Error("no store")),
  });
  assert.deepEqual(await drain(stream), { bytes: 400, ended: false });
  assert.equal(broken.length, 1);
});

Deno.test("another digest or another size breaks off, and is not on record", async () => {
  for (
    const given of [
      { digest: { ...SHA256, hex: "0".repeat(64) } },
      { digest: { ...SHA1, hex: "unreadable" } },
      { digest: null, size: 999 },
      { digest: SHA256, size: 1_001 },
    ]
  ) {
    const { stream, finished, broken } = through(pieces(400, 600), given);
    assert.deepEqual(await drain(stream), { bytes: 400, ended: false });
    assert.deepEqual(finished, []);
    assert.equal(broken.length, 1);
  }
});

Deno.test("a digest that is no SHA-256 is checked and not recorded as one", async () => {
  const { stream, finished } = through(pieces(1_000), { digest: SHA1, size: 1_000 });
  assert.deepEqual(await drain(stream), { bytes: 1_000, ended: true });
  assert.deepEqual(finished, [{ bytes: 1_000 }]);
});

Deno.test("a body that breaks off upstream breaks off here", async () => {
  const failing = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => controller.enqueue(FILE.slice(0, 400)),
    pull: (controller) => controller.error(new Error("upstream")),
  });
  const { stream, finished, broken } = through(failing);
  assert.deepEqual(await drain(stream), { bytes: 399, ended: false });
  assert.deepEqual([finished.length, broken.length], [0, 1]);
});

Deno.test("a client that goes away ends the download upstream, without a record", async () => {
  let cancelled: unknown;
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(FILE.slice()),
    cancel: (reason) => void (cancelled = reason),
  });
  const { stream, finished } = through(endless);
  const reader = stream.getReader();
  await reader.read();
  await reader.cancel("gone");
  assert.equal(cancelled, "gone");
  assert.deepEqual(finished, []);
});

Deno.test("a client that leaves is neither a wrong file nor a record, with or without a digest", async () => {
  for (const digest of [SHA256, null]) {
    const waiting = Promise.withResolvers<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>>();
    let reads = 0;
    const body = {
      read: () =>
        ++reads === 1
          ? Promise.resolve({ done: false as const, value: FILE.slice(0, 400) })
          : waiting.promise,
      // As a stream's reader does, whose read is under way.
      cancel: () => Promise.resolve(waiting.resolve({ done: true, value: undefined })),
    };
    const finished: Passed[] = [];
    const broken: unknown[] = [];
    const stream = verified(body, {
      digest,
      size: null,
      finish: (passed) => Promise.resolve(void finished.push(passed)),
      broken: (error) => void broken.push(error),
    });
    const reader = stream.getReader();
    await reader.read();
    const next = reader.read();
    await reader.cancel("gone");
    await next;
    await new Promise((tick) => setTimeout(tick, 0));
    assert.deepEqual([finished, broken], [[], []]);
  }
});

/** Lets so many bytes go. */
function holdBackFrom(bytes: number, trickles = false): HoldBack {
  let at = 0;
  return {
    trickles,
    free(piece) {
      const free = Math.max(0, Math.min(piece.length, bytes - at));
      at += piece.length;
      return free;
    },
  };
}

Deno.test("what is held back waits for the whole file and its record, and arrives unchanged", async () => {
  for (const from of [0, 1, 399, 400, 500, 999, 1_000, 2_000]) {
    for (const sizes of [[1_000], [400, 600], [0, 500, 0, 500, 0], Array<number>(1_000).fill(1)]) {
      const memory = new BodyMemory(1_000);
      const { promise, resolve } = Promise.withResolvers<void>();
      const { stream } = through(pieces(...sizes), {
        holdBack: holdBackFrom(from),
        share: memory.open(),
        finish: () => promise,
      });
      const received: number[] = [];
      const whole = (async () => {
        for await (const chunk of stream) received.push(...chunk);
      })();
      await new Promise((tick) => setTimeout(tick, 5));
      assert.ok(received.length <= Math.min(from, 999), `${received.length} of ${from}`);
      resolve();
      await whole;
      assert.deepEqual(Uint8Array.from(received), FILE);
      assert.ok(memory.open().take(1_000));
    }
  }
});

Deno.test("nothing that is held back of a wrong file goes out, and it takes no memory then", async () => {
  const memory = new BodyMemory(700);
  const { stream, finished, broken } = through(pieces(400, 600), {
    digest: { ...SHA256, hex: "0".repeat(64) },
    holdBack: holdBackFrom(300),
    share: memory.open(),
  });
  assert.deepEqual(await drain(stream), { bytes: 299, ended: false });
  assert.deepEqual([finished.length, broken.length], [0, 1]);
  assert.ok(memory.open().take(700));
});

Deno.test("a file breaks off where all together would hold back too much", async () => {
  const memory = new BodyMemory(699);
  const { stream, broken } = through(pieces(400, 600), {
    holdBack: holdBackFrom(300),
    share: memory.open(),
  });
  assert.deepEqual(await drain(stream), { bytes: 299, ended: false });
  assert.match(String(broken), /Too many files are being held back/);
  assert.ok(memory.open().take(699));
});

Deno.test("a client that goes away gives back the memory of what was held for it", async () => {
  const memory = new BodyMemory(1_000);
  const { stream } = through(pieces(400, 400, 200), {
    holdBack: holdBackFrom(400),
    share: memory.open(),
    finish: () => new Promise(() => {}),
  });
  const reader = stream.getReader();
  await reader.read();
  void reader.read();
  await new Promise((tick) => setTimeout(tick, 5));
  assert.ok(!memory.open().take(1_000));
  await reader.cancel();
  assert.ok(memory.open().take(1_000));
});

Deno.test("a client that takes nothing of what was held for it is broken off, and gives its memory back", async () => {
  const memory = new BodyMemory(1_000);
  const { stream, finished, broken } = through(pieces(400, 400, 200), {
    holdBack: holdBackFrom(400),
    share: memory.open(),
    clientMs: 30,
  });
  const reader = stream.getReader();
  for (const length of [399, 1, 400]) assert.equal((await reader.read()).value?.length, length);
  assert.ok(!memory.open().take(1_000));
  await new Promise((tick) => setTimeout(tick, 60));
  assert.ok(memory.open().take(1_000));
  await assert.rejects(reader.read(), /The client has taken nothing/);
  assert.deepEqual([finished.length, broken.length], [1, 1]);
});

Deno.test("of a file of which much is held back, its end waits", async () => {
  const size = 65_536;
  const count = 520; // 32.5 MB
  const file = new Uint8Array(count * size).map((_, at) => at >> 16);
  const digest = {
    algorithm: "sha256",
    hex: createHash("sha256").update(file).digest("hex"),
  } as const;
  for (const from of [0, 100_000]) {
    const found = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const body = Array.from({ length: count }, (_, i) => file.slice(i * size, (i + 1) * size));
    const { stream } = through(ReadableStream.from(body), {
      digest,
      holdBack: holdBackFrom(from),
      finish: () => (found.resolve(), finish.promise),
    });
    const hash = createHash("sha256");
    let received = 0;
    const end = (async () => {
      for await (const chunk of stream) {
        hash.update(chunk);
        received += chunk.length;
      }
    })();
    await found.promise;
    const held = file.length - received;
    assert.ok(held > 31 * 1024 * 1024 && held <= 33 * 1024 * 1024, `${held} are held back`);
    finish.resolve();
    await end;
    assert.equal(hash.digest("hex"), digest.hex);
  }
});

Deno.test("what is held back waits for the record also where there is nothing to compare with", async () => {
  const { stream, broken } = through(pieces(400, 600), {
    digest: null,
    holdBack: holdBackFrom(300),
    finish: () => Promise.reject(new Error("no store")),
  });
  assert.deepEqual(await drain(stream), { bytes: 299, ended: false });
  assert.equal(broken.length, 1);
});

Deno.test("no more is held back of a file whose pieces grow longer", async () => {
  const most = 32 * 1024 * 1024;
  const lengths = [...Array<number>(8_192).fill(4_096), ...Array<number>(64).fill(262_144)];
  const size = lengths.reduce((sum, length) => sum + length);
  for (const from of [0, 100_000]) {
    let sent = 0;
    let received = 0;
    let held = 0;
    const [before, after] = [createHash("sha256"), createHash("sha256")];
    const body = function* () {
      for (const length of lengths) {
        held = Math.max(held, sent - received);
        sent += length;
        const piece = new Uint8Array(length).fill(sent >> 12);
        before.update(piece);
        yield piece;
      }
    };
    const { stream } = through(ReadableStream.from(body()), {
      digest: null,
      size,
      holdBack: holdBackFrom(from),
    });
    for await (const chunk of stream) {
      after.update(chunk);
      received += chunk.length;
    }
    assert.equal(after.digest("hex"), before.digest("hex"));
    assert.ok(held <= most + 3 * 262_144, `${held} are held back`);
  }
});

Deno.test("room is needed for as much as will be held back, where that is known from the start", () => {
  const mb = 1024 * 1024;
  const whole = { size: null, holdBack: holdBackFrom(0, true) };
  assert.equal(roomFor({ ...whole, size: 5 }, null), 5);
  assert.equal(roomFor({ ...whole, size: 5 }, 7), 5);
  assert.equal(roomFor(whole, 7), 7);
  assert.equal(roomFor(whole, null), 32 * mb);
  assert.equal(roomFor(whole, 33 * mb), 32 * mb);
  assert.equal(roomFor({ ...whole, holdBack: holdBackFrom(0) }, 7), 0);
  assert.equal(roomFor({ ...whole, holdBack: null }, 7), 0);
});

Deno.test("a byte from time to time keeps the client waiting where an archive takes long", async () => {
  const now = performance.now;
  let seconds = 0;
  performance.now = () => seconds * 1_000;
  try {
    const slow = async function* () {
      for (const at of [0, 400, 600]) {
        yield FILE.slice(at, at === 0 ? 400 : at === 400 ? 600 : 1_000);
        seconds += 4;
      }
    };
    const { stream } = through(ReadableStream.from(slow()), { holdBack: holdBackFrom(0, true) });
    const chunks: number[] = [];
    const received: number[] = [];
    for await (const chunk of stream) {
      chunks.push(chunk.length);
      received.push(...chunk);
    }
    assert.deepEqual(chunks, [1, 399, 200, 400]);
    assert.deepEqual(Uint8Array.from(received), FILE);
  } finally {
    performance.now = now;
  }
});
