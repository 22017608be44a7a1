/** What the audit log and the webhooks are told of a change of an org's policy. */
import { concealedAddress } from "../webhooks.ts";
import { type Difference, differences } from "./document_diff.ts";
import { keepFormer } from "./former_webhooks.ts";
import type { Journal } from "./journal.ts";
import type { Change } from "./types.ts";

const HIDDEN = "(hidden)";
/** News name as many members; the audit log has all of them. */
const NAMED = 20;
const IN_SENTENCE = 3;
const MAX_POINTER = 300;

export interface PolicyState {
  /** null: the org has no policy of its own, or one that cannot be read. */
  readonly revision: string | null;
  /** What the org lives under, be it the default's; undefined: it cannot be read. */
  readonly document: unknown;
}

/** The lines that go into the commit of a change. Compares the documents at once. */
export function policyLines(
  journal: Journal,
  org: string,
  change: Change,
  { before, after }: { before: PolicyState; after: PolicyState },
): (atomic: Deno.AtomicOperation) => void {
  const { by, reason = null, audit, also } = change;
  const comparable = before.document !== undefined && after.document !== undefined;
  const changes = comparable ? differences(before.document, after.document).map(concealed) : [];
  const removed = after.revision === null;
  const entry = audit ?? {
    action: removed ? "policy.removed" : "policy.replaced",
    target: null,
    before: stateOf(before),
    after: stateOf(after),
  } as const;
  return (atomic) => {
    const { id } = journal.audit(atomic, { org, by, reason, changes, ...entry });
    if (comparable) keepFormer(atomic, { org, id, before: before.document, after: after.document });
    if (audit !== undefined && removed) {
      journal.audit(atomic, { org, by, action: "policy.removed", before: stateOf(before) });
    }
    // Whoever names the change themselves tells the webhooks in their own words.
    if (audit === undefined) {
      journal.news(atomic, {
        org,
        kind: "policy",
        event: entry.action,
        text: sentence(org, by, changes, removed),
        details: {
          by,
          reason,
          revision: after.revision,
          members: changes.slice(0, NAMED).map(({ pointer }) => pointer.slice(0, MAX_POINTER)),
          changes: changes.length,
        },
      });
    }
    also?.(atomic);
  };
}

function stateOf({ revision }: PolicyState): { revision: string } | null {
  return revision === null ? null : { revision };
}

function sentence(
  org: string,
  by: string,
  changes: readonly Difference[],
  removed: boolean,
): string {
  const did = removed
    ? `removed the policy of ${org}, which is back to the default's`
    : `changed the policy of ${org}`;
  const named = changes.slice(0, IN_SENTENCE).map(({ pointer }) => pointer.slice(0, MAX_POINTER));
  const more = changes.length - named.length;
  const where = named.length === 0 ? "" : `: ${named.join(", ")}`;
  return `${by} ${did}${where}${more > 0 ? ` and ${more} more` : ""}.`;
}

/** The log is read by more people than may set the webhooks. */
function concealed({ pointer, before, after }: Difference): Difference {
  if (!/^\/webhooks(?:\/|$)/.test(pointer)) return { pointer, ...defined({ before, after }) };
  const hide = (value: unknown) =>
    value === undefined ? undefined : memberWithoutSecrets(pointer.split("/").at(-1) ?? "", value);
  return { pointer, ...defined({ before: hide(before), after: hide(after) }) };
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, memberWithoutSecrets(name, member)]),
  );
}

function memberWithoutSecrets(name: string, value: unknown): unknown {
  if (name === "secret") return HIDDEN;
  // Its path is the password of a chat.
  if (name === "url" && typeof value === "string") return concealedAddress(value);
  return withoutSecrets(value);
}

function defined({ before, after }: { before: unknown; after: unknown }) {
  return {
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}
