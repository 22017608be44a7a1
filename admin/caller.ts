/** Who calls the API, and what they may do. */
import { ANY_ORG } from "../policy/store/tokens.ts";
import type { StoredToken, Tokens } from "../policy/store/types.ts";
import type { Role } from "../policy/types.ts";
import type { Access } from "./endpoint.ts";
import { Problem } from "./problem.ts";

export interface Caller {
  /** For `by` of what is changed. */
  readonly user: string;
  /** null: any. */
  readonly org: string | null;
  readonly role: Role | null;
}

const NOBODY: Caller = { user: "", org: null, role: null };

/** `client` is for registries alone. */
const RANK: Readonly<Record<Role, number>> = { client: 0, viewer: 1, editor: 2, admin: 3 };
const NEEDED: Readonly<Record<Exclude<Access, "public">, number>> = {
  any: 1,
  viewer: 1,
  editor: 2,
  admin: 3,
};

/**
 * Finds the caller and checks that they may use a route.
 * @param org of the path; `""`: none
 */
export async function admit(
  request: Request,
  { access, org, tokens }: { access: Access; org: string; tokens: Tokens },
): Promise<Caller> {
  if (access === "public") return NOBODY;
  const caller = toCaller(await authenticate(request, tokens));
  const rank = caller.role === null ? -1 : RANK[caller.role];
  if (rank < NEEDED[access]) {
    throw new Problem(
      "forbidden",
      `This takes the role ${access === "any" ? "viewer" : access}; the token's is ${caller.role}.`,
    );
  }
  if (org !== "" && caller.org !== null && caller.org !== org) {
    throw new Problem("forbidden", "The token is for another org.");
  }
  return caller;
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
  return { user, org: org === ANY_ORG || role === "admin" ? null : org, role };
}
