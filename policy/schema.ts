import * as v from "valibot";
import { durationSchema, instantSchema, parseDuration } from "./duration.ts";
import { entrySchema } from "./entry.ts";
import { identitySchema } from "./identities.ts";
import { isLegacy, translateLegacy } from "./legacy.ts";
import { limitsSchema } from "./limits.ts";
import { parsePattern, patternSchema } from "./pattern.ts";
import { RULES } from "./rules/mod.ts";
import { strict } from "./shape.ts";
import { type Fault, PolicyInvalid } from "./store/errors.ts";
import { checkTree, pointerOf } from "./tree.ts";
import type { VersionSchemes } from "./types.ts";
import { WEBHOOK_SECRET } from "./webhooks.ts";

/** The policy document of an org: what is accepted, and what it looks like complete. */

/** Largest document accepted, in bytes of JSON. */
export const MAX_DOCUMENT_BYTES = 5 * 1024 * 1024;

/** A thousand faults tell as much as all of them. */
const MAX_FAULTS = 1_000;

/** What a webhook may ask to be told of; all of it by default. */
export const WEBHOOK_EVENTS = [
  "refusal",
  "warning",
  "alert",
  "exception",
  "policy",
  "break_glass",
] as const;
/** Whose form its messages have; `json` by default. */
export const WEBHOOK_FORMATS = ["json", "slack", "teams", "discord"] as const;

type AnyRule = (typeof RULES)[number];
type RuleSchemas = { [R in AnyRule as R["id"]]: ReturnType<R["settings"]> };

/** A complete document. */
export type PolicyDocument = v.InferOutput<ReturnType<typeof documentSchema>>;

/** The schema of documents; every member is optional on the way in and present on the way out. */
export function documentSchema(schemes: VersionSchemes) {
  return strict({
    mode: v.optional(choice("enforce", "audit"), "enforce"),
    auth: v.optional(choice("open", "identify", "token"), "open"),
    downloads: v.optional(choice("proxy", "redirect", "direct"), "proxy"),
    verify: v.optional(choice("proxy", "client"), "proxy"),
    on_advisory_failure: v.optional(choice("deny", "allow", "stale"), "stale"),
    on_store_failure: v.optional(choice("deny", "allow"), "deny"),
    limits: v.optional(limitsSchema(), {}),
    rules: v.optional(strict(ruleSchemas(schemes)), {}),
    exceptions: v.optional(v.array(exceptionSchema(schemes), "expected a list"), []),
    approvals: v.optional(approvalsSchema(), {}),
    registries: v.optional(v.array(registrySchema(schemes), "expected a list"), []),
    webhooks: v.optional(v.array(webhookSchema(), "expected a list"), []),
    identities: v.optional(
      v.pipe(v.array(identitySchema(), "expected a list"), v.maxLength(100, "more than 100")),
      [],
    ),
  });
}

function choice<const T extends readonly string[]>(...options: T) {
  const words = options.map((option) => JSON.stringify(option)).join(" or ");
  return v.picklist(options, `expected ${words}`);
}

function ruleSchemas(schemes: VersionSchemes) {
  const entries = RULES.map((rule) => [rule.id, v.optional(rule.settings(schemes), {})]);
  // fromEntries forgets which id goes with which schema.
  return Object.fromEntries(entries) as {
    [Id in keyof RuleSchemas]: v.OptionalSchema<RuleSchemas[Id], Record<never, never>>;
  };
}

function exceptionSchema(schemes: VersionSchemes) {
  const waivable: readonly string[] = RULES.filter((rule) => rule.waivable).map(({ id }) => id);
  return entrySchema(schemes, {
    rules: v.pipe(
      v.array(
        v.pipe(
          v.string("expected the id of a rule"),
          v.check((id) => waivable.includes(id), ({ input }) => unwaivable(input, waivable)),
        ),
        "expected a list of rule ids",
      ),
      v.minLength(1, "names no rule, so it waives nothing"),
      // One that is about to be stored has each rule once: see `exceptionFaults`.
      v.transform((ids) => [...new Set(ids)]),
      v.metadata({ maxItems: waivable.length, uniqueItems: true }),
    ),
    until: v.optional(instantSchema),
  });
}

/** How long an exception that somebody asked for lasts: unless the approver says, and at most. */
function approvalsSchema() {
  return v.pipe(
    strict({
      default: v.optional(durationSchema, "14d"),
      maximum: v.optional(durationSchema, "90d"),
    }),
    v.forward(
      v.check((given) => !(lengthOf(given.default) <= 0), "an exception that ends at once is none"),
      ["default"],
    ),
    v.forward(
      v.check(
        (given) => !(lengthOf(given.default) > lengthOf(given.maximum)),
        ({ input }) => `${input.default} is longer than the maximum, ${input.maximum}`,
      ),
      ["default"],
    ),
  );
}

/** Milliseconds; NaN for what is no age, which is said elsewhere. */
function lengthOf(age: string): number {
  try {
    return parseDuration(age);
  } catch {
    return NaN;
  }
}

function unwaivable(id: string, waivable: readonly string[]): string {
  const rule = JSON.stringify(id.slice(0, 40));
  const known = RULES.some((rule) => rule.id === id);
  return `${known ? `${rule} cannot be waived` : `unknown rule ${rule}`}: ` +
    `exceptions may name ${waivable.join(", ")}`;
}

function registrySchema(schemes: VersionSchemes) {
  return v.pipe(
    strict({
      ecosystem: v.pipe(
        v.string("expected the id of an ecosystem"),
        v.check((id) => schemes.has(id), `unknown ecosystem: known are ${[...schemes.keys()]}`),
      ),
      packages: patternSchema(schemes, { versioned: false }),
      url: v.pipe(v.string("expected an address"), v.check(isRegistryUrl, REGISTRY_URL)),
      token_env: v.optional(v.pipe(
        v.string("expected the name of an environment variable"),
        v.regex(/^REGISTRY_TOKEN_[A-Z0-9_]{1,100}$/, "must begin with REGISTRY_TOKEN_"),
      )),
      files: v.optional(v.pipe(
        v.array(v.pipe(v.string(ORIGIN), v.check(isOrigin, ORIGIN)), "expected a list"),
        v.maxLength(100, "more than 100"),
        v.description("Origins that its files may come from besides its own, as by a redirect"),
      )),
    }),
    v.forward(
      v.check(
        ({ ecosystem, packages }) => [ecosystem, null].includes(ecosystemOf(packages, schemes)),
        "packages are of another ecosystem than the registry",
      ),
      ["packages"],
    ),
  );
}

/** null: no pattern, which is said elsewhere. */
function ecosystemOf(packages: string, schemes: VersionSchemes): string | null {
  try {
    return parsePattern(packages, schemes).ecosystem;
  } catch {
    return null;
  }
}

const ORIGIN = "expected an origin such as https://files.example, without a path";

function isOrigin(text: string): boolean {
  return isRegistryUrl(text) && URL.parse(text)?.pathname === "/";
}

const REGISTRY_URL = "expected an absolute http or https address without credentials, query or #";

function isRegistryUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "" && !/[?#]/.test(text);
}

function webhookSchema() {
  return strict({
    url: v.pipe(
      v.string("expected an address"),
      v.check(
        (text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ""),
        "expected an absolute https address",
      ),
    ),
    events: v.optional(v.array(choice(...WEBHOOK_EVENTS), "expected a list")),
    format: v.optional(choice(...WEBHOOK_FORMATS)),
    secret: v.optional(v.pipe(
      v.string("expected a text"),
      v.maxLength(1_000, "longer than 1000 characters"),
      // Demanded of what is about to be stored: see `webhookFaults`.
      v.metadata({ pattern: WEBHOOK_SECRET.source }),
      v.description("Not empty; what begins with `whsec_` goes on with a key in Base64"),
    )),
    inherited: v.optional(v.pipe(
      v.literal(true, "expected true, where it was shown so"),
      v.description(
        "It came with the copy of the default's policy, and is shown in full to admins alone; " +
          "sent back as it was shown it stays as it is",
      ),
    )),
  });
}

/**
 * Reads a document, ours or thinkst/package-proxy's, and fills in what it
 * leaves out. Throws PolicyInvalid with every fault, and nothing else.
 */
export function parsePolicy(input: unknown, schemes: VersionSchemes): PolicyDocument {
  const legacy = isLegacy(input);
  const shape = checkTree(input, { anyKey: legacy });
  if (legacy && shape.length > 0) refuse(shape);
  const document = legacy ? translateLegacy(input, schemes) : input;
  const result = v.safeParse(documentSchema(schemes), document);
  if (result.success && shape.length === 0) return result.output;
  const known = new Set(shape.map(({ pointer }) => pointer));
  const faults = (result.issues ?? []).map(faultOf).filter(({ pointer }) => !known.has(pointer));
  return refuse([...shape, ...faults]);
}

/** Throws PolicyInvalid, with as many of the faults as anybody reads. */
export function refuse(faults: readonly Fault[]): never {
  const more = faults.length - MAX_FAULTS;
  if (more <= 0) throw new PolicyInvalid(faults);
  throw new PolicyInvalid([
    ...faults.slice(0, MAX_FAULTS),
    { pointer: "", detail: `${more} more faults` },
  ]);
}

function faultOf(issue: v.BaseIssue<unknown>): Fault {
  const pointer = pointerOf((issue.path ?? []).map((item) => String(item.key)));
  if (issue.type !== "strict_object") return { pointer, detail: issue.message };
  const missing = issue.received === "undefined";
  return { pointer, detail: missing ? "is required" : "unknown key" };
}
