/** What the API takes and answers, as schemas: they validate, and OpenAPI is made from them. */
import * as v from "valibot";
import { entrySchema } from "../policy/entry.ts";
import { isUserName, USER_NAME } from "../policy/names.ts";
import { documentSchema } from "../policy/schema.ts";
import { strict } from "../policy/shape.ts";
import type { VersionSchemes } from "../policy/types.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const instant = v.pipe(v.string(), v.isoTimestamp());
const action = v.picklist(["allow", "warn", "deny"]);
const role = v.picklist(["admin", "editor", "viewer", "client"], "expected a role");

export const fault = v.strictObject({
  pointer: v.pipe(v.string(), v.description("JSON Pointer into the document")),
  detail: v.string(),
});

export const problem = v.object({
  type: v.string(),
  title: v.string(),
  status: v.pipe(v.number(), v.integer()),
  detail: v.string(),
  errors: v.optional(v.array(fault)),
});

export const orgRow = v.strictObject({
  org: v.string(),
  policy: v.pipe(v.boolean(), v.description("Whether it has a policy of its own")),
  tokens: v.pipe(v.boolean(), v.description("Whether it has tokens")),
});

export const token = v.strictObject({
  id: v.string(),
  org: v.string(),
  user: v.string(),
  role,
  created: instant,
  by: v.string(),
  expires: v.nullable(v.string()),
});

export const listedToken = v.strictObject({
  ...token.entries,
  last_used: v.pipe(v.nullable(v.string()), v.description("To the hour; null: never")),
});

export const createdToken = v.strictObject({
  ...token.entries,
  secret: v.pipe(v.string(), v.description("In this answer and nowhere else")),
});

export const newToken = strict({
  user: v.pipe(
    v.string("expected a name"),
    v.regex(new RegExp(USER_NAME), "is no name of a user"),
    v.check(isUserName, "is no name of a user"),
    // It would be taken for the root token in every history.
    v.notValue("root", "is the root token's"),
    v.notValue("proxy", "is the proxy's own, in the audit log"),
  ),
  role,
  expires: v.optional(v.nullable(v.pipe(
    v.string("expected a date, or null"),
    v.maxLength(100, "is no date"),
    v.description('A date, a date-time, or an age from now such as "90d"; null or absent: never'),
  ))),
});

export const record = v.strictObject({
  id: v.string(),
  at: instant,
  org: v.string(),
  user: v.string(),
  ip: v.string(),
  ecosystem: v.string(),
  package: v.string(),
  version: v.string(),
  filename: v.string(),
  purl: v.string(),
  bytes: count,
  sha256: v.optional(v.string()),
  verdict: action,
  code: v.optional(v.string()),
  reason: v.optional(v.string()),
  policy: v.pipe(v.string(), v.description("Revision of the policy that decided")),
});

export const packageRow = v.strictObject({
  ecosystem: v.string(),
  package: v.string(),
  version: v.string(),
  purl: v.string(),
  count,
  first: instant,
  last: instant,
  users: v.array(v.string()),
});

export const userRow = v.strictObject({
  user: v.string(),
  count,
  packages: count,
  first: instant,
  last: instant,
});

const both = v.strictObject({ installs: count, refusals: count });

export const stats = v.strictObject({
  installs: count,
  refusals: count,
  by_ecosystem: v.record(v.string(), both),
  by_day: v.record(v.string(), both),
  by_code: v.record(v.string(), count),
});

const properties = v.array(v.strictObject({ name: v.string(), value: v.string() }));

/** As much of CycloneDX 1.6 as is written. */
export const bom = v.strictObject({
  bomFormat: v.literal("CycloneDX"),
  specVersion: v.literal("1.6"),
  serialNumber: v.pipe(v.string(), v.description("Another for each answer")),
  version: v.literal(1),
  metadata: v.looseObject({ timestamp: instant }),
  components: v.array(v.strictObject({
    type: v.literal("library"),
    "bom-ref": v.pipe(v.string(), v.description("The PURL")),
    group: v.optional(v.string()),
    name: v.string(),
    version: v.string(),
    hashes: v.optional(v.array(v.strictObject({ alg: v.literal("SHA-256"), content: v.string() }))),
    purl: v.string(),
    properties,
  })),
});

export const auditEntry = v.strictObject({
  id: v.string(),
  at: instant,
  org: v.string(),
  by: v.pipe(v.string(), v.description("A token's user, `root`, or `proxy`")),
  action: v.string(),
  target: v.pipe(
    v.nullable(v.string()),
    v.description("What was changed: an id or a PURL; null: the policy as a whole"),
  ),
  reason: v.nullable(v.string()),
  before: v.pipe(v.unknown(), v.description("null: there was nothing; of a policy, its revision")),
  after: v.pipe(v.unknown(), v.description("null: nothing is left")),
  changes: v.pipe(
    v.array(v.strictObject({
      pointer: v.pipe(v.string(), v.description("JSON Pointer into the policy")),
      before: v.optional(v.unknown()),
      after: v.optional(v.unknown()),
    })),
    v.description("Members of the policy that differ"),
  ),
  truncated: v.pipe(v.boolean(), v.description("Whether there were more changes than are kept")),
});

export { alertSchema as alert } from "../policy/store/alert.ts";

export const acknowledgement = strict({
  comment: v.optional(
    v.pipe(
      v.string("expected a text"),
      v.maxLength(2_000, "longer than 2000 characters"),
      v.description("What was done about it"),
    ),
    "",
  ),
});

export function listOf<const T extends v.GenericSchema>(item: T) {
  return v.strictObject({
    items: v.array(item),
    cursor: v.pipe(v.nullable(v.string()), v.description("Where to go on; null: this is the end")),
  });
}

const storedEntry = {
  id: v.pipe(v.string(), v.description("Computed from what the entry says")),
  purl: v.string(),
  versions: v.optional(v.string()),
  reason: v.optional(v.string()),
};

export const storedBlockEntry = v.strictObject(storedEntry);

export const storedException = v.strictObject({
  ...storedEntry,
  rules: v.array(v.string()),
  until: v.optional(v.string()),
  ended: v.optional(v.pipe(
    instant,
    v.description("When it was taken out of the policy; absent: it is still there"),
  )),
});

/** Schemas that depend on the ecosystems there are. */
export function policySchemas(schemes: VersionSchemes) {
  const document = documentSchema(schemes);
  return {
    document,
    blockEntry: entrySchema(schemes, {}),
    exception: document.pipe[2].entries.exceptions.wrapped.item,
    revision: v.strictObject({
      revision: v.string(),
      at: instant,
      by: v.string(),
      bytes: count,
      document: v.pipe(v.nullable(document), v.description("null: back to the default's")),
    }),
  };
}

export type PolicySchemas = ReturnType<typeof policySchemas>;
