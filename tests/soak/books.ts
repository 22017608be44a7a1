/** What the database holds of what was promised. */
import { SCHEMES } from "../../ecosystems/mod.ts";
import { keys } from "../../policy/store/keys.ts";
import { openRecords } from "../../policy/store/records.ts";
import type { Load } from "./load.ts";

export interface Books {
  readonly installs: number;
  readonly refusals: number;
  /** By the counters, which sum up what is on record. */
  readonly counted: { readonly installs: number; readonly refusals: number };
  /** Files that came whole and are not on record. */
  readonly missing: readonly string[];
  /** Changes of the policy that were acknowledged and are not in the audit log. */
  readonly lost: readonly string[];
}

const DAY = 86_400_000;

export async function settle(path: string, { promised, changed }: Load): Promise<Books> {
  using kv = await Deno.openKv(path);
  const records = openRecords(kv, { schemes: SCHEMES, now: Date.now, retentionMs: 400 * DAY });
  const found = new Set<string>();
  let installs = 0;
  for await (const { user, filename } of records.all("install", { org: "default" })) {
    found.add(`${user} ${filename}`);
    installs++;
  }
  const refusals = (await Array.fromAsync(records.all("refusal", { org: "default" }))).length;
  let audit = "";
  for await (const { value } of kv.list({ prefix: keys.audits("default") })) {
    audit += `${JSON.stringify(value)}\n`;
  }
  return {
    installs,
    refusals,
    counted: await records.stats("default", {}),
    missing: promised.filter((one) => !found.has(one)),
    lost: changed.filter((reason) => !audit.includes(`"${reason}"`)),
  };
}
