import { guarded } from "../policy/store/timeout.ts";
import type { Deps } from "./deps.ts";

/** Who probes gives up soon, and a store that takes longer is of no use. */
const TIMEOUT_MS = 3_000;

/** `GET /health`: whether this process can do its work. Upstreams are named, not asked. */
export async function serveHealth(
  { settings, advisories, records, probe }: Pick<
    Deps,
    "settings" | "advisories" | "records" | "probe"
  >,
  { timeoutMs = TIMEOUT_MS }: { timeoutMs?: number } = {},
): Promise<Response> {
  const upstreams = Object.fromEntries(
    [...settings.upstreams].map(([id, { url }]) => [id, new URL(url).origin]),
  );
  const store = await guarded("answer a probe", timeoutMs, probe)
    .then(() => "ok" as const, () => "unavailable" as const);
  const body = {
    status: store,
    store,
    // Of files that went out while the store failed: waiting, and since the process began.
    late_records: records.late(),
    upstreams,
    advisories: advisories?.status() ?? null,
  };
  return Response.json(body, {
    status: store === "ok" ? 200 : 503,
    headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" },
  });
}
