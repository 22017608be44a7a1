/** `/block` and `/exceptions`: single entries of the policy's lists. */
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { entryId } from "../policy/entry.ts";
import { decodeCursor, encodeCursor } from "../policy/store/cursor.ts";
import { PolicyInvalid } from "../policy/store/errors.ts";
import { JSON_TYPES, readJson } from "./body.ts";
import { type Context, type Endpoint, json, noContent, withQuery } from "./endpoint.ts";
import { listEnded, stateParameter } from "./ended_exceptions.ts";
import { mergePatch } from "./merge_patch.ts";
import { cursorParameter, limitParameter } from "./parameters.ts";
import { changeOf, effectivePolicy } from "./policies.ts";
import { Problem } from "./problem.ts";
import { listOf, type PolicySchemas, storedBlockEntry, storedException } from "./schemas.ts";

type Entry = Record<string, unknown>;

/** Where a list is in the document. */
interface List {
  /** Its segment in the API's paths. */
  readonly name: "block" | "exceptions";
  readonly one: string;
  readonly pointer: string;
  entries(document: unknown): Entry[];
  /** A merge patch that sets the list. */
  set(entries: readonly unknown[]): unknown;
}

const entries = v.array(v.record(v.string(), v.unknown()));
const blockIn = v.object({ rules: v.object({ block: v.object({ entries }) }) });
const exceptionsIn = v.object({ exceptions: entries });

const BLOCK: List = {
  name: "block",
  one: "block entry",
  pointer: "/rules/block/entries",
  entries: (document) => v.parse(blockIn, document).rules.block.entries,
  set: (entries) => ({ rules: { block: { entries } } }),
};

const EXCEPTIONS: List = {
  name: "exceptions",
  one: "exception",
  pointer: "/exceptions",
  entries: (document) => v.parse(exceptionsIn, document).exceptions,
  set: (exceptions) => ({ exceptions }),
};

export function entryEndpoints({ blockEntry, exception }: PolicySchemas): Endpoint[] {
  return [
    ...endpointsOf(BLOCK, { given: blockEntry, stored: storedBlockEntry, noun: "BlockEntry" }),
    ...endpointsOf(EXCEPTIONS, { given: exception, stored: storedException, noun: "Exception" }),
  ];
}

function endpointsOf(
  list: List,
  { given, stored, noun }: { given: v.GenericSchema; stored: v.GenericSchema; noun: string },
): Endpoint[] {
  const path = `/admin/v1/orgs/{org}/${list.name}`;
  const headers = { "If-Match": "The policy's revision that must be current; 412 otherwise" };
  const page = { limit: limitParameter(100), cursor: cursorParameter };
  return [
    {
      method: "GET",
      path,
      id: list.name === "block" ? "listBlockEntries" : "listExceptions",
      summary: `The policy's list \`${list.pointer}\`, in its order`,
      access: "viewer",
      answers: {
        200: {
          description: "A page",
          schema: listOf(stored),
          headers: { "ETag": "The policy's revision" },
        },
      },
      ...(list.name === "block"
        ? withQuery(v.object(page), (context, page) => listEntries(list, context, page))
        : withQuery(
          v.object({ ...page, state: stateParameter }),
          (context, { state, ...page }) =>
            state === "ended" ? listEnded(context, page) : listEntries(list, context, page),
        )),
    },
    {
      method: "POST",
      path,
      id: `add${noun}`,
      summary: `Add one ${list.one}`,
      access: "editor",
      headers,
      body: { description: `The ${list.one}`, schema: given, types: JSON_TYPES },
      answers: {
        200: { description: "It was there already", schema: stored },
        201: { description: "Added", schema: stored, headers: { "Location": "Its address" } },
      },
      faults: [412, 413, 415, 422],
      handle: (context) => addEntry(list, context),
    },
    {
      method: "DELETE",
      path: `${path}/{id}`,
      id: `remove${noun}`,
      summary: `Remove one ${list.one}`,
      access: "editor",
      headers,
      answers: { 204: { description: "Removed" } },
      faults: [404, 412],
      handle: (context) => removeEntry(list, context),
    },
  ];
}

async function listEntries(
  list: List,
  { deps, org }: Context,
  { limit = 100, cursor }: { limit?: number; cursor?: string },
): Promise<Response> {
  const policy = await effectivePolicy(deps, org);
  const all = list.entries(policy.document);
  const from = cursor === undefined ? 0 : positionAfter(list, all, cursor);
  const items = all.slice(from, from + limit).map((entry) => ({ id: entryId(entry), ...entry }));
  const last = from + items.length - 1;
  const more = last + 1 < all.length && items.length > 0;
  return json(
    {
      items,
      cursor: more ? encodeCursor(list.name, [items[items.length - 1].id, `${last}`]) : null,
    },
    { headers: { "ETag": `"${policy.tag}"`, "Policy-Source": policy.source } },
  );
}

/**
 * Behind the entry that ended the last page, wherever it is now: of several that
 * are the same, behind the nearest. Behind its old place if it is gone.
 */
function positionAfter(list: List, all: readonly Entry[], cursor: string): number {
  const [id, place] = decodeCursor(list.name, cursor, 2);
  const position = Number.isSafeInteger(Number(place)) ? Math.max(0, Number(place)) : 0;
  const isIt = (entry: Entry | undefined) => entry !== undefined && entryId(entry) === id;
  if (isIt(all[position])) return position + 1;
  const after = all.findIndex((entry, at) => at > position && isIt(entry));
  const before = all.findLastIndex((entry, at) => at < position && isIt(entry));
  if (after < 0 && before < 0) return position;
  const isAfter = before < 0 || (after >= 0 && after - position <= position - before);
  return (isAfter ? after : before) + 1;
}

async function addEntry(list: List, context: Context): Promise<Response> {
  const { deps, org, request } = context;
  const given = await readJson(request, JSON_TYPES);
  const change = await changeOf(context);
  let position = 0;
  try {
    const { document, revision } = await deps.policies.update(org, (document, own) => {
      const entries = list.entries(document);
      position = positionOf(entries, given);
      if (own && position < entries.length) throw new Present(entries[position]);
      // One that is inherited becomes the org's own as it is.
      if (position < entries.length) return document;
      return mergePatch(document, list.set([...entries, given]));
    }, change);
    const entry = list.entries(document)[position];
    const id = entryId(entry);
    return json({ id, ...entry }, {
      status: 201,
      headers: {
        "Location": `/admin/v1/orgs/${org}/${list.name}/${id}`,
        "ETag": `"${revision}"`,
      },
    });
  } catch (error) {
    if (error instanceof Present) return json({ id: entryId(error.entry), ...error.entry });
    throw error instanceof PolicyInvalid ? relative(error, `${list.pointer}/${position}`) : error;
  }
}

/** Ends a change that would change nothing. */
class Present extends Error {
  constructor(readonly entry: Entry) {
    super("Cannot add the entry: it is there already");
  }
}

/** Of the same entry; behind the last where there is none. */
function positionOf(entries: readonly Entry[], given: unknown): number {
  const position = entries.findIndex((entry) => isDeepStrictEqual(entry, given));
  return position < 0 ? entries.length : position;
}

/** The caller sent an entry, so pointers begin there. */
function relative({ faults }: PolicyInvalid, place: string): PolicyInvalid {
  return new PolicyInvalid(faults.map(({ pointer, detail }) => ({
    pointer: pointer === place || pointer.startsWith(`${place}/`)
      ? pointer.slice(place.length)
      : pointer,
    detail,
  })));
}

async function removeEntry(list: List, context: Context): Promise<Response> {
  const { deps, org, id } = context;
  const change = await changeOf(context);
  await deps.policies.update(org, (document) => {
    const entries = list.entries(document);
    const kept = entries.filter((entry) => entryId(entry) !== id);
    if (kept.length < entries.length) return mergePatch(document, list.set(kept));
    throw new Problem("not_found", `There is no such ${list.one}.`);
  }, list === EXCEPTIONS ? { ...change, passing: true } : change);
  return noContent();
}
