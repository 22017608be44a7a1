/** Real registries and an OSV on loopback, and the job that looks back an hour later. */
import assert from "node:assert/strict";
import * as v from "valibot";
import { type LookBack, lookBack } from "../../admin/look_back.ts";
import { SCHEMES } from "../../ecosystems/mod.ts";
import { alertSchema } from "../../policy/store/alert.ts";
import { type Alert, openAlerts } from "../../policy/store/alerts.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { keys } from "../../policy/store/keys.ts";
import { type ProxyOptions, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { advisory, startOsv } from "../registry/osv.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

export const HOUR = 3_600_000;
const PAGE = v.object({ items: v.array(alertSchema) });

export async function setting(options: Omit<ProxyOptions, "upstreams"> & { osv?: string } = {}) {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const osv = startOsv();
  const upstreams = { npm: npm.url, pypi: pypi.index };
  const proxy = await testProxy({ osv: osv.url, ...options, upstreams });
  const { kv, clock } = proxy;
  const now = () => clock.now;
  const alerts = openAlerts(kv, { now, journal: openJournal({ now }) });
  return {
    npm,
    pypi,
    osv,
    proxy,
    /** The job, an hour later. */
    later(signal?: AbortSignal): Promise<LookBack> {
      clock.now += HOUR;
      return this.again(signal);
    },
    async again(signal?: AbortSignal): Promise<LookBack> {
      const { records, policies } = proxy.deps;
      const { advisories } = proxy;
      const { log } = proxy.deps;
      const schemes = SCHEMES;
      return await lookBack({ records, policies, alerts, advisories, schemes, now, log, signal });
    },
    /** Installs a file, a minute after the one before. */
    async install(who: string, path: string): Promise<string> {
      clock.now += 60_000;
      const response = await proxy.fetch(`${who}${path}`);
      await response.arrayBuffer();
      assert.equal(response.status, 200, path);
      return new Date(clock.now).toISOString();
    },
    async alerts(org: string): Promise<Alert[]> {
      const response = await proxy.fetch(`/admin/v1/orgs/${org}/alerts`, {
        headers: { authorization: `Bearer ${proxy.rootToken}` },
      });
      return v.parse(PAGE, await response.json()).items;
    },
    async news(): Promise<string[]> {
      const list = kv.list<Record<string, unknown>>({ prefix: keys.allNews() });
      return (await Array.fromAsync(list))
        .filter(({ value }) => value.kind === "alert").map(({ value }) => String(value.org));
    },
    asked: () => osv.requests.map(({ path }) => path),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const server of [npm, pypi, osv]) await server[Symbol.asyncDispose]();
    },
  };
}

type Setting = Awaited<ReturnType<typeof setting>>;

const ALICE = "/o-acme/u-alice";
const BOB = "/o-acme/u-bob";
const CAROL = "/o-globex/u-carol";

/** Hands out axios and litellm, good and bad, to three users of two orgs. */
export async function handOut(it: Setting) {
  for (const version of ["1.14.0", "1.14.1", "0.30.4"]) it.npm.publish({ name: "axios", version });
  const files = new Map<string, string>();
  for (const version of ["1.82.6", "1.82.7", "1.82.8"]) {
    const [file] = it.pypi.publish({ name: "litellm", version });
    files.set(version, `/pypi/${file.path}`);
  }
  const litellm = (version: string) => files.get(version) ?? assert.fail(version);
  const axios = (version: string) => `/npm/axios/-/axios-${version}.tgz`;
  const times = {
    alice: await it.install(ALICE, axios("1.14.1")),
    bob: [await it.install(BOB, axios("0.30.4")), await it.install(BOB, axios("1.14.1"))],
    carol: await it.install(CAROL, axios("1.14.1")),
    litellm: await it.install(ALICE, litellm("1.82.8")),
    globex: await it.install(CAROL, litellm("1.82.7")),
  };
  await it.install(CAROL, axios("1.14.0"));
  await it.install(BOB, litellm("1.82.6"));
  return times;
}

export const MADE_UP = {
  axios: advisory("MAL-2026-2307", {
    name: "axios",
    versions: ["0.30.4", "1.14.1"],
    summary: "Malicious code in axios (npm)",
  }),
  litellm: advisory("MAL-2026-2144", {
    ecosystem: "PyPI",
    name: "litellm",
    versions: ["1.82.7", "1.82.8"],
  }),
};
