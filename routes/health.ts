import type { Deps } from "./deps.ts";

/** `GET /health`: whether this process can do its work. Upstreams are named, not asked. */
export async function serveHealth(deps: Deps): Promise<Response> {
  const upstreams = Object.fromEntries(
    [...deps.settings.upstreams].map(([id, { url }]) => [id, new URL(url).origin]),
  );
  const headers = { "cache-control": "no-store" };
  try {
    await deps.probe();
    return Response.json({ status: "ok", store: "ok", upstreams }, { headers });
  } catch {
    return Response.json({ status: "unavailable", store: "unavailable", upstreams }, {
      status: 503,
      headers,
    });
  }
}
