import type { Policy } from "../../policy/types.ts";

/** A policy for tests of what an ecosystem renders: it does not judge, as the test brings the judgement. */
export const POLICY: Policy = {
  org: "acme",
  revision: "1",
  mode: "enforce",
  auth: "open",
  downloads: "proxy",
  verify: "proxy",
  onStoreFailure: "deny",
  limits: { token: null, user: null, address: null },
  registries: [],
  identities: [],
  webhooks: [],
  auditOverride: false,
  needs: null,
  before: null,
  judgeName: null,
  asOf() {
    throw new Error("An ecosystem does not judge");
  },
  judge() {
    throw new Error("An ecosystem does not judge");
  },
};
