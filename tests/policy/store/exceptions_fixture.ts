/** The stores of requests and exceptions on one KV, with a clock to move. */
import { openAudit } from "../../../policy/store/audit.ts";
import { openExceptions } from "../../../policy/store/exceptions.ts";
import { openJournal } from "../../../policy/store/journal.ts";
import { keys } from "../../../policy/store/keys.ts";
import { openPolicies } from "../../../policy/store/policies.ts";
import type { RequestInput } from "../../../policy/store/request.ts";
import { openRequests } from "../../../policy/store/requests.ts";
import type { AuditLine, News } from "../../../policy/store/types.ts";
import { NOW, SCHEMES } from "../world.ts";

export type World = Awaited<ReturnType<typeof open>>;

export async function inStores(test: (world: World) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await test(await open(kv));
  } finally {
    kv.close();
  }
}

async function open(kv: Deno.Kv) {
  const clock = { now: NOW };
  const now = () => clock.now;
  const process = () => {
    const journal = openJournal({ now });
    const policies = openPolicies(kv, { schemes: SCHEMES, now, journal });
    return {
      policies,
      requests: openRequests(kv, { now, journal, policies }),
      exceptions: openExceptions(kv, { now, journal, policies, schemes: SCHEMES }),
    };
  };
  const first = process();
  await first.policies.replace("acme", {}, { by: "test" });
  return {
    kv,
    clock,
    ...first,
    /** Another process on the same KV. */
    other: process,
    /** Stored exceptions of acme. */
    async stored(): Promise<Record<string, unknown>[]> {
      const document = (await first.policies.read("acme"))?.document;
      return Reflect.get(document ?? {}, "exceptions");
    },
    /** What happened to acme since the world began, oldest first. */
    async audit(): Promise<AuditLine[]> {
      const { items } = await openAudit(kv).list("acme", { limit: 1_000 });
      return [...items].reverse().slice(1);
    },
    async news(): Promise<News[]> {
      const entries = await Array.fromAsync(
        kv.list<News>({ prefix: keys.news("acme", "").slice(0, 2) }),
      );
      return entries.map(({ value }) => value).filter(({ kind }) => kind !== "policy");
    },
  };
}

/** Alice of acme wants a young axios. */
export function wish(more: Partial<RequestInput> = {}): RequestInput {
  return {
    org: "acme",
    user: "alice",
    authenticated: true,
    ip: "10.0.0.7",
    ecosystem: "npm",
    package: "axios",
    version: "1.0.0",
    purl: "pkg:npm/axios@1.0.0",
    rules: ["min_age"],
    codes: ["min_age"],
    message: "published yesterday",
    reason: "mends our build",
    ticket: "OPS-1",
    origin: "https://packages.example",
    ...more,
  };
}
