/**
 * Tens of thousands of requests to the whole app, none of them with a right to
 * anything of the orgs `vault` and `nest`, several at a time and among those of
 * the owners. FUZZ_REQUESTS and FUZZ_SEED say how many and which; the seed is
 * printed, and a failure is shrunk.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type App, createApp } from "../../routes/app.ts";
import { type Shot, shots } from "./fuzz_requests.ts";
import {
  assertNothingLeaks,
  type AttackWorld,
  attackWorld,
  CANARY,
  SECRET_PATHS,
  textOf,
} from "./world.ts";

const REQUESTS = Number(Deno.env.get("FUZZ_REQUESTS") ?? 10_000);
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const AT_A_TIME = 5;
/** Every status there is a reason for. A 502 is what upstreams make of a broken audit. */
const DOCUMENTED = new Set([
  ...[200, 201, 204, 301, 302, 303, 304],
  ...[400, 401, 403, 404, 405, 409, 410, 412, 413, 414, 415, 422, 428, 429, 431],
  502,
]);

Deno.test(`no request of ${REQUESTS} gets a 500, or a byte of another org`, async () => {
  // deno-lint-ignore no-console -- whoever wants to see it again needs the seed
  console.log(`FUZZ_SEED=${SEED}`);
  await using world = await attackWorld();
  const app = createApp(world.proxy.deps);
  const rejected: unknown[] = [];
  const note = (event: PromiseRejectionEvent) => rejected.push(event.reason);
  globalThis.addEventListener("unhandledrejection", note);
  const seen = new Map<number, number>();
  const volley = fc.array(shots(world), { minLength: AT_A_TIME, maxLength: AT_A_TIME });
  try {
    const property = fc.asyncProperty(
      volley,
      fc.constantFrom(...SECRET_PATHS),
      async (all, own) => {
        const logged = world.proxy.lines.length;
        // Whoever guesses tokens faster than that hears 429 and nothing else.
        world.proxy.clock.now += AT_A_TIME * 1_000;
        const owner = ownerGets(app, own, world);
        const statuses = await Promise.all(all.map((shot) => fire(app, shot, world)));
        await owner;
        for (const status of statuses) seen.set(status, (seen.get(status) ?? 0) + 1);
        checkLog(world, logged);
        assert.deepEqual(rejected, []);
      },
    );
    await fc.assert(property, { numRuns: REQUESTS / AT_A_TIME, seed: SEED });
  } finally {
    globalThis.removeEventListener("unhandledrejection", note);
  }
  // The generators hit what there is, or all of this would say little.
  for (const status of [200, 201, 301, 400, 401, 403, 404, 405, 422]) {
    const count = seen.get(status) ?? 0;
    assert.ok(count >= REQUESTS / 1_000, `${status} of ${JSON.stringify([...seen])}`);
  }
});

/** As the server hands it over: with its address as it was sent. */
class Sent extends Request {
  readonly #url: string;

  constructor(path: string, init: RequestInit) {
    super("http://proxy.example/", init);
    this.#url = `http://proxy.example${path}`;
  }

  override get url(): string {
    return this.#url;
  }
}

async function fire(app: App, { method, path, headers, body }: Shot, world: AttackWorld) {
  const what = `${method} ${path}`;
  const response = await app(new Sent(path, { method, headers, body }));
  const { status } = response;
  const text = await textOf(response);
  assert.ok(DOCUMENTED.has(status), `${what} is ${status}: ${text}`);
  assertNothingLeaks(text, world, what);
  return status;
}

async function ownerGets(app: App, path: string, { keeper }: AttackWorld): Promise<void> {
  const response = await app(new Sent(path, { headers: { authorization: `Bearer ${keeper}` } }));
  const text = await textOf(response);
  assert.equal(response.status, 200, text);
  // In a file it is packed, and the others do not hold it.
  if (path.startsWith("/npm/@vault") && !/tgz$|dist-tags$/.test(path)) {
    assert.ok(text.includes(CANARY));
  }
}

/** No line has anybody's secret, and nothing failed inside. */
function checkLog({ proxy, strangers, keeper }: AttackWorld, from: number): void {
  for (const entry of proxy.lines.slice(from)) {
    const line = JSON.stringify(entry);
    for (const secret of [...Object.values(strangers), keeper, proxy.rootToken]) {
      assert.ok(!line.includes(secret), line);
    }
    assert.notEqual(entry.code, "internal", line);
  }
}
