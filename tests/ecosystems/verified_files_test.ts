/** What is kept of files, for whom, and how much. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Source } from "../../ecosystems/ecosystem.ts";
import { SharedBodies } from "../../ecosystems/shared_body.ts";
import { verified } from "../../ecosystems/verified.ts";
import { VerifiedFiles } from "../../ecosystems/verified_files.ts";
import type { Digest, ReleaseFile } from "../../policy/types.ts";

const bodies = new SharedBodies();
const BYTES = new Uint8Array(1_000).fill(7);
const SOURCE: Source = {
  ecosystem: "npm",
  url: "http://registry.example/",
  authorization: null,
  partition: "",
  fileOrigins: [],
};

function fileOf(bytes: Uint8Array, algorithm: Digest["algorithm"] = "sha512"): ReleaseFile {
  const hex = createHash(algorithm).update(bytes).digest("hex");
  return { filename: "x.tgz", url: "x", digest: { algorithm, hex }, size: null };
}

/** Sends a file through as the proxy does; true: it ended well. */
async function through(
  files: VerifiedFiles,
  file: ReleaseFile,
  { body = BYTES, length = body.length, source = SOURCE }: {
    body?: Uint8Array<ArrayBuffer>;
    length?: number | null;
    source?: Source;
  } = {},
): Promise<boolean> {
  const stream = verified(new Blob([body]).stream().getReader(), {
    digest: file.digest,
    size: file.size,
    gathering: files.gather(source, file, { length, type: "a/b" }),
    finish: () => Promise.resolve(),
    broken: () => {},
  });
  return await new Response(stream).bytes().then(() => true, () => false);
}

Deno.test("a file that ended well is kept as it came, with its type", async () => {
  const files = new VerifiedFiles(100_000, bodies);
  const file = fileOf(BYTES);
  assert.equal(files.find(SOURCE, file), undefined);
  assert.ok(await through(files, file));
  const kept = files.find(SOURCE, file);
  assert.equal(kept?.type, "a/b");
  assert.deepEqual(await kept?.body.respond({}).bytes(), BYTES);
});

Deno.test("a file that is not the one of its digest is not kept, nor one that breaks off", async () => {
  const files = new VerifiedFiles(100_000, bodies);
  const file = fileOf(BYTES);
  assert.ok(!await through(files, file, { body: new Uint8Array(1_000) }));
  assert.ok(!await through(files, file, { body: BYTES.slice(1), length: 1_000 }));
  assert.equal(files.find(SOURCE, file), undefined);
});

Deno.test("a file of another length than stated is not kept", async () => {
  const files = new VerifiedFiles(100_000, bodies);
  for (const length of [999, 1_001]) assert.ok(await through(files, fileOf(BYTES), { length }));
  assert.equal(files.find(SOURCE, fileOf(BYTES)), undefined);
});

Deno.test("another registry, another ecosystem and another reader find nothing", async () => {
  const files = new VerifiedFiles(100_000, bodies);
  const file = fileOf(BYTES);
  await through(files, file, { source: { ...SOURCE, partition: "acme" } });
  for (const partition of ["", "other"]) {
    assert.equal(files.find({ ...SOURCE, partition }, file), undefined);
  }
  const own = { ...SOURCE, partition: "acme" };
  assert.equal(files.find({ ...own, url: "http://other.example/" }, file), undefined);
  assert.equal(files.find({ ...own, ecosystem: "pypi" }, file), undefined);
  assert.ok(files.find(own, file));
});

Deno.test("a digest that others can forge is no name for a file, and no digest is none", async () => {
  const files = new VerifiedFiles(100_000, bodies);
  for (const file of [fileOf(BYTES, "sha1"), fileOf(BYTES, "md5")]) {
    assert.ok(await through(files, file));
    assert.equal(files.find(SOURCE, file), undefined);
  }
  const nameless = { ...fileOf(BYTES), digest: null };
  assert.ok(await through(files, nameless));
  assert.equal(files.find(SOURCE, nameless), undefined);
});

Deno.test("a file of another size than the index states is not found", async () => {
  const files = new VerifiedFiles(100_000, bodies);
  await through(files, fileOf(BYTES));
  assert.ok(files.find(SOURCE, { ...fileOf(BYTES), size: 1_000 }));
  assert.equal(files.find(SOURCE, { ...fileOf(BYTES), size: 999 }), undefined);
});

Deno.test("large files and files of unknown length are not kept, and the oldest leave first", async () => {
  const files = new VerifiedFiles(10_000, bodies);
  const unknown = fileOf(BYTES);
  assert.ok(await through(files, unknown, { length: null }));
  const large = new Uint8Array(2_500);
  assert.ok(await through(files, fileOf(large), { body: large }));
  assert.equal(files.find(SOURCE, unknown), undefined);
  assert.equal(files.find(SOURCE, fileOf(large)), undefined);
  const many = Array.from({ length: 20 }, (_, i) => new Uint8Array(1_000).fill(i));
  for (const body of many) await through(files, fileOf(body), { body });
  const found = many.map((body) => files.find(SOURCE, fileOf(body)) !== undefined);
  assert.deepEqual(found, many.map((_, i) => i >= 15));
  const huge = new VerifiedFiles(1e9, bodies);
  assert.equal(huge.gather(SOURCE, unknown, { length: 2 * 1024 * 1024 + 1, type: null }), null);
});

Deno.test("what is under way is bounded, and what does not come to its end makes room again", () => {
  const files = new VerifiedFiles(10_000, bodies);
  const gather = () => files.gather(SOURCE, fileOf(BYTES), { length: 1_000, type: null });
  const underWay = Array.from({ length: 10 }, gather);
  assert.ok(underWay.every((one) => one !== null));
  assert.equal(gather(), null);
  underWay[0]?.drop();
  underWay[0]?.drop();
  assert.ok(gather());
  assert.equal(gather(), null);
});

Deno.test("a client that goes away makes room again", async () => {
  const files = new VerifiedFiles(10_000, bodies);
  for (let i = 0; i < 30; i++) {
    const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: (controller) => controller.enqueue(BYTES.slice(0, 10)),
    });
    const gathering = files.gather(SOURCE, fileOf(BYTES), { length: 1_000, type: null });
    assert.ok(gathering);
    const stream = verified(endless.getReader(), {
      ...{ digest: null, size: null, gathering },
      finish: () => Promise.resolve(),
      broken: () => {},
    });
    const reader = stream.getReader();
    await reader.read();
    await reader.cancel();
  }
});
