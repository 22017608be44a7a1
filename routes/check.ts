/** `POST <base>/check`: what the policy makes of a lockfile or SBOM, before anything is installed. */
import { LockfileInvalid, readLockfile } from "../ecosystems/lockfiles/mod.ts";
import { Slots } from "../ecosystems/slots.ts";
import type { Deps } from "./deps.ts";
import { type CheckedEntry, checkEntries } from "./check_entries.ts";
import {
  CHECK_FORMATS,
  checkBody,
  type Checked,
  type CheckFormat,
  fails,
  type Summary,
} from "./check_formats.ts";
import { readUpload } from "./check_upload.ts";
import { type Problem, problemOf, RequestError } from "./errors.ts";
import type { Client } from "./exchange.ts";
import { demand, type Identified } from "./identity.ts";
import { isUnknownOrg, noSuchOrg } from "./orgs.ts";
import { preferredType } from "./prefers.ts";

export interface CheckRequest {
  readonly request: Request;
  readonly identity: Identified;
  readonly client: Client;
}

export type Check = (asked: CheckRequest) => Promise<Response>;

/** Files that are judged at once by one process; the next ones wait. */
const AT_ONCE = 4;
/** Packages of one file. */
const MAX_ENTRIES = 50_000;

const TYPES: Readonly<Record<string, CheckFormat>> = {
  "application/json": "json",
  "application/sarif+json": "sarif",
  "text/plain": "text",
};
const ORDER = ["deny", "unknown", "warn", "unsupported", "allow"];

/** Answers 200 whatever the verdicts are; the header `Check-Result` says `pass` or `fail`. */
export function createCheck(deps: Deps): Check {
  const slots = new Slots(AT_ONCE);
  return async (asked) => {
    try {
      return await serveCheck(deps, asked, slots);
    } catch (error) {
      return refuse(deps, asked, error);
    }
  };
}

async function serveCheck(deps: Deps, asked: CheckRequest, slots: Slots): Promise<Response> {
  const { request, identity, client } = asked;
  if (await isUnknownOrg(deps, identity)) throw new RequestError(noSuchOrg(identity));
  const standing = await deps.policies.get(identity.org);
  const missing = demand(standing.auth, identity);
  if (missing !== null) throw missing;
  const policy = identity.before === null ? standing : standing.asOf(identity.before);
  const { filename: named, format, strict } = readParameters(identity.search, request.headers);
  using share = deps.bodies.open();
  const { bytes, filename } = await readUpload(request, { named, share });
  return await slots.run(async () => {
    if (request.signal.aborted) return new Response(null, { status: 499 }); // nobody waits for it
    const begin = deps.now();
    const locked = await readLockfile(bytes, { filename: filename ?? undefined });
    if (locked.entries.length > MAX_ENTRIES) {
      const message = `The file names more than ${MAX_ENTRIES} packages.`;
      throw new RequestError({ status: 413, code: "too_many_entries", message });
    }
    const entries = await checkEntries(deps, locked.entries, { identity, policy, client });
    const summary = summarize(entries, { skipped: locked.skipped.length, strict });
    const checked: Checked = {
      format: locked.format,
      filename,
      org: identity.org,
      policy: policy.revision,
      summary,
      entries: entries.toSorted((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict)),
      skipped: locked.skipped,
    };
    const { org, user, ip } = client;
    const ms = deps.now() - begin;
    deps.log({ event: "checked", org, user, ip, format: locked.format, ...summary, ms });
    return answer(checked, { format, strict });
  });
}

function summarize(
  entries: readonly CheckedEntry[],
  { skipped, strict }: { skipped: number; strict: boolean },
): Summary {
  const count = (verdict: CheckedEntry["verdict"]) =>
    entries.filter((entry) => entry.verdict === verdict).length;
  return {
    total: entries.length,
    allow: count("allow"),
    warn: count("warn"),
    deny: count("deny"),
    unknown: count("unknown"),
    unsupported: count("unsupported"),
    skipped,
    ok: !entries.some((entry) => fails(entry, { strict })),
  };
}

function answer(
  checked: Checked,
  { format, strict }: { format: CheckFormat; strict: boolean },
): Response {
  const { body, type } = checkBody(checked, { format, strict });
  return new Response(body, {
    headers: {
      "content-type": type,
      "cache-control": "no-store",
      "vary": "Accept, Authorization",
      "x-content-type-options": "nosniff",
      "check-result": checked.summary.ok ? "pass" : "fail",
    },
  });
}

interface Parameters {
  /** null: not given. */
  readonly filename: string | null;
  readonly format: CheckFormat;
  readonly strict: boolean;
}

/** Whatever is misspelt is refused: a check that is less strict than was meant is none. */
function readParameters(search: string, headers: Headers): Parameters {
  const given = new URLSearchParams(search);
  for (const name of given.keys()) {
    if (!["filename", "format", "strict"].includes(name)) {
      throw parameterInvalid(`${name}: known are filename, format and strict`);
    }
  }
  const strict = given.get("strict") ?? "0";
  if (!/^(?:0|1|true|false)$/.test(strict)) {
    throw parameterInvalid("strict: 1 or 0 is expected");
  }
  return {
    filename: given.get("filename"),
    format: formatOf(given.get("format"), headers.get("accept")),
    strict: strict === "1" || strict === "true",
  };
}

function formatOf(given: string | null, accept: string | null): CheckFormat {
  if (given === null) {
    return TYPES[preferredType(accept, Object.keys(TYPES), "application/json")];
  }
  const format = CHECK_FORMATS.find((one) => one === given);
  if (format === undefined) throw parameterInvalid(`format: one of ${CHECK_FORMATS.join(", ")}`);
  return format;
}

function parameterInvalid(fault: string): RequestError {
  const message = `The query cannot be followed: ${fault}.`;
  return new RequestError({ status: 400, code: "parameter_invalid", message });
}

function refuse(deps: Deps, { identity }: CheckRequest, error: unknown): Response {
  const problem = error instanceof LockfileInvalid
    ? { status: 422, code: "lockfile_invalid", message: `${error.message.replace(/\.$/, "")}.` }
    : problemOf(error);
  if (problem.status >= 500) {
    const { code } = problem;
    deps.log({ event: "failure", path: "/check", code, org: identity.org, error: String(error) });
  }
  return problemResponse(problem);
}

/** RFC 9457. */
function problemResponse({ status, code, message, headers }: Problem): Response {
  const answer = new Response(
    JSON.stringify({
      type: "about:blank",
      title: TITLES[status] ?? "Failed",
      status,
      code,
      detail: message,
    }),
    { status, headers },
  );
  answer.headers.set("content-type", "application/problem+json");
  answer.headers.set("cache-control", "no-store");
  return answer;
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not found",
  413: "Too large",
  422: "The file cannot be read",
  503: "Unavailable",
};
