import type { Refusal, RegistryRequest } from "../ecosystem.ts";
import { redirectToWhy, refuseAsJson, refuseAsProblem } from "../refusal.ts";

/**
 * uv prints a problem document's title and detail. pip and Poetry (requests)
 * print the address that the refusal came from and nothing of its body, so
 * they are sent to one that says why.
 */
export function refuse(refusal: Refusal, { headers }: RegistryRequest): Response {
  const accept = headers.get("accept")?.toLowerCase() ?? "";
  const agent = headers.get("user-agent")?.toLowerCase() ?? "";
  if (agent.startsWith("uv/") || accept.includes("application/problem+json")) {
    return refuseAsProblem(refusal);
  }
  return refusal.filename === null ? refuseAsJson(refusal) : redirectToWhy(refusal);
}
