import type { Refusal, RegistryRequest } from "../ecosystem.ts";
import { redirectToWhy, refuseAsJson, refuseAsProblem } from "../refusal.ts";

/** The versions of uv that print a problem document's title and detail. */
const UV_WITH_PROBLEMS = /^uv\/(?:0\.(?:9|[1-9]\d)|[1-9])/;

/**
 * pip, Poetry (requests) and older versions of uv print the address that the
 * refusal came from and nothing of its body, so they are sent to one that says why.
 */
export function refuse(refusal: Refusal, { headers }: RegistryRequest): Response {
  const accept = headers.get("accept")?.toLowerCase() ?? "";
  const agent = headers.get("user-agent")?.toLowerCase() ?? "";
  if (UV_WITH_PROBLEMS.test(agent) || accept.includes("application/problem+json")) {
    return refuseAsProblem(refusal);
  }
  return refusal.filename === null ? refuseAsJson(refusal) : redirectToWhy(refusal);
}
