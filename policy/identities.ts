import * as v from "valibot";
import { outgoingFault } from "./addresses.ts";
import { isAscii, isMappedUserName } from "./names.ts";
import { globMatcher } from "./pattern.ts";
import { dictionary, strict } from "./shape.ts";
import type { Fault } from "./store/errors.ts";
import { pointerOf } from "./tree.ts";
import type { WorkloadIdentity } from "./types.ts";

/** `identities` of the policy: whose identity tokens (OIDC) count as tokens of the role `client`. */

/** Where GitHub's jobs get theirs. */
const GITHUB = "https://token.actions.githubusercontent.com";
/** A name that a person could have must not come out, so something stands before the first colon. */
const TEMPLATE = /^[a-z0-9]{1,20}:(?:[a-z0-9._@+:/-]|\{[A-Za-z0-9_.-]{1,60}\})+$/;
const PLACE = /\{([^{}]+)\}/g;

export type IdentityEntry = v.InferOutput<ReturnType<typeof identitySchema>>;

const text = (most: number) =>
  v.pipe(
    v.string("expected a text"),
    v.minLength(1, "is empty"),
    v.maxLength(most, `longer than ${most} characters`),
  );

export function identitySchema() {
  return strict({
    issuer: v.pipe(v.string("expected an address"), v.check(isIssuer, ISSUER)),
    audience: text(500),
    claims: v.pipe(
      dictionary(text(100), text(500)),
      v.check(narrows, "must hold a claim that not everybody of this issuer has"),
    ),
    user: v.optional(v.pipe(
      v.string("expected a text"),
      v.maxLength(200, "longer than 200 characters"),
      v.regex(TEMPLATE, 'expected a prefix, a colon and claims, such as "gha:{repository}"'),
    )),
    role: v.optional(v.picklist(["client"], 'expected "client"'), "client"),
  });
}

const ISSUER =
  "expected the issuer's https address as its tokens state it, without credentials, query or #";

/** http is for machines of the operator's choice: see `identityFaults`. */
function isIssuer(text: string): boolean {
  const url = text.length > 500 ? null : URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "" && !/[?#\s]/.test(text);
}

/** Claims that hold for any token that gets as far, or that say when it was issued. */
const EVERYBODYS = new Set(["iss", "aud", "exp", "iat", "nbf", "jti"]);

/** Whoever has a repository at the issuer could come in otherwise. */
function narrows(claims: Readonly<Record<string, string>>): boolean {
  return Object.entries(claims).some(([claim, pattern]) =>
    !EVERYBODYS.has(claim) && /[A-Za-z0-9]/.test(pattern)
  );
}

/** Issuers at which any stranger has jobs, with the claims that tell whose job it is. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  [GITHUB]: [
    "sub",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "workflow_ref",
    "enterprise",
    "enterprise_id",
  ],
  "https://gitlab.com": [
    "sub",
    "namespace_path",
    "namespace_id",
    "project_path",
    "project_id",
    "user_id",
    "user_login",
    "user_email",
  ],
};

/** What lets strangers in; null: nothing does. Owners come first, so `*` may follow their slash. */
function strangersFault({ issuer, claims }: IdentityEntry): string | null {
  const telling = Object.hasOwn(SHARED, issuer) ? SHARED[issuer] : null;
  if (telling === null) return null;
  const named = telling.some((claim) => {
    if (!Object.hasOwn(claims, claim)) return false;
    const [start, ...rest] = claims[claim].split("*");
    return rest.length === 0 || start.includes("/");
  });
  return named
    ? null
    : `must say whose jobs: anybody has some at this issuer; one of ${telling.join(", ")}, ` +
      "without * before its owner's end";
}

/**
 * What is wrong with identities that are about to be stored: as with webhooks,
 * what was stored before stays readable when less is allowed.
 * @param allow hosts that may be private, and http: see `isAllowedHost`
 */
export function identityFaults(
  identities: readonly IdentityEntry[],
  { allow, known }: { allow: readonly string[]; known: readonly IdentityEntry[] },
): Fault[] {
  const issuers = new Set(known.map(({ issuer }) => issuer));
  const entries = new Set(known.map((entry) => JSON.stringify(entry)));
  return identities.flatMap((entry, i) => {
    const fault = (member: string, detail: string | null): Fault[] =>
      detail === null ? [] : [{ pointer: pointerOf(["identities", String(i), member]), detail }];
    return [
      ...fault("issuer", issuers.has(entry.issuer) ? null : outgoingFault(entry.issuer, allow)),
      ...fault("claims", entries.has(JSON.stringify(entry)) ? null : strangersFault(entry)),
    ];
  });
}

export function compileIdentity(entry: IdentityEntry): WorkloadIdentity {
  const { issuer, audience, claims } = entry;
  const user = entry.user ?? (issuer === GITHUB ? "gha:{repository}" : "ci:{sub}");
  const wanted = Object.entries(claims)
    .map(([claim, pattern]) => ({ claim, matches: globMatcher(pattern) }));
  return {
    issuer,
    audience,
    admits: (given) =>
      wanted.every(({ claim, matches }) => {
        const value = claimOf(given, claim);
        return value !== null && matches(value);
      }),
    userOf: (given) => nameOf(user, given),
  };
}

/** A list or an object has no one text that a pattern could be held against. */
function claimOf(claims: Readonly<Record<string, unknown>>, claim: string): string | null {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : null;
}

function nameOf(template: string, claims: Readonly<Record<string, unknown>>): string | null {
  let complete = true;
  const name = template.replaceAll(PLACE, (_, claim: string) => {
    const value = claimOf(claims, claim);
    // The lower case of some other letters is ASCII's.
    if (value === null || value === "" || !isAscii(value)) complete = false;
    return value?.toLowerCase() ?? "";
  });
  return complete && isMappedUserName(name) ? name : null;
}
