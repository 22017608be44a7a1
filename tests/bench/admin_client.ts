/** What the benchmark asks of the proxy's admin API. */
import { ADMIN_TOKEN } from "./contenders.ts";
import type { Running } from "./process.ts";

export async function setPolicy(
  { base }: Running,
  policy: unknown,
  org = "default",
): Promise<void> {
  await ask(base, `orgs/${org}/policy`, { method: "PUT", body: JSON.stringify(policy) });
}

/** Adds an entry to the list of what is blocked. */
export async function block({ base }: Running, purl: string): Promise<void> {
  await ask(base, "orgs/default/block", { method: "POST", body: JSON.stringify({ purl }) });
}

/** How many files were handed out, by the counters of the store. */
export async function installs({ base }: Running): Promise<number> {
  const stats: { installs: number } = JSON.parse(await ask(base, "orgs/default/stats", {}));
  return stats.installs;
}

async function ask(base: string, path: string, init: RequestInit): Promise<string> {
  const response = await fetch(`${base}admin/v1/${path}`, {
    ...init,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} answers ${response.status}: ${text.slice(0, 500)}`);
  return text;
}
