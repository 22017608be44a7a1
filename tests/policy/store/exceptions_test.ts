import assert from "node:assert/strict";
import { openAudit } from "../../../policy/store/audit.ts";
import { PolicyInvalid } from "../../../policy/store/errors.ts";
import { keys } from "../../../policy/store/keys.ts";
import { PolicyDocuments } from "../../../policy/store/policy_documents.ts";
import { RULES } from "../../../policy/rules/mod.ts";
import { DAY, HOUR, NOW } from "../world.ts";
import { inStores, wish } from "./exceptions_fixture.ts";

const at = (time: number) => new Date(time).toISOString();

Deno.test("breaking the glass lets one release through for an hour, and is shouted", () =>
  inStores(async ({ exceptions, stored, audit, news }) => {
    const made = await exceptions.breakGlass("acme", {
      purl: "pkg:npm/axios@1.0.0",
      reason: "production is down",
      by: "eve",
    });
    assert.deepEqual(await stored(), [made]);
    assert.equal(made.until, "2026-12-01T11:00:00Z");
    const waived = RULES.filter(({ id, waivable }) => waivable && id !== "namespace");
    assert.deepEqual(made.rules, waived.map(({ id }) => id));
    assert.ok(!made.rules.includes("block") && made.rules.includes("min_age"));
    const [entry] = await audit();
    assert.deepEqual(
      [entry.action, entry.by, entry.target, entry.reason],
      ["break_glass", "eve", "pkg:npm/axios@1.0.0", "production is down"],
    );
    const [told] = await news();
    assert.deepEqual([told.kind, told.event], ["break_glass", "break_glass"]);
    assert.match(told.text, /^eve broke the glass .*production is down$/);
  }));

Deno.test("an exception names each rule once", () =>
  inStores(async ({ policies, stored }) => {
    const entry = { purl: "pkg:npm/axios", rules: ["min_age", "yanked", "min_age"] };
    await assert.rejects(
      policies.replace("acme", { exceptions: [entry] }, { by: "test" }),
      (error) =>
        error instanceof PolicyInvalid && error.faults.length === 1 &&
        error.faults[0].pointer === "/exceptions/0/rules",
    );
    assert.deepEqual(await stored(), []);
  }));

Deno.test("one stored with a rule ever again is read with it once, and leaves as others do", () =>
  inStores(async ({ kv, exceptions, policies, stored, other, clock }) => {
    const until = at(NOW + HOUR);
    const normal = { purl: "pkg:npm/lodash", rules: ["min_age"], until };
    const endless = { ...normal, purl: "pkg:npm/axios", rules: Array(12_000).fill("min_age") };
    const documents = new PolicyDocuments(kv, 5_000);
    const document = { ...(await policies.read("acme"))?.document ?? {} };
    const head = await documents.write("acme", {
      revision: "0".repeat(26),
      at: at(NOW),
      by: "an earlier version",
      json: JSON.stringify({ ...document, exceptions: [endless, normal] }),
    }, (await documents.head("acme")).versionstamp);
    assert.ok(head !== null);
    assert.equal((await other().policies.get("acme")).revision, head.revision);
    assert.deepEqual(await stored(), [{ ...endless, rules: ["min_age"] }, normal]);
    clock.now = NOW + HOUR;
    assert.deepEqual(await exceptions.expire(), { ended: 2, told: 0, failed: [] });
    assert.deepEqual(await stored(), []);
  }));

Deno.test("the glass is broken for exactly one release", () =>
  inStores(async ({ exceptions, stored, audit }) => {
    const wrong = [
      "pkg:npm/axios",
      "pkg:npm/@acme/*@1.0.0",
      "pkg:npm/axios@",
      "axios@1.0.0",
      "pkg:npm/axios@^1",
      "pkg:pypi/requests@>=2.0",
      "pkg:pypi/requests@latest",
    ];
    for (const purl of wrong) {
      await assert.rejects(
        exceptions.breakGlass("acme", { purl, reason: "because", by: "eve" }),
        (error) => error instanceof PolicyInvalid && error.faults[0].pointer === "/purl",
        purl,
      );
    }
    assert.deepEqual([await stored(), await audit()], [[], []]);
  }));

Deno.test("the glass stays whole for a name that is kept, unless an exception gives it free", () =>
  inStores(async ({ exceptions, policies, stored }) => {
    const glass = { purl: "pkg:npm/@acme/ui@1.0.0", reason: "x", by: "eve" };
    const namespace = { level: "deny", names: ["pkg:npm/@acme/*"] };
    await policies.replace("acme", { rules: { namespace } }, { by: "test" });
    await assert.rejects(
      exceptions.breakGlass("acme", glass),
      (error) => error instanceof PolicyInvalid && error.faults[0].pointer === "/purl",
    );
    assert.deepEqual(await stored(), []);
    const free = { purl: "pkg:npm/@acme/ui", rules: ["namespace"] };
    await policies.replace("acme", { rules: { namespace }, exceptions: [free] }, { by: "test" });
    const made = await exceptions.breakGlass("acme", glass);
    assert.deepEqual(await stored(), [free, made]);
  }));

Deno.test("what has ended leaves the policy in one change, is written down and listed", () =>
  inStores(async ({ exceptions, policies, stored, audit, clock }) => {
    const entry = (name: string, until?: number) => ({
      purl: `pkg:npm/${name}`,
      rules: ["min_age"],
      ...(until === undefined ? {} : { until: at(until) }),
    });
    await policies.update("acme", (document) => ({
      ...document,
      exceptions: [
        entry("ever"),
        entry("first", NOW + HOUR),
        entry("second", NOW + HOUR),
        entry("later", NOW + 2 * HOUR),
      ],
    }), { by: "test" });
    clock.now = NOW + HOUR - 1;
    assert.equal((await exceptions.expire()).ended, 0);
    assert.equal((await stored()).length, 4);
    clock.now = NOW + HOUR;
    const changes = (await policies.history("acme", { limit: 10 })).items.length;
    assert.deepEqual(await exceptions.expire(), { ended: 2, told: 1, failed: [] });
    assert.equal((await policies.history("acme", { limit: 10 })).items.length, changes + 1);
    assert.deepEqual((await stored()).map(({ purl }) => purl), ["pkg:npm/ever", "pkg:npm/later"]);

    const last = (await audit()).at(-1);
    assert.deepEqual([last?.action, last?.by, last?.after], ["exception.expired", "proxy", null]);
    assert.deepEqual(last?.before, [entry("first", NOW + HOUR), entry("second", NOW + HOUR)]);

    clock.now = NOW + 2 * HOUR;
    assert.equal((await exceptions.expire()).ended, 1);
    assert.equal((await exceptions.expire()).ended, 0);
    const first = await exceptions.ended("acme", { limit: 2 });
    const second = await exceptions.ended("acme", { limit: 2, cursor: first.cursor ?? "" });
    const all = [...first.items, ...second.items];
    assert.deepEqual(all.map(({ purl }) => purl), [
      "pkg:npm/later",
      "pkg:npm/second",
      "pkg:npm/first",
    ]);
    assert.equal(second.cursor, null);
    assert.equal(all[0].ended, at(NOW + 2 * HOUR));
    assert.deepEqual((await exceptions.ended("other", { limit: 2 })).items, []);
  }));

Deno.test("two that prune at once take each exception away once", () =>
  inStores(async ({ exceptions, other, policies, clock, audit }) => {
    await exceptions.breakGlass("acme", { purl: "pkg:npm/a@1.0.0", reason: "x", by: "eve" });
    clock.now += HOUR;
    await policies.get("acme");
    const runs = await Promise.all([exceptions.expire(), other().exceptions.expire()]);
    assert.equal(runs[0].ended + runs[1].ended, 1);
    assert.deepEqual(runs.flatMap(({ failed }) => failed), []);
    const ended = (await audit()).filter(({ action }) => action === "exception.expired");
    assert.equal(ended.length, 1);
    assert.equal((await exceptions.ended("acme", { limit: 10 })).items.length, 1);
  }));

Deno.test("a long list of ended exceptions goes in several changes, so that the log holds each", () =>
  inStores(async ({ exceptions, policies, clock, stored, audit }) => {
    // The database takes two bytes for each letter of such a text.
    const reason = "延".repeat(900);
    const entries = Array.from({ length: 100 }, (_, i) => ({
      purl: `pkg:npm/a${i}`,
      rules: ["min_age"],
      until: at(NOW + HOUR),
      reason,
    }));
    await policies.replace("acme", { exceptions: entries }, { by: "test" });
    clock.now += HOUR;
    assert.deepEqual(await exceptions.expire(), { ended: 100, told: 0, failed: [] });
    assert.deepEqual(await stored(), []);
    const logged = (await audit()).filter(({ action }) => action === "exception.expired")
      .flatMap(({ before }) => before);
    assert.equal(logged.length, 100);
  }));

Deno.test("however many exceptions end together, no commit has too many parts", () =>
  inStores(async ({ exceptions, policies, clock, stored }) => {
    const entries = Array.from({ length: 600 }, (_, i) => ({
      purl: `pkg:npm/${i}`,
      rules: ["yanked"],
      until: at(NOW + HOUR),
    }));
    await policies.replace("acme", { exceptions: entries }, { by: "test" });
    clock.now += HOUR;
    assert.deepEqual((await exceptions.expire()).failed, []);
    assert.deepEqual(await stored(), []);
  }));

Deno.test("an org whose policy cannot be read does not stop the others", () =>
  inStores(async ({ kv, exceptions, clock }) => {
    await kv.set(keys.policy("aaa"), "no head at all");
    await exceptions.breakGlass("acme", { purl: "pkg:npm/a@1.0.0", reason: "x", by: "eve" });
    clock.now += HOUR;
    const { ended, failed } = await exceptions.expire();
    assert.equal(ended, 1);
    assert.deepEqual(failed.map(({ org }) => org), ["aaa"]);
  }));

Deno.test("an end is announced once, a day ahead", () =>
  inStores(async ({ requests, exceptions, other, clock, news }) => {
    const { request } = await requests.ask(wish());
    await requests.decide("acme", request.id, {
      decision: "approve",
      by: "eve",
      role: "editor",
      until: NOW + 10 * DAY,
      comment: null,
    });
    const expiring = async () =>
      (await news()).filter(({ event }) => event === "exception.expiring");
    clock.now = NOW + 9 * DAY - 1;
    assert.equal((await exceptions.expire()).told, 0);
    clock.now = NOW + 9 * DAY;
    const runs = await Promise.all([exceptions.expire(), other().exceptions.expire()]);
    assert.equal(runs[0].told + runs[1].told, 1);
    clock.now += HOUR;
    assert.equal((await exceptions.expire()).told, 0);
    const [told, ...more] = await expiring();
    assert.deepEqual(more, []);
    assert.match(told.text, /pkg:npm\/axios@1\.0\.0 \(min_age\) ends at 2026-12-11T10:00:00Z/);
  }));

Deno.test("an exception that lives for less than four days is announced in its last quarter", () =>
  inStores(async ({ policies, exceptions, clock }) => {
    const short = { purl: "pkg:npm/a", rules: ["min_age"], until: at(NOW + 8 * HOUR) };
    await policies.update("acme", (document) => ({ ...document, exceptions: [short] }), {
      by: "t",
    });
    assert.equal((await exceptions.expire()).told, 0, "seen for the first time");
    clock.now = NOW + 6 * HOUR - 1;
    assert.equal((await exceptions.expire()).told, 0);
    clock.now = NOW + 6 * HOUR;
    assert.equal((await exceptions.expire()).told, 1);
  }));

Deno.test("an exception of two hours is announced although the job runs once an hour", () =>
  inStores(async ({ exceptions, requests, clock }) => {
    const { request } = await requests.ask(wish());
    const until = NOW + 2 * HOUR;
    const approval = { decision: "approve", by: "eve", role: "editor", comment: null } as const;
    await requests.decide("acme", request.id, { ...approval, until });
    const told: number[] = [];
    for (const minutes of [7, 67, 127]) {
      clock.now = NOW + minutes * 60_000;
      told.push((await exceptions.expire()).told);
    }
    assert.deepEqual(told, [0, 1, 0]);
  }));

Deno.test("one that is near its end when it is seen for the first time is announced at once, once", () =>
  inStores(async ({ policies, exceptions, other, clock, news }) => {
    const minutes = [61, 90, 119, 150];
    const made = minutes.map((minutes) => ({
      purl: `pkg:npm/a${minutes}`,
      rules: ["min_age"],
      until: at(NOW + minutes * 60_000),
    }));
    await policies.replace("acme", { exceptions: made }, { by: "test" });
    clock.now += HOUR / 2;
    assert.equal((await exceptions.expire()).told, 2);
    assert.equal((await other().exceptions.expire()).told, 0);
    for (let i = 0; i < 3; i++) {
      clock.now += HOUR;
      await exceptions.expire();
    }
    const told = (await news()).map(({ details }) => details.purl);
    assert.deepEqual(told.toSorted(), made.map(({ purl }) => purl).toSorted());
  }));

Deno.test("the end of a broken glass is announced to nobody: it was shouted", () =>
  inStores(async ({ exceptions, clock }) => {
    await exceptions.breakGlass("acme", { purl: "pkg:npm/a@1.0.0", reason: "x", by: "eve" });
    clock.now += HOUR - 60_000;
    assert.deepEqual(await exceptions.expire(), { ended: 0, told: 0, failed: [] });
  }));

const GLASS = { purl: "pkg:npm/axios@1.0.0", reason: "x", by: "eve" };
const BLOCKING = { rules: { block: { entries: [{ purl: "pkg:npm/evil" }] } } };

Deno.test("an org that had no policy is back under the default's once what was let through has ended", () =>
  inStores(async ({ kv, exceptions, requests, policies, other, clock }) => {
    const forever = { purl: "pkg:npm/ever", rules: ["min_age"] };
    const passing = { ...forever, purl: "pkg:npm/now", until: at(NOW + HOUR) };
    await policies.replace("default", { exceptions: [forever, passing] }, { by: "root" });
    await exceptions.breakGlass("team", GLASS);
    const { request } = await requests.ask(wish({ org: "team" }));
    const until = NOW + 3 * HOUR;
    const approval = { decision: "approve", by: "eve", role: "editor", comment: null } as const;
    await requests.decide("team", request.id, { ...approval, until });
    const held = (await policies.read("team"))?.document;
    assert.equal(Reflect.get(held ?? {}, "exceptions").length, 4);

    clock.now = NOW + HOUR;
    await exceptions.expire();
    assert.equal((await policies.get("team")).org, "team", "the approval still lasts");
    clock.now = until;
    const runs = await Promise.all([exceptions.expire(), other().exceptions.expire()]);
    assert.deepEqual(runs.map(({ failed }) => failed), [[], []]);
    assert.equal(await policies.read("team"), null);
    await policies.replace("default", BLOCKING, { by: "root" });
    assert.equal((await policies.get("team")).org, "default");

    const { items } = await openAudit(kv).list("team", { limit: 100 });
    assert.deepEqual(
      items.map(({ by, action }) => `${by} ${action}`).filter((line) => !/asked/.test(line)),
      [
        "proxy policy.removed",
        "proxy exception.expired",
        "proxy exception.expired",
        "eve exception.approved",
        "eve break_glass",
      ],
    );
    const { items: ended } = await exceptions.ended("team", { limit: 10 });
    assert.deepEqual(ended.map(({ purl }) => purl).sort(), [
      "pkg:npm/axios@1.0.0",
      "pkg:npm/axios@1.0.0",
      "pkg:npm/now",
    ]);
  }));

Deno.test("a policy that somebody has changed, or made themselves, stays when an exception ends", () =>
  inStores(async ({ exceptions, policies, clock }) => {
    await exceptions.breakGlass("changed", GLASS);
    await policies.update("changed", (document) => ({ ...document, ...BLOCKING }), { by: "eve" });
    await policies.replace("own", {}, { by: "eve" });
    await exceptions.breakGlass("own", GLASS);
    await exceptions.breakGlass("fewer", GLASS);
    await policies.replace("default", {}, { by: "root" });
    clock.now += HOUR;
    assert.equal((await exceptions.expire()).ended, 3);
    const orgs = await policies.orgs();
    assert.deepEqual(orgs.filter((org) => org !== "acme"), ["changed", "default", "own"]);
  }));
