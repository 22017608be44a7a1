/** `/simulate`: what another policy would have refused of what was installed. */
import * as v from "valibot";
import { compilePolicy } from "../policy/engine.ts";
import { MAX_DOCUMENT_BYTES } from "../policy/schema.ts";
import { strict } from "../policy/shape.ts";
import { PolicyInvalid } from "../policy/store/errors.ts";
import type { Policy } from "../policy/types.ts";
import { JSON_TYPES, readJson } from "./body.ts";
import { type Context, type Endpoint, json } from "./endpoint.ts";
import { parseBody } from "./forms.ts";
import { mergePatch } from "./merge_patch.ts";
import { readPeriod } from "./parameters.ts";
import { effectivePolicy } from "./policies.ts";
import { Problem } from "./problem.ts";
import type { PolicySchemas } from "./schemas.ts";
import { simulate } from "./simulation.ts";
import { simulation, summary } from "./simulation_summary.ts";

const DAY_MS = 24 * 3_600_000;
const USUAL_DAYS = 30;
const MAX_DAYS = 3_650;

const DAYS = `expected a whole number from 1 to ${MAX_DAYS}`;
const period = {
  days: v.optional(v.pipe(
    v.number(DAYS),
    v.integer(DAYS),
    v.minValue(1, DAYS),
    v.maxValue(MAX_DAYS, DAYS),
    v.description(`The last so many days; ${USUAL_DAYS} by default`),
  )),
  since: when("Instead of `days`: from then on"),
  until: when("Before then; now by default"),
};

const asked = strict({
  policy: v.optional(v.unknown()),
  patch: v.optional(v.unknown()),
  ...period,
});

function when(description: string) {
  return v.optional(v.pipe(
    v.string("expected an age, a date or a date-time"),
    v.minLength(1, "is empty"),
    v.maxLength(100, "is no date"),
    v.description(description),
  ));
}

export function simulateEndpoints({ document }: PolicySchemas): readonly Endpoint[] {
  return [{
    method: "POST",
    path: "/admin/v1/orgs/{org}/simulate",
    id: "simulatePolicy",
    summary: "What a policy would have refused of the org's installs; nothing is stored",
    access: "viewer",
    body: {
      description: "`policy` or `patch`, and a period; the other policy may be " +
        "thinkst/package-proxy's configuration document",
      schema: v.strictObject({
        policy: v.optional(document),
        patch: v.optional(v.pipe(
          v.looseObject({}),
          v.description("JSON Merge Patch (RFC 7396) on the policy the org lives under"),
        )),
        ...period,
      }),
      types: JSON_TYPES,
    },
    answers: { 200: { description: "The sums", schema: simulation } },
    faults: [413, 415, 422],
    handle,
  }];
}

async function handle(context: Context): Promise<Response> {
  const { deps, org, request } = context;
  const given = parseBody(asked, await readJson(request, JSON_TYPES));
  const span = readSpan(given, deps.now());
  const policy = await policyOf(context, given);
  const current = await deps.policies.get(org);
  return json(summary(await simulate(deps, { org, policy, current, ...span }), span));
}

type Asked = v.InferOutput<typeof asked>;

function readSpan({ days, since, until }: Asked, now: number): { since: number; until: number } {
  if (days !== undefined && since !== undefined) throw fault("/since", "give it or `days`");
  const end = readInstant("until", until, now) ?? now;
  const start = readInstant("since", since, now) ?? end - (days ?? USUAL_DAYS) * DAY_MS;
  if (start >= end) throw fault("/until", "is not after the beginning of the period");
  return { since: start, until: end };
}

function readInstant(name: "since" | "until", text: string | undefined, now: number) {
  try {
    return readPeriod({ [name]: text }, now)[name];
  } catch (error) {
    if (error instanceof Problem) throw fault(`/${name}`, "expected an age, a date or a date-time");
    throw error;
  }
}

/** Compiled like one that is stored. Throws PolicyInvalid with pointers into the request's body. */
async function policyOf({ deps, org }: Context, given: Asked): Promise<Policy> {
  const { policy, patch } = given;
  if ((policy === undefined) === (patch === undefined)) {
    throw fault("", "expected either `policy` or `patch`");
  }
  const name = policy === undefined ? "/patch" : "/policy";
  const document = policy === undefined
    ? mergePatch((await effectivePolicy(deps, org)).document, patch)
    : policy;
  try {
    const bytes = new TextEncoder().encode(JSON.stringify(document)).length;
    if (bytes > MAX_DOCUMENT_BYTES) throw fault("", `larger than ${MAX_DOCUMENT_BYTES} bytes`);
    const revision = `simulated ${crypto.randomUUID()}`;
    return compilePolicy(document, { org, revision, schemes: deps.schemes });
  } catch (error) {
    if (!(error instanceof PolicyInvalid)) throw error;
    throw new PolicyInvalid(error.faults.map(({ pointer, detail }) => ({
      pointer: `${name}${pointer}`,
      detail,
    })));
  }
}

function fault(pointer: string, detail: string): PolicyInvalid {
  return new PolicyInvalid([{ pointer, detail }]);
}
