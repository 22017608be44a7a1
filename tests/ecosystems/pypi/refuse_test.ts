import assert from "node:assert/strict";
import type { Refusal } from "../../../ecosystems/ecosystem.ts";
import { pypi } from "../../../ecosystems/pypi/mod.ts";

const REFUSAL: Refusal = {
  ecosystem: "pypi",
  name: "demo",
  version: "1.0",
  filename: "demo-1.0.tar.gz",
  purl: "pkg:pypi/demo@1.0",
  code: "min_age",
  message: "published 2026-11-20T00:00:00Z, held until 2026-11-30T00:00:00Z",
  until: Date.UTC(2026, 10, 30),
  why: "http://127.0.0.1:8000/why/pkg:pypi/demo@1.0",
};

function refuse(headers: Record<string, string>, refusal = REFUSAL): Response {
  const path = "packages/aa/bb/demo-1.0.tar.gz";
  return pypi.refuse(refusal, {
    method: "GET",
    mount: "pypi",
    path,
    search: "",
    headers: new Headers(headers),
  });
}

Deno.test("pip, Poetry and older uv are sent to the page that says why, whose address they print", async () => {
  const agents = [
    "pip/23.2.1 {}",
    "poetry/1.8.2 CPython/3.11",
    "uv/0.6.14 {}",
    "uv/0.8.22",
    "curl/8",
  ];
  for (const agent of agents) {
    const answer = refuse({ "user-agent": agent, accept: "*/*" });
    assert.equal(answer.status, 302);
    assert.equal(answer.headers.get("location"), `${REFUSAL.why}?withheld=min_age`);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.match(answer.headers.get("policy-decision") ?? "", /^deny; code=min_age; until=/);
    assert.match(await answer.text(), /demo 1\.0 is withheld by policy \(min_age\)/);
  }
});

Deno.test("uv, and who asks for one, gets a problem document", async () => {
  for (
    const headers of [
      { "user-agent": "uv/0.9.5 {}" },
      { "user-agent": "uv/0.10.0" },
      { "user-agent": "uv/1.2.3" },
      { "user-agent": "x", accept: "application/problem+json, */*;q=0.1" },
    ] as Record<string, string>[]
  ) {
    const answer = refuse(headers);
    assert.equal(answer.status, 403);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    const { title, detail, status } = await answer.json();
    assert.match(title, /demo 1\.0/);
    assert.match(detail, /held until 2026-11-30/);
    assert.equal(status, 403);
  }
});

Deno.test("a refused page of the JSON API is a JSON answer", async () => {
  const answer = refuse({ accept: "*/*" }, { ...REFUSAL, filename: null });
  assert.equal(answer.status, 403);
  assert.match((await answer.json()).error, /min_age/);
});
