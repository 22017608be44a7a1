import assert from "node:assert/strict";
import type { Refusal } from "../../../ecosystems/ecosystem.ts";
import { npm } from "../../../ecosystems/npm/mod.ts";

const REFUSAL: Refusal = {
  ecosystem: "npm",
  name: "demo",
  version: "1.0.0",
  filename: "demo-1.0.0.tgz",
  purl: "pkg:npm/demo@1.0.0",
  code: "min_age",
  message: "published 2026-11-20T00:00:00Z, held until 2026-11-30T00:00:00Z",
  until: Date.UTC(2026, 10, 30),
  why: "http://127.0.0.1:8000/why/pkg:npm/demo@1.0.0",
};
const SENTENCE = /^demo 1\.0\.0 is withheld by policy \(min_age\): published 2026-11-20/;

function refuse(agent: string, refusal = REFUSAL): Response {
  return npm.refuse(refusal, {
    method: "GET",
    mount: "npm",
    path: refusal.filename === null ? "demo" : `demo/-/${refusal.filename}`,
    search: "",
    headers: new Headers({ "user-agent": agent, "accept": "*/*" }),
  });
}

function assertSentToWhy(answer: Response): void {
  assert.equal(answer.status, 302);
  assert.equal(answer.headers.get("location"), `${REFUSAL.why}?withheld=min_age`);
  assert.match(answer.headers.get("vary") ?? "", /User-Agent/);
}

async function assertSentence(answer: Response): Promise<void> {
  assert.equal(answer.status, 403);
  assert.match((await answer.json()).error, SENTENCE);
}

Deno.test("who prints nothing of a refused file but addresses is sent to the page that says why", () => {
  const agents = [
    "npm/6.14.18 node/v14.21.3 linux x64",
    "Bun/1.2.23",
    "got (https://github.com/sindresorhus/got)",
  ];
  for (const agent of agents) assertSentToWhy(refuse(agent));
});

Deno.test("who prints what a refused file's answer says gets the sentence", async () => {
  const agents = [
    "npm/7.24.2 node/v16.20.2 linux x64 workspaces/false",
    "npm/11.21.2 node/v20.20.2 linux x64 workspaces/false",
    "npm/60.0.0 node/v99.0.0 linux x64",
    "pnpm/10.33.0 npm/? node/v20.20.2 linux x64",
    "Deno/2.9.6",
  ];
  for (const agent of agents) await assertSentence(refuse(agent));
});

Deno.test("npm 6, which prints what a refused index says, gets the sentence for that", async () => {
  await assertSentence(
    refuse("npm/6.14.18 node/v14.21.3 linux x64", { ...REFUSAL, filename: null }),
  );
});
