/**
 * Looks back once, as a process of its own: `<KV file> <address of OSV> <Unix ms>`.
 * Waits for a line on its input, so that several can begin at once; prints what came of it.
 */
// deno-lint-ignore-file no-console -- the test reads what it prints
import { lookBack } from "../../admin/look_back.ts";
import { OsvClient } from "../../ecosystems/advisories/client.ts";
import { Advisories } from "../../ecosystems/advisories/lookup.ts";
import { ECOSYSTEMS, SCHEMES } from "../../ecosystems/mod.ts";
import { AdvisoryStore } from "../../policy/store/advisories.ts";
import { openAlerts } from "../../policy/store/alerts.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { openPolicies } from "../../policy/store/policies.ts";
import { openRecords } from "../../policy/store/records.ts";

const [path, osv, time] = Deno.args;
const kv = await Deno.openKv(path);
const now = () => Number(time);
const common = { ecosystems: ECOSYSTEMS, schemes: SCHEMES, now, log: () => {} };
const advisories = new Advisories({
  ...common,
  client: new OsvClient(osv),
  store: new AdvisoryStore(kv),
});
const deps = {
  ...common,
  advisories,
  records: openRecords(kv, { ...common, retentionMs: 400 * 86_400_000 }),
  policies: openPolicies(kv, common),
  alerts: openAlerts(kv, { now, journal: openJournal({ now }) }),
};
console.log("ready");
await Deno.stdin.read(new Uint8Array(16));
console.log(JSON.stringify(await lookBack(deps)));
await advisories.settled();
kv.close();
