/** A Response that nobody holds any more must not take its body's deadline along. */
import assert from "node:assert/strict";
import { OsvClient } from "../../ecosystems/advisories/client.ts";
import { Upstream } from "../../ecosystems/upstream.ts";
import { collectGarbage } from "./garbage.ts";

/** Sends a beginning, and then nothing. */
function startStalling(type: string): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () =>
      new Response(
        new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(40)) }),
        { headers: { "content-type": type } },
      ),
  );
}

/** Fails where the work is still under way. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`still under way after ${ms} ms`)), ms);
  return await Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

Deno.test("a file that stalls is given up in time, whatever garbage is collected meanwhile", async () => {
  const server = startStalling("application/octet-stream");
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const upstream = new Upstream({ limits: { firstByteMs: 1_000, stallMs: 300 } });
  const source = {
    ecosystem: "npm",
    url,
    fileOrigins: [],
    authorization: null,
    partition: "",
  };
  const answer = await upstream.file(source, `${url}file`);
  assert.equal((await answer?.body.read())?.value?.length, 40);
  const rest = answer?.body.read().then(({ done }) => done ? "it ended well" : "more came", String);
  await collectGarbage();
  assert.match(await within(3_000, Promise.resolve(rest)) ?? "", /does not answer in time/);
  await server.shutdown();
});

Deno.test("advisories that stall are given up in time, whatever garbage is collected meanwhile", async () => {
  const server = startStalling("application/json");
  const client = new OsvClient(`http://127.0.0.1:${server.addr.port}/`, { timeoutMs: 500 });
  const record = client.record("X-1").then(() => "an answer", String);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await collectGarbage();
  assert.match(await within(3_000, record), /Cannot reach OSV/);
  await server.shutdown();
});
