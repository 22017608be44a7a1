/** Settings, KV, wiring, crons, Deno.serve: nothing else. */
// deno-lint-ignore-file no-console -- the terminal is this file's
import { OsvClient } from "./ecosystems/advisories/client.ts";
import { Advisories } from "./ecosystems/advisories/lookup.ts";
import { ECOSYSTEMS, SCHEMES } from "./ecosystems/mod.ts";
import { AdvisoryStore } from "./policy/store/advisories.ts";
import { openJournal } from "./policy/store/journal.ts";
import { lazyRequests } from "./policy/store/lazy_requests.ts";
import { withLease } from "./policy/store/leases.ts";
import { openLifts } from "./policy/store/lifts.ts";
import { migrate } from "./policy/store/migrations.ts";
import { openPolicies } from "./policy/store/policies.ts";
import { openProbe } from "./policy/store/probe.ts";
import { openRecords } from "./policy/store/records.ts";
import { openRefusalNews } from "./policy/store/refusal_news.ts";
import { ensureRootToken } from "./policy/store/root_token.ts";
import { openTokens } from "./policy/store/tokens.ts";
import { createApp } from "./routes/app.ts";
import { detailOf } from "./routes/errors.ts";
import { lineLog } from "./routes/line_log.ts";
import { listen, type Listener } from "./routes/listener.ts";
import { defaultUpstreams, readSettings, SettingError } from "./routes/settings.ts";
import { warmUp } from "./routes/warm_up.ts";
import { wire } from "./routes/wire.ts";

/** How long what is under way may take to end; others kill after 10 s, Deno Deploy after 5 s. */
const DRAIN_MS = 8_000;
const DRAIN_ON_DEPLOY_MS = 4_000;

/**
 * Signals within this are one: a service manager and a terminal tell `deno task`
 * as well as this process, and `deno task` hands on what it was told.
 */
const ONE_STOP_MS = 1_000;

/** After the start. */
const SETTLE_MS = 100;

const settings = await settingsOrExit();
const kv = await orExit(
  `Cannot open the database (KV_URL${settings.kvUrl === undefined ? " is not set" : ""})`,
  () => Deno.openKv(settings.kvUrl),
);
const now = () => Date.now();
await orExit(
  "Cannot use the database (KV_URL)",
  () => migrate(kv, { now, holder: crypto.randomUUID() }),
);
const root = await orExit(
  "Cannot use the database (KV_URL)",
  () => ensureRootToken(kv, { configured: settings.adminToken, now }),
);
// Before anything else can fail: it is shown this once.
if (root.secret !== null) console.log(`Administrator's token, shown this once: ${root.secret}`);
const records = openRecords(kv, {
  schemes: SCHEMES,
  now,
  retentionMs: settings.retentionMs,
  onLate: (state) =>
    log({ event: state.waiting > 0 ? "records_wait" : "records_stored", ...state }),
});

const journal = openJournal({ now, onNews: () => void webhooks().then((it) => it.kick(), report) });
const { webhookAllow, issuerAllow, registryAllow } = settings;
const allowed = { webhookAllow, issuerAllow, registryAllow };
const policies = openPolicies(kv, { schemes: SCHEMES, now, journal, ...allowed });
const tokens = openTokens(kv, { now, root: root.sha256, journal });

/** What administrators and crons use, and few requests of registries: to keep cold starts short. */
const alerts = once(async () =>
  (await import("./policy/store/alerts.ts")).openAlerts(kv, { now, journal })
);
const requests = lazyRequests(
  once(async () =>
    (await import("./policy/store/requests.ts")).openRequests(kv, { now, journal, policies })
  ),
);
const exceptions = once(async () =>
  (await import("./policy/store/exceptions.ts"))
    .openExceptions(kv, { now, journal, policies, schemes: SCHEMES })
);

const log = lineLog({ now, print: console.log });
const report = (error: unknown) =>
  log({ event: "failure", path: "/admin", error: detailOf(error) });

const advisories = new Advisories({
  client: settings.osvUrl === null ? null : new OsvClient(settings.osvUrl),
  store: new AdvisoryStore(kv),
  ecosystems: ECOSYSTEMS,
  now,
  log,
});

const deps = wire({
  ecosystems: ECOSYSTEMS,
  schemes: SCHEMES,
  settings,
  policies,
  tokens,
  records,
  admin: lazily(async () => {
    const { createAdmin, openSignIn } = await import("./admin/app.ts");
    const { openAudit } = await import("./policy/store/audit.ts");
    const { packageReader } = await import("./routes/package_reader.ts");
    return createAdmin({
      policies,
      tokens,
      records,
      audit: openAudit(kv),
      alerts: await alerts(),
      requests,
      exceptions: await exceptions(),
      packages: packageReader(() => deps),
      signIn: settings.oidc === null
        ? null
        : openSignIn(kv, { ...settings, settings: settings.oidc, now, journal }),
      schemes: SCHEMES,
      now,
      report,
    });
  }),
  lifts: openLifts(kv, { schemes: SCHEMES, now }),
  requests,
  refusalNews: openRefusalNews(kv, { now, journal, log }),
  advisories,
  now,
  log,
  probe: openProbe(kv, { now }),
});
const app = createApp(deps);

/** Loaded when there may be something to tell, to keep cold starts short. */
const webhooks = once(async () => {
  const { Dispatcher } = await import("./admin/webhooks/dispatcher.ts");
  const { Outbox } = await import("./policy/store/outbox.ts");
  return new Dispatcher({
    kv,
    outbox: new Outbox(kv, { now, log }),
    policies,
    allow: webhookAllow,
    now,
    log,
    random: Math.random,
    holder: crypto.randomUUID(),
    wakes: settings.listen !== undefined,
  });
});

// For what is to be tried again, and for what an instance that vanished has left behind.
void Deno.cron("tell webhooks", "* * * * *", async () => await (await webhooks()).run());

// Its promise settles when the cron ends, which it does not.
void Deno.cron("sweep counters past their retention", "17 3 * * *", async () => {
  await records.sweep();
});

void Deno.cron("look back at what was handed out", "41 * * * *", async () => {
  const { lookBack } = await import("./admin/look_back.ts");
  const lease = { now, holder: crypto.randomUUID(), ms: 60_000 };
  const given = { records, policies, advisories, schemes: SCHEMES, now, log };
  const parts = { ...given, alerts: await alerts() };
  try {
    await withLease(kv, "look_back", lease, ({ signal }) => lookBack({ ...parts, signal }));
  } catch (error) {
    log({ event: "failure", path: "look_back", error: detailOf(error) }); // again in an hour
  }
});

void Deno.cron("take away exceptions that have ended", "7 * * * *", async () => {
  const lease = { now, holder: crypto.randomUUID(), ms: 60_000 };
  try {
    const store = await exceptions();
    const run = await withLease(kv, "expire_exceptions", lease, () => store.expire());
    for (const { org, error } of run?.value.failed ?? []) {
      log({ event: "failure", path: "expire_exceptions", org, error: detailOf(error) });
    }
  } catch (error) {
    log({ event: "failure", path: "expire_exceptions", error: detailOf(error) }); // again in an hour
  }
});

// Whatever it was started with: from here on it opens no file and runs nothing. Deploy sees to that itself.
if (settings.listen !== undefined) {
  for (const name of ["read", "write", "run", "ffi"] as const) {
    Deno.permissions.revokeSync({ name });
  }
}

const { listen: address } = settings;
const signals: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];
/** When it was told to, by `performance.now()`; null: it was not. */
let stopping: number | null = null;
let server: Listener | null = null;
for (const signal of signals) Deno.addSignalListener(signal, stop);

server = await orExit(
  `Cannot listen on HOST=${address?.hostname} PORT=${address?.port}`,
  () =>
    listen({ ...address, onListen: announce, onError: broken }, app, {
      onFailure: (error) => log({ event: "failure", path: "listen", error: detailOf(error) }),
    }),
);

// On Deploy an instance lives for minutes, and what it does not do for a request is paid for too.
if (address !== undefined) setTimeout(settleIn, SETTLE_MS);

/** What can be done before it is asked for, once whoever waited for the start has an answer. */
function settleIn() {
  warmUp(deps).catch((error) => log({ event: "failure", path: "warm-up", error: detailOf(error) }));
  // For what was left when the last process ended.
  void webhooks().then((it) => it.kick(), report);
}

/**
 * No new connections; what is under way gets a moment. A stalled download would
 * take for ever, and whoever asks twice means it. What webhooks have not been
 * told of waits in the database.
 */
async function stop() {
  if (stopping !== null) {
    if (performance.now() - stopping >= ONE_STOP_MS) leave();
    return;
  }
  stopping = performance.now();
  setTimeout(leave, address === undefined ? DRAIN_ON_DEPLOY_MS : DRAIN_MS);
  void webhooks().then((it) => it.close(), report);
  await server?.shutdown().catch(report);
  await Promise.all([deps.refusalNews.settled(), records.flush()]);
  leave();
}

/** Closed, the database is one file with all that was written; else part of it is in its log beside it. */
function leave(): never {
  kv.close();
  Deno.exit(0);
}

/** A body that broke off was logged where it broke; the connection is closed by the runtime. */
function broken(): Response {
  return new Response(null, { status: 500 });
}

function announce({ hostname, port }: { hostname: string; port: number }) {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  try {
    console.log(`Package Proxy listens on http://${host}:${port}/`);
  } catch {
    // It does all the same, whatever takes its output has no room for the line.
  }
}

async function settingsOrExit() {
  const env = (name: string) => Deno.env.get(name);
  try {
    return readSettings(env, ECOSYSTEMS, await defaultUpstreams(env, ECOSYSTEMS));
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}

/** One line instead of a stack: what cannot be had at the start is a matter of settings. */
async function orExit<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
    console.error(`${what}: ${reason.replaceAll(/\s+/g, " ")}`);
    Deno.exit(1);
  }
}

function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => loaded ??= load();
}

/** Loaded at the first request for it, to keep cold starts short. */
function lazily(load: () => Promise<{ fetch(request: Request): Response | Promise<Response> }>) {
  const app = once(load);
  return async (request: Request) => await (await app()).fetch(request);
}
