/** A request that was given up must give its connection back. */
import assert from "node:assert/strict";
import { UpstreamError } from "../../ecosystems/errors.ts";
import { Upstream } from "../../ecosystems/upstream.ts";
import { serveRegistry } from "../registry/server.ts";
import { startFront } from "./front.ts";

const ROUNDS = 6;

Deno.test("a document given up on a kept connection leaves no connection behind", async () => {
  await using server = serveRegistry(() => ({ body: "{}", type: "application/json" }));
  await using front = await startFront(server.url);
  front.fault(/silent/, { kind: "silent" });
  const upstream = new Upstream({ limits: { firstByteMs: 500, stallMs: 1_000 } });
  const source = {
    ecosystem: "npm",
    url: front.url,
    fileOrigins: [],
    authorization: null,
    partition: "",
  };
  const ask = (path: string) =>
    upstream.document(source, { url: `${front.url}${path}`, accept: "application/json" });
  for (let round = 0; round < ROUNDS; round++) {
    assert.equal((await ask("well")).kind, "document");
    await assert.rejects(ask("silent"), (error: UpstreamError) => error.fault === "timeout");
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(front.count(), 2 * ROUNDS, "nothing was sent again by itself");
  assert.ok(front.open() <= 1, `${front.open()} connections are open`);
});
