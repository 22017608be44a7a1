/** Who may do what after signing in: rules from people to orgs and roles. Pure. */
import { isAscii, isOrgName } from "./names.ts";

/** `client` is for registries, which take tokens alone. */
export type SignInRole = "admin" | "editor" | "viewer";

/** What somebody may do in an org; `*`: in any. */
export interface Grant {
  readonly org: string;
  readonly role: SignInRole;
}

export interface AllowedRule extends Grant {
  readonly who:
    | { readonly kind: "address"; readonly address: string }
    | { readonly kind: "domain"; readonly domain: string }
    | { readonly kind: "group"; readonly group: string };
}

/** Whom a provider says it is; the address is verified and in lower case. */
export interface Person {
  readonly email: string;
  readonly groups: readonly string[];
}

/** All of the proxy's orgs. */
export const EVERY_ORG = "*";
const RANK: Readonly<Record<SignInRole, number>> = { viewer: 1, editor: 2, admin: 3 };
const ADDRESS = /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const DOMAIN = /^@[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const GROUP = /^group:([^\s,][^,]{0,199})$/;

/**
 * An e-mail address as it stands for a person here, in lower case; null: none
 * that can. Other letters than ASCII's are refused before that, as the lower
 * case of some (the Kelvin sign) is one of ASCII's.
 */
export function readPersonAddress(text: string): string | null {
  const lower = isAscii(text) ? text.toLowerCase() : "";
  return ADDRESS.test(lower) ? lower : null;
}

/**
 * Reads `alice@acme.example=acme:editor, @acme.example=acme:viewer,
 * group:platform=*:admin`. Throws SyntaxError, which quotes the rule.
 */
export function parseAllowed(text: string): readonly AllowedRule[] {
  const rules = text.split(",").map((rule) => rule.trim()).filter((rule) => rule !== "");
  if (rules.length === 0) throw new SyntaxError("it lets nobody in");
  return rules.map(parseRule);
}

function parseRule(rule: string): AllowedRule {
  const parts = /^(.*)=([^=:\s]+):([a-z]+)$/.exec(rule);
  const who = parts === null ? null : parseWho(parts[1].trim());
  if (parts === null || who === null) throw fault(rule, "is no rule");
  const [, , org, role] = parts;
  if (org !== EVERY_ORG && !isOrgName(org)) throw fault(rule, "names no org");
  if (role !== "admin" && role !== "editor" && role !== "viewer") {
    throw fault(rule, "must give admin, editor or viewer");
  }
  if (role === "admin" && org !== EVERY_ORG) {
    throw fault(rule, "must give admin for *, as an admin may do everything in every org");
  }
  return { who, org, role };
}

function parseWho(text: string): AllowedRule["who"] | null {
  const group = GROUP.exec(text);
  if (group !== null) return { kind: "group", group: group[1] };
  const domain = isAscii(text) ? text.toLowerCase() : "";
  if (DOMAIN.test(domain)) return { kind: "domain", domain: domain.slice(1) };
  const address = readPersonAddress(text);
  return address === null ? null : { kind: "address", address };
}

function fault(rule: string, what: string): SyntaxError {
  return new SyntaxError(`${JSON.stringify(rule.slice(0, 100))} ${what}`);
}

/** What somebody may do, once for each org, by org; none: they may not come in. */
export function grantsOf(rules: readonly AllowedRule[], person: Person): readonly Grant[] {
  const best = new Map<string, SignInRole>();
  for (const { who, org, role } of rules) {
    const known = best.get(org);
    if (!matches(who, person) || (known !== undefined && RANK[known] >= RANK[role])) continue;
    best.set(org, role);
  }
  return [...best].map(([org, role]) => ({ org, role }))
    .sort((a, b) => a.org < b.org ? -1 : 1);
}

function matches(who: AllowedRule["who"], { email, groups }: Person): boolean {
  switch (who.kind) {
    case "address":
      return email === who.address;
    case "domain":
      return email.slice(email.lastIndexOf("@") + 1) === who.domain;
    case "group":
      return groups.includes(who.group);
  }
}

/** The most that grants give in one org. */
export function roleIn(grants: readonly Grant[], org: string): SignInRole | null {
  let found: SignInRole | null = null;
  for (const grant of grants) {
    if (grant.org !== org && grant.org !== EVERY_ORG) continue;
    if (found === null || RANK[grant.role] > RANK[found]) found = grant.role;
  }
  return found;
}
