/** `/admin/v1/sessions`: who is signed in, and how that is ended. */
import * as v from "valibot";
import type { Session, Sessions } from "../policy/store/sessions.ts";
import { type Context, type Endpoint, json, noContent, withQuery } from "./endpoint.ts";
import { Problem } from "./problem.ts";
import { listOf } from "./schemas.ts";

const PATH = "/admin/v1/sessions";

const session = v.strictObject({
  id: v.string(),
  user: v.string(),
  grants: v.array(v.strictObject({
    org: v.pipe(v.string(), v.description("`*`: every org")),
    role: v.picklist(["admin", "editor", "viewer"]),
  })),
  created: v.string(),
  expires: v.string(),
  current: v.pipe(v.boolean(), v.description("Whether this request came by it")),
  csrf: v.optional(v.pipe(
    v.string(),
    v.description("Of the current one: for X-CSRF-Token, or the form field `csrf`"),
  )),
});

const USER = v.object({
  user: v.optional(v.pipe(
    v.string(),
    v.maxLength(320, "is no e-mail address"),
    v.description("Somebody's e-mail address; for admins. Your own by default"),
  )),
});

export const SESSION_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: PATH,
    id: "listSessions",
    summary: "Your sessions or, for admins, somebody's; newest first",
    access: "any",
    answers: { 200: { description: "All of them", schema: listOf(session) } },
    ...withQuery(USER, async (context, { user }) => {
      const found = await sessionsOf(context).list(subject(context, user));
      return json({ items: found.map((one) => told(one, context)), cursor: null });
    }),
  },
  {
    method: "DELETE",
    path: PATH,
    id: "endSessions",
    summary: "End all of your sessions or, for admins, somebody's, at once everywhere",
    access: "any",
    answers: { 204: { description: "Ended, however many there were" } },
    ...withQuery(USER, async (context, { user }) => {
      const whose = subject(context, user);
      await sessionsOf(context).removeAll(whose, { by: context.caller.user });
      return noContent();
    }),
  },
  {
    method: "DELETE",
    path: `${PATH}/{id}`,
    id: "endSession",
    summary: "End one session, at once everywhere",
    access: "any",
    answers: { 204: { description: "Ended" } },
    faults: [404],
    ...withQuery(USER, async (context, { user }) => {
      const { id, caller } = context;
      const whose = subject(context, user);
      const removed = /^[0-9A-Z]{26}$/.test(id) &&
        await sessionsOf(context).remove(whose, id, { by: caller.user });
      if (removed) return noContent();
      throw new Problem("not_found", "There is no such session.");
    }),
  },
];

/** These routes are there where people can sign in. */
function sessionsOf({ deps }: Context): Sessions {
  if (deps.signIn) return deps.signIn.sessions;
  throw new Problem("not_found", "Nobody can sign in here.");
}

/** Whose sessions are meant. Throws Problem. */
function subject({ caller }: Context, user: string | undefined): string {
  const whose = user?.toLowerCase() ?? caller.user;
  // Names of tokens are no addresses of people, but may look like one.
  if (caller.role === "admin" || (caller.session !== null && whose === caller.user)) return whose;
  throw new Problem(
    "forbidden",
    caller.session === null
      ? "Sessions are of people who signed in; admins see them with ?user=."
      : "Only an admin sees the sessions of others.",
  );
}

function told({ csrf, ...rest }: Session, { caller }: Context) {
  const current = caller.session?.id === rest.id;
  return { ...rest, current, ...(current ? { csrf } : {}) };
}
