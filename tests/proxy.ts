/** A test's whole world in a line: the real app on an in-memory KV, with a clock to move. */
import { createAdmin, openSignIn } from "../admin/app.ts";
import { Dispatcher } from "../admin/webhooks/dispatcher.ts";
import { OsvClient } from "../ecosystems/advisories/client.ts";
import { Advisories } from "../ecosystems/advisories/lookup.ts";
import { ECOSYSTEMS, SCHEMES } from "../ecosystems/mod.ts";
import type { Resolve } from "../ecosystems/guarded_lookup.ts";
import type { UpstreamLimits } from "../ecosystems/upstream.ts";
import { AdvisoryStore } from "../policy/store/advisories.ts";
import { openAlerts } from "../policy/store/alerts.ts";
import { openAudit } from "../policy/store/audit.ts";
import { type Exceptions, openExceptions } from "../policy/store/exceptions.ts";
import { openJournal } from "../policy/store/journal.ts";
import { openLifts } from "../policy/store/lifts.ts";
import { openPolicies } from "../policy/store/policies.ts";
import { Outbox } from "../policy/store/outbox.ts";
import { openProbe } from "../policy/store/probe.ts";
import { openRecords } from "../policy/store/records.ts";
import { openRefusalNews } from "../policy/store/refusal_news.ts";
import { openRequests } from "../policy/store/requests.ts";
import { ensureRootToken } from "../policy/store/root_token.ts";
import { openTokens } from "../policy/store/tokens.ts";
import type { StoredRecord } from "../policy/types.ts";
import { createApp } from "../routes/app.ts";
import type { Deps, UpstreamSetting } from "../routes/deps.ts";
import { packageReader } from "../routes/package_reader.ts";
import { defaultUpstreams, readSettings, type Settings } from "../routes/settings.ts";
import { wire } from "../routes/wire.ts";

/** Nobody answers here: an upstream that a test did not declare is an error. */
const NOWHERE = "http://127.0.0.1:9/";

const UNSET = () => undefined;

export const DAY = 24 * 3600_000;

export interface ProxyOptions {
  /** Base addresses by ecosystem id. */
  readonly upstreams?: Readonly<Record<string, string>>;
  /** The policy of the org `default`; absent: the built-in one. */
  readonly policy?: unknown;
  /** Policies of further orgs. */
  readonly policies?: Readonly<Record<string, unknown>>;
  readonly settings?: Partial<Settings>;
  readonly limits?: Partial<UpstreamLimits>;
  /** How names are resolved that somebody else than the operator gives, and the sign-in's provider. */
  readonly resolve?: Resolve;
  /** Base address of the advisories; absent: nobody is asked. */
  readonly osv?: string;
  /** A KV file; default in memory. */
  readonly kvPath?: string;
  /** What the stores are given in its place. */
  readonly wrapKv?: (kv: Deno.Kv) => Deno.Kv;
}

export interface TestProxy extends AsyncDisposable {
  /** The app, without a port. Paths are under `http://proxy.example`. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** `http://127.0.0.1:<port>` of a real server for real clients. */
  listen(): string;
  /** Unix ms; set it to move time. */
  readonly clock: { now: number };
  readonly deps: Deps;
  readonly advisories: Advisories;
  /** What the hourly cron works with. */
  readonly exceptions: Exceptions;
  /** What main.ts wakes up; here `tellWebhooks` does. */
  readonly webhooks: Dispatcher;
  /** Tells webhooks all that is due; resolves when each was tried. */
  tellWebhooks(): Promise<void>;
  readonly kv: Deno.Kv;
  /** Secret of the root administrator. */
  readonly rootToken: string;
  readonly lines: Readonly<Record<string, unknown>>[];
  /** Secret of a new token for the registries. */
  clientToken(org: string, user: string): Promise<string>;
  installs(org?: string): Promise<StoredRecord[]>;
  refusals(org?: string): Promise<StoredRecord[]>;
}

export async function testProxy(options: ProxyOptions = {}): Promise<TestProxy> {
  const clock = { now: Date.now() };
  const now = () => clock.now;
  const opened = await Deno.openKv(options.kvPath ?? ":memory:");
  const kv = options.wrapKv?.(opened) ?? opened;
  const { secret, sha256 } = await ensureRootToken(kv, { configured: undefined, now });
  const journal = openJournal({ now });
  const webhookAllow = options.settings?.webhookAllow ?? [];
  const issuerAllow = options.settings?.issuerAllow ?? [];
  const registryAllow = options.settings?.registryAllow ?? ["127.0.0.1:*"];
  const allowed = { webhookAllow, issuerAllow, registryAllow };
  const policies = openPolicies(kv, { schemes: SCHEMES, now, journal, ...allowed });
  const tokens = openTokens(kv, { now, root: sha256, journal });
  const records = openRecords(kv, {
    schemes: SCHEMES,
    now,
    retentionMs: 400 * DAY,
    onLate: (state) =>
      log({ event: state.waiting > 0 ? "records_wait" : "records_stored", ...state }),
  });
  const requests = openRequests(kv, { now, journal, policies });
  const exceptions = openExceptions(kv, { now, journal, policies, schemes: SCHEMES });
  const lines: Readonly<Record<string, unknown>>[] = [];
  const log = (line: Readonly<Record<string, unknown>>) => void lines.push(line);
  const given = { default: options.policy, ...options.policies };
  for (const [org, policy] of Object.entries(given)) {
    if (policy !== undefined) await policies.replace(org, policy, { by: "test" });
  }
  const admin = createAdmin({
    policies,
    tokens,
    records,
    audit: openAudit(kv),
    alerts: openAlerts(kv, { now, journal }),
    requests,
    exceptions,
    packages: packageReader(() => deps),
    signIn: options.settings?.oidc
      ? openSignIn(kv, {
        ...options.settings,
        issuerAllow,
        settings: options.settings.oidc,
        now,
        journal,
        resolve: options.resolve,
      })
      : null,
    schemes: SCHEMES,
    now,
  });
  const advisories = new Advisories({
    client: options.osv === undefined ? null : new OsvClient(options.osv),
    store: new AdvisoryStore(kv),
    ecosystems: ECOSYSTEMS,
    now,
    log,
  });
  const deps = wire({
    ecosystems: ECOSYSTEMS,
    schemes: SCHEMES,
    settings: {
      ...readSettings(UNSET, ECOSYSTEMS, await defaultUpstreams(UNSET, ECOSYSTEMS)),
      ...upstreamsOf(options),
      registryAllow,
      ...options.settings,
    },
    policies,
    tokens,
    records,
    lifts: openLifts(kv, { schemes: SCHEMES, now }),
    requests,
    refusalNews: openRefusalNews(kv, { now, journal, log }),
    advisories,
    now,
    log,
    admin: (request) => admin.fetch(request),
    probe: openProbe(kv, { now }),
    limits: options.limits,
    resolve: options.resolve,
  });
  const webhooks = new Dispatcher({
    kv,
    outbox: new Outbox(kv, { now, log }),
    policies,
    allow: webhookAllow,
    now,
    log,
    random: () => 0.5,
    holder: "test",
    wakes: false,
  });
  const app = createApp(deps);
  const servers: Deno.HttpServer<Deno.NetAddr>[] = [];
  return {
    fetch: async (path, init) => await app(new Request(`http://proxy.example${path}`, init)),
    listen() {
      const server = Deno.serve({
        hostname: "127.0.0.1",
        port: 0,
        onListen: () => {},
        onError: () => new Response(null, { status: 500 }),
      }, app);
      servers.push(server);
      return `http://127.0.0.1:${server.addr.port}`;
    },
    webhooks,
    async tellWebhooks() {
      await deps.refusalNews.settled();
      await webhooks.run();
    },
    clock,
    deps,
    advisories,
    exceptions,
    kv,
    rootToken: secret ?? "",
    lines,
    async clientToken(org, user) {
      const token = { org, user, role: "client", expires: null, by: "test" } as const;
      return (await tokens.create(token)).secret;
    },
    installs: (org = "default") => Array.fromAsync(records.all("install", { org })),
    refusals: (org = "default") => Array.fromAsync(records.all("refusal", { org })),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server.shutdown()));
      webhooks.close();
      await deps.refusalNews.settled();
      await advisories.settled();
      kv.close();
    },
  };
}

function upstreamsOf({ upstreams = {} }: ProxyOptions) {
  const setting = ({ id }: { id: string }): [string, UpstreamSetting] => [
    id,
    { url: upstreams[id] ?? NOWHERE, fileOrigins: [] },
  ];
  return { upstreams: new Map(ECOSYSTEMS.map(setting)) };
}
