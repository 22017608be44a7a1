/** Who calls the API, and what they may do. */
import { EVERY_ORG, type Grant, roleIn } from "../policy/grants.ts";
import type { Session } from "../policy/store/sessions.ts";
import { ANY_ORG } from "../policy/store/tokens.ts";
import type { StoredToken, Tokens } from "../policy/store/types.ts";
import type { Role } from "../policy/types.ts";
import { checkCsrf } from "./csrf.ts";
import type { Access } from "./endpoint.ts";
import { Problem } from "./problem.ts";
import type { SignIn } from "./sign_in/mod.ts";

export interface Caller {
  /** For `by` of what is changed. */
  readonly user: string;
  /** The orgs they may act for; null: any. */
  readonly orgs: readonly string[] | null;
  /** In the org of the path; where it names none, their most. */
  readonly role: Role | null;
  /** Set where they came by a browser's cookie instead of a token. */
  readonly session: Session | null;
}

const NOBODY: Caller = { user: "", orgs: [], role: null, session: null };

/** `client` is for registries alone. */
const RANK: Readonly<Record<Role, number>> = { client: 0, viewer: 1, editor: 2, admin: 3 };
const NEEDED: Readonly<Record<Exclude<Access, "public">, number>> = {
  any: 1,
  viewer: 1,
  editor: 2,
  admin: 3,
};

export interface Admission {
  readonly access: Access;
  /** Of the path; `""`: none. */
  readonly org: string;
  readonly tokens: Tokens;
  /** null: tokens alone count. */
  readonly signIn: SignIn | null;
}

/**
 * Finds the caller, by token or else by session, and checks that they may use a
 * route. What a session changes takes a CSRF proof. Public routes learn whose
 * session it is, if any, and no role.
 */
export async function admit(request: Request, admission: Admission): Promise<Caller> {
  const { access, org, tokens, signIn } = admission;
  const byCookie = signIn !== null && !request.headers.has("authorization");
  const session = byCookie ? await signIn.sessionOf(request) : null;
  if (access === "public") {
    return session === null ? NOBODY : { ...NOBODY, user: session.user, session };
  }
  if (session !== null && signIn !== null) {
    checkCsrf(request, { session, origin: new URL(signIn.base(request)).origin });
  }
  const caller = session === null
    ? toCaller(await authenticate(request, tokens))
    : ofSession(session, org);
  const whose = session === null ? "the token's" : "yours";
  const rank = caller.role === null ? -1 : RANK[caller.role];
  if (rank < NEEDED[access]) {
    const needed = access === "any" ? "viewer" : access;
    throw new Problem("forbidden", `This takes the role ${needed}; ${whose} is ${caller.role}.`);
  }
  if (org !== "" && caller.orgs !== null && !caller.orgs.includes(org)) {
    throw new Problem("forbidden", "The token is for another org.");
  }
  return caller;
}

function ofSession(session: Session, org: string): Caller {
  const { user, grants } = session;
  const role = org === "" ? mostOf(grants) : roleIn(grants, org);
  if (role === null) throw new Problem("forbidden", "You have no access to this org.");
  const any = grants.some((grant) => grant.org === EVERY_ORG);
  return { user, orgs: any ? null : grants.map((grant) => grant.org), role, session };
}

function mostOf(grants: readonly Grant[]): Role | null {
  const roles = grants.map(({ role }) => role).sort((a, b) => RANK[b] - RANK[a]);
  return roles[0] ?? null;
}

async function authenticate(request: Request, tokens: Tokens): Promise<StoredToken> {
  const header = request.headers.get("authorization");
  if (header === null) {
    throw new Problem("unauthorized", "Send Authorization: Bearer <token>.", challenge(""));
  }
  const match = /^bearer +(.+)$/i.exec(header);
  // Looked up by hash alone, so how long it takes says nothing about any token.
  const token = match ? await tokens.find(match[1].trim()) : null;
  if (token === null) {
    throw new Problem(
      "unauthorized",
      match ? "The token is unknown or has expired." : "Only Authorization: Bearer is accepted.",
      challenge(match ? ', error="invalid_token"' : ""),
    );
  }
  return token;
}

function challenge(more: string) {
  return { headers: { "WWW-Authenticate": `Bearer realm="package-proxy"${more}` } };
}

function toCaller({ user, org, role }: StoredToken): Caller {
  return { user, orgs: org === ANY_ORG || role === "admin" ? null : [org], role, session: null };
}
