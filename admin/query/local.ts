/** The admin API on a database, without a proxy: the same code gives the same answers. */
import { openAlerts } from "../../policy/store/alerts.ts";
import { openAudit } from "../../policy/store/audit.ts";
import { openExceptions } from "../../policy/store/exceptions.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { openPolicies } from "../../policy/store/policies.ts";
import { openRequests } from "../../policy/store/requests.ts";
import { hashSecret, newSecret } from "../../policy/store/secrets.ts";
import { openTokens } from "../../policy/store/tokens.ts";
import type { Clock, Records } from "../../policy/store/types.ts";
import type { VersionSchemes } from "../../policy/types.ts";
import { createAdmin } from "../app.ts";
import { type Ask, asking } from "./sources.ts";

/** Nothing is asked there: requests go to the app itself. */
const ADDRESS = new URL("http://localhost/");

const NO_REGISTRY = "Only a running proxy asks registries.";

export function localAsk(
  kv: Deno.Kv,
  { schemes, records, now }: { schemes: VersionSchemes; records: Records; now: Clock },
): Ask {
  // Whoever reads the database needs no token, so one is made that nobody else knows.
  const secret = newSecret();
  const journal = openJournal({ now });
  const policies = openPolicies(kv, { schemes, now, journal });
  const shared = { now, journal, policies };
  let failure: unknown = null;
  const app = createAdmin({
    policies,
    tokens: openTokens(kv, { now, journal, root: hashSecret(secret) }),
    records,
    audit: openAudit(kv),
    alerts: openAlerts(kv, shared),
    requests: openRequests(kv, shared),
    packages: {
      load: () => Promise.resolve(NO_REGISTRY),
      facts: () => Promise.reject(NO_REGISTRY),
    },
    exceptions: openExceptions(kv, { ...shared, schemes }),
    schemes,
    now,
    report: (error) => void (failure = error),
  });
  return asking(ADDRESS, secret, async (request) => {
    const response = await app.fetch(request);
    if (response.status >= 500 && failure instanceof Error) throw failure;
    return response;
  });
}
