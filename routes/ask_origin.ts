/** Whose pages may ask, and at which address approvers find what was asked. */
import { isLoopback } from "../policy/addresses.ts";
import type { RouteSettings } from "./deps.ts";
import { RequestError } from "./errors.ts";
import type { Identified } from "./identity.ts";

/**
 * A page of another site could ask in the name of whoever looks at it. Programs
 * send neither header. Throws RequestError (403).
 */
export function refuseOtherSites(request: Request, { base }: Identified): void {
  const site = request.headers.get("sec-fetch-site");
  if (site === "same-origin") return;
  const origin = request.headers.get("origin");
  const own = [base.origin, request.url].map((url) => URL.parse(url)?.origin);
  if (site === null && (origin === null || own.includes(origin))) return;
  const message = "Only this proxy's own pages may post here.";
  throw new RequestError({ status: 403, code: "cross_site", message });
}

/**
 * Where approvers reach the proxy, without trailing slash. null: nobody has said
 * so, and the Host header of whoever asks would be their word for where an
 * approver's token goes.
 */
export function approversOrigin(
  { publicUrl, baseDomain }: Pick<RouteSettings, "publicUrl" | "baseDomain">,
  { base, ecosystem }: Identified,
): string | null {
  const url = URL.parse(base.origin);
  if (url === null) return null;
  if (baseDomain !== undefined && `.${url.hostname}`.endsWith(`.${baseDomain}`)) {
    // Behind an ecosystem's own name there is nothing but its registry.
    return ecosystem === null ? base.origin : base.origin.replace(`://${ecosystem}.`, "://");
  }
  if (publicUrl !== undefined) return base.origin;
  return isLoopback(url.hostname) ? base.origin : null;
}
