/** What a killed process leaves behind, and how fast another learns of a policy: with real processes on one KV file. */
import assert from "node:assert/strict";
import { start, type Started, temporary } from "./process.ts";
import { startNpmRegistry } from "./registry/npm.ts";

const ROOT = new URL("../", import.meta.url);
const ADMIN_TOKEN = "0123456789abcdef";
const PACKAGES = 60;
const ROUNDS = 4;

/** Hex that does not compress to much less than half. */
function noise(bytes: number): string {
  let text = "";
  for (let left = bytes; left > 0; left -= 48 * 1024) {
    text += crypto.getRandomValues(new Uint8Array(Math.min(left, 48 * 1024))).toHex();
  }
  return text;
}

/** What `deno task query` says, from the file alone. */
async function installs(KV_URL: string): Promise<Set<string>> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", "admin/query.ts"],
      ...["installs", "--format", "jsonl", "--limit", "100000"],
    ],
    cwd: ROOT,
    env: { KV_URL, NO_COLOR: "1" },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const lines = new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
  return new Set(lines.map((line) => {
    const { user, filename } = JSON.parse(line);
    return `${user} ${filename}`;
  }));
}

/** Asks for every file at once, and kills the process when some have come. */
async function killedRound(proxy: Started, { user, after }: { user: string; after: number }) {
  const whole: string[] = [];
  let broken = 0;
  const names = Array.from({ length: PACKAGES }, (_, i) => `package-${i}`);
  await Promise.all(names.map(async (name) => {
    const filename = `${name}-1.0.0.tgz`;
    try {
      const response = await fetch(`${proxy.url}/o-default/u-${user}/npm/${name}/-/${filename}`);
      const length = Number(response.headers.get("content-length"));
      const { byteLength } = await response.arrayBuffer();
      if (response.status === 200 && byteLength === length) whole.push(`${user} ${filename}`);
    } catch {
      broken++;
    }
    if (whole.length >= after) {
      try {
        proxy.process.kill("SIGKILL");
      } catch {
        // It is dead already: another download came to its end first.
      }
    }
  }));
  await proxy.process.status;
  return { whole, broken };
}

Deno.test({
  name: "kill -9 during downloads: every file that was received whole is on record",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporary();
    const KV_URL = folder.file("proxy.sqlite");
    await using registry = startNpmRegistry();
    for (let i = 0; i < PACKAGES; i++) {
      const files = { "noise.txt": noise(10_000 + i * 7_000) };
      registry.publish({ name: `package-${i}`, version: "1.0.0", files });
    }
    const received: string[] = [];
    let broken = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await using proxy = await start({ KV_URL, UPSTREAM_NPM: registry.url });
      const result = await killedRound(proxy, { user: `r${round}`, after: 1 + round * 12 });
      received.push(...result.whole);
      broken += result.broken;
    }
    assert.ok(received.length >= ROUNDS, "files arrived");
    assert.ok(broken > 0, "the kills came in the middle");
    const recorded = await installs(KV_URL);
    assert.deepEqual(received.filter((file) => !recorded.has(file)), []);
  },
});

Deno.test("a changed policy holds at once in its process, and within 5 s in another on the same database", async () => {
  await using folder = await temporary();
  const KV_URL = folder.file("proxy.sqlite");
  await using registry = startNpmRegistry();
  registry.publish({ name: "left", version: "1.0.0" });
  const variables = { KV_URL, ADMIN_TOKEN, UPSTREAM_NPM: registry.url };
  await using first = await start(variables);
  await using second = await start(variables);
  const status = async ({ url }: Started) => {
    const response = await fetch(`${url}/npm/left/-/left-1.0.0.tgz`);
    await response.arrayBuffer();
    return response.status;
  };
  assert.deepEqual([await status(first), await status(second)], [200, 200]);
  for (const [versions, expected] of [["*", 403], ["2", 200]] as const) {
    const put = await fetch(`${first.url}/admin/v1/orgs/default/policy`, {
      method: "PUT",
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ rules: { block: { entries: [{ purl: "pkg:npm/left", versions }] } } }),
    });
    assert.ok(put.ok, await put.text());
    const changed = performance.now();
    assert.equal(await status(first), expected, "at once");
    while (await status(second) !== expected) {
      // Half a second for what a busy machine adds to the request itself.
      assert.ok(performance.now() - changed < 5_500, "it took more than 5 s");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
});
