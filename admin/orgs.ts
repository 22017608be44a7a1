import { type Endpoint, json } from "./endpoint.ts";
import { listOf, orgRow } from "./schemas.ts";

export const ORG_ENDPOINTS: readonly Endpoint[] = [{
  method: "GET",
  path: "/admin/v1/orgs",
  id: "listOrgs",
  summary: "The orgs that have a policy or a token; of those, the ones the token may see",
  access: "any",
  answers: { 200: { description: "All of them, by name", schema: listOf(orgRow) } },
  async handle({ deps, caller }) {
    const policies = new Set(await deps.policies.orgs());
    const tokens = new Set(await deps.tokens.orgs());
    const items = [...policies.union(tokens)]
      .filter((org) => caller.orgs === null || caller.orgs.includes(org))
      .sort()
      .map((org) => ({ org, policy: policies.has(org), tokens: tokens.has(org) }));
    return json({ items, cursor: null });
  },
}];
