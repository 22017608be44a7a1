/** Settings, KV, wiring, crons, Deno.serve: nothing else. */
// deno-lint-ignore-file no-console -- the terminal is this file's
import { ECOSYSTEMS, SCHEMES } from "./ecosystems/mod.ts";
import { openLifts } from "./policy/store/lifts.ts";
import { openPolicies } from "./policy/store/policies.ts";
import { openRecords } from "./policy/store/records.ts";
import { ensureRootToken } from "./policy/store/root_token.ts";
import { openTokens } from "./policy/store/tokens.ts";
import { createApp } from "./routes/app.ts";
import { readSettings, SettingError } from "./routes/settings.ts";
import { wire } from "./routes/wire.ts";

const settings = settingsOrExit();
const kv = await Deno.openKv(settings.kvUrl);
const now = () => Date.now();
const root = await ensureRootToken(kv, { configured: settings.adminToken, now });
const records = openRecords(kv, { schemes: SCHEMES, now, retentionMs: settings.retentionMs });

const policies = openPolicies(kv, { schemes: SCHEMES, now });
const tokens = openTokens(kv, { now });

const app = createApp(wire({
  ecosystems: ECOSYSTEMS,
  schemes: SCHEMES,
  settings,
  policies,
  tokens,
  records,
  admin: lazily(async () => {
    const { createAdmin } = await import("./admin/app.ts");
    return createAdmin({ policies, tokens, records, schemes: SCHEMES, now });
  }),
  lifts: openLifts(kv, { schemes: SCHEMES, now }),
  now,
  log: (line) => console.log(JSON.stringify({ at: new Date(now()).toISOString(), ...line })),
  probe: async () => void await kv.get(["meta", "probe"]),
}));

// Its promise settles when the cron ends, which it does not.
void Deno.cron("sweep counters past their retention", "17 3 * * *", async () => {
  await records.sweep();
});

const server = Deno.serve({
  hostname: settings.host,
  port: settings.port,
  onListen: ({ hostname, port }) => {
    console.log(`Package Proxy listens on http://${hostname}:${port}/`);
    if (root.secret !== null) {
      console.log(`Administrator's token, shown this once: ${root.secret}`);
    }
  },
}, app);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    setTimeout(() => Deno.exit(0), 10_000);
    server.shutdown().then(() => Deno.exit(0));
  });
}

function settingsOrExit() {
  try {
    return readSettings((name) => Deno.env.get(name), ECOSYSTEMS);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}

/** Loaded at the first request for it, to keep cold starts short. */
function lazily(load: () => Promise<{ fetch(request: Request): Response | Promise<Response> }>) {
  let app: ReturnType<typeof load> | undefined;
  return async (request: Request) => await (await (app ??= load())).fetch(request);
}
