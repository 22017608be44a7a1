/** uv unpacks what it downloads while it comes: what it gets of a file that is not the one of its index. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { testProxy } from "../proxy.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

/** What arrives of `strainer` 1.0, whose index states another digest, at this client. */
async function wrong(kind: "wheel" | "sdist", agent: string) {
  await using registry = startPypiRegistry();
  const [file] = registry.publish({
    name: "strainer",
    version: "1.0",
    files: [kind],
    tamper: true,
  });
  await using proxy = await testProxy({ upstreams: { pypi: registry.index } });
  const base = proxy.listen();
  const response = await fetch(`${base}/pypi/${file.path}`, { headers: { "user-agent": agent } });
  assert.equal(response.status, 200);
  const received: number[] = [];
  await assert.rejects(async () => {
    for await (const chunk of response.body ?? []) received.push(...chunk);
  });
  assert.deepEqual(await proxy.installs(), []);
  assert.equal(proxy.lines.filter(({ event }) => event === "broken").length, 1);
  return { received: Buffer.from(received), file: Buffer.from(file.bytes) };
}

Deno.test("of a wrong wheel nobody gets the directory that says its files are complete", async () => {
  for (const agent of ["uv/0.6.14", "uv/0.9.5", "curl/8.5.0"]) {
    const { received, file } = await wrong("wheel", agent);
    const directory = file.readUInt32LE(file.length - 6);
    assert.ok(received.length <= directory, `${received.length} of ${file.length} for ${agent}`);
    assert.deepEqual(received, file.subarray(0, received.length));
  }
});

Deno.test("of a wrong source archive nobody gets anything", async () => {
  const { received } = await wrong("sdist", "uv/0.6.14");
  assert.equal(received.length, 0);
});

Deno.test("pip, which compares a file itself, need not wait for it", async () => {
  const { received, file } = await wrong("sdist", "pip/23.2.1 {}");
  assert.equal(received.length, file.length - 1);
});

Deno.test("a source archive waits until there is room for all of it", async () => {
  await using registry = startPypiRegistry();
  const [file] = registry.publish({ name: "strainer", version: "1.0", files: ["sdist"] });
  await using proxy = await testProxy({ upstreams: { pypi: registry.index } });
  const others = proxy.deps.heldFiles.open();
  for (let bytes = 2 ** 30; bytes >= 1; bytes /= 2) others.take(bytes);
  let answered = false;
  const download = proxy.fetch(`/pypi/${file.path}`).finally(() => answered = true);
  await new Promise((tick) => setTimeout(tick, 100));
  assert.ok(!answered);
  others[Symbol.dispose]();
  const response = await download;
  assert.equal(response.status, 200);
  assert.deepEqual(await response.bytes(), file.bytes);
});
