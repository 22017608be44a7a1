import { parseArgs } from "node:util";
import { parseDuration, parseInstant } from "../../policy/duration.ts";
import { isOrgName } from "../../policy/names.ts";
import { compileQuery } from "../../policy/store/record_query.ts";
import { AUDIT_ACTIONS, type RecordQuery } from "../../policy/store/types.ts";
import type { VersionSchemes } from "../../policy/types.ts";

const FORMATS = ["table", "json", "jsonl", "csv"] as const;

const RECORD_FILTERS = ["ecosystem", "package", "version", "user", "since", "until"] as const;

/** What each view can be asked for. */
const FILTERS = {
  installs: RECORD_FILTERS,
  refusals: [...RECORD_FILTERS, "code"],
  packages: RECORD_FILTERS,
  users: RECORD_FILTERS,
  stats: ["since", "until"],
  alerts: ["status", "since", "until"],
  exceptions: ["state"],
  requests: ["status"],
  audit: ["action", "by", "since", "until"],
  simulate: ["since", "until"],
} as const satisfies Record<string, readonly (keyof Query)[]>;

/** Values of filters that are words. */
const WORDS: { readonly [view: string]: { readonly [filter: string]: readonly string[] } } = {
  alerts: { status: ["open", "acknowledged"] },
  exceptions: { state: ["active", "ended"] },
  requests: { status: ["open", "approved", "denied", "expired"] },
  audit: { action: AUDIT_ACTIONS },
};

export type View = keyof typeof FILTERS;
export type Format = typeof FORMATS[number];

const VIEWS = Object.keys(FILTERS).filter(isView);

function isView(name: string): name is View {
  return Object.hasOwn(FILTERS, name);
}

export interface Query extends RecordQuery {
  readonly status?: string;
  readonly state?: string;
  readonly action?: string;
  /** Who made the change. */
  readonly by?: string;
}

export interface Arguments {
  readonly view: View;
  readonly query: Query;
  /** Of `simulate`: the file with the other policy, or with a merge patch on the one in force. */
  readonly document: { readonly kind: "policy" | "patch"; readonly path: string } | null;
  /** Rows at most; Infinity: all. */
  readonly limit: number;
  /** null: as the output asks for. */
  readonly format: Format | null;
  /** The running proxy to ask; null: read KV. */
  readonly proxy: { readonly url: URL; readonly token: string } | null;
}

/** A command line that cannot be followed; the message names the argument. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const HELP = `deno task query [${VIEWS.join("|")}] [options]

  installs (default)  files handed out, newest first
  refusals            files refused, and in warn what would have been
  packages            distinct packages and versions: first and last install, count, users
  users               who installed: count, packages, first and last install
  stats               totals by ecosystem, day and reason code
  alerts              what was handed out before an advisory said what it is
  exceptions          what the policy waives
  requests            exceptions that were asked for
  audit               who changed what, before and after
  simulate            what another policy would have refused of the last 30 days' installs

  --org NAME          default: the one that the proxy's address names, else default
  --ecosystem ID      npm, pypi, cargo ...
  --package NAME      a name, or a pattern with *
  --version RANGE     in the ecosystem's own syntax; without --ecosystem, of those
                      ecosystems alone that have such a range
  --user NAME
  --code CODE         refusals: min_age, blocked ...
  --status STATUS     alerts: open, acknowledged; requests: open, approved, denied, expired
  --state STATE       exceptions: active (default), ended
  --action ACTION     audit: policy.replaced, token.created ...
  --by NAME           audit: who did it
  --policy FILE       simulate: the other policy, as JSON
  --patch FILE        simulate: or a merge patch (RFC 7396) on the policy in force
  --since, --until    an age (7d, 36h), a date or a date-time; from --since on, before --until
  --limit N           rows at most; default: all
  --format FORMAT     ${FORMATS.join(", ")}; default: table on a terminal, else jsonl
  --url URL           ask a running proxy (PROXY_URL), with /o-<org>/u-<user>/ or
                      without, instead of reading the KV of KV_URL
  --token TOKEN       the token for it (PROXY_TOKEN)
  --help

Exit status: 0 with results or none, 2 for bad usage, 1 for a failure.
`;

const text = { type: "string" } as const;
const OPTIONS = {
  org: text,
  ecosystem: text,
  package: text,
  version: text,
  user: text,
  code: text,
  status: text,
  state: text,
  action: text,
  by: text,
  policy: text,
  patch: text,
  since: text,
  until: text,
  limit: text,
  format: text,
  url: text,
  token: text,
  help: { type: "boolean", short: "h" },
} as const;

export interface Surroundings {
  readonly schemes: VersionSchemes;
  /** Unix ms. */
  readonly now: number;
  readonly proxyUrl?: string;
  readonly proxyToken?: string;
}

/** Reads the command line; null: help is asked for. Throws UsageError. */
export function readArguments(args: readonly string[], given: Surroundings): Arguments | null {
  const { values, positionals } = parse(args);
  if (values.help) return null;
  for (const [name, value] of Object.entries(values)) {
    if (value === "") throw new UsageError(`--${name}: is empty`);
  }
  const view = oneOf("", positionals[0] ?? "installs", VIEWS);
  if (positionals.length > 1) throw new UsageError(`${quote(positionals[1])}: one view at a time`);
  const proxy = readProxy(values.url ?? given.proxyUrl, values.token, given.proxyToken);
  const org = readOrg(values.org, proxy);
  const { ecosystem, version, user, code, status, state, action, by } = values;
  if (ecosystem !== undefined) oneOf("--ecosystem: ", ecosystem, [...given.schemes.keys()]);
  for (const [name, words] of Object.entries(WORDS[view] ?? {})) {
    const word = Object.entries(values).find(([option]) => option === name)?.[1];
    if (typeof word === "string") oneOf(`--${name}: `, word, words);
  }
  const query: Query = {
    org,
    ...defined({ ecosystem, package: values.package, version, user, code }),
    ...defined({ status, state, action, by }),
    ...defined({
      since: readTime("--since", values.since, given.now),
      until: readTime("--until", values.until, given.now),
    }),
  };
  refuseFilters(view, query);
  checkRange(query, given.schemes);
  return {
    view,
    query,
    document: readDocument(view, values, proxy),
    limit: values.limit === undefined ? Infinity : readLimit(values.limit),
    format: values.format === undefined ? null : oneOf("--format: ", values.format, FORMATS),
    proxy,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function oneOf<T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found === undefined) {
    throw new UsageError(`${name}${quote(value)} is none of ${known.join(", ")}`);
  }
  return found;
}

function readTime(name: string, value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  for (const read of [() => now - parseDuration(value), () => parseInstant(value)]) {
    try {
      return read();
    } catch {
      // The other form may fit.
    }
  }
  throw new UsageError(
    `${name}: ${quote(value)} is neither an age (7d, 36h) nor a date (2026-12-01) ` +
      `nor a date-time with offset (2026-12-01T10:00:00Z)`,
  );
}

function readLimit(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) {
    throw new UsageError(`--limit: ${quote(value)} is no whole number from 1 to 999999999`);
  }
  return Number(value);
}

/** A filter that is ignored would answer another question than was asked. */
function refuseFilters(view: View, query: Query): void {
  const known: readonly string[] = FILTERS[view];
  for (const name of Object.keys(query)) {
    if (name === "org" || known.includes(name)) continue;
    throw new UsageError(`--${name}: ${view} has no such filter; it has ${known.join(", ")}`);
  }
}

function checkRange(query: RecordQuery, schemes: VersionSchemes): void {
  try {
    compileQuery(query, schemes);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`--version: ${error.message}`);
  }
}

function readDocument(
  view: View,
  { policy, patch }: { policy?: string; patch?: string },
  proxy: Arguments["proxy"],
): Arguments["document"] {
  if (view !== "simulate") {
    const name = policy === undefined ? "patch" : "policy";
    if ((policy ?? patch) !== undefined) throw new UsageError(`--${name}: simulate only`);
    return null;
  }
  if ((policy === undefined) === (patch === undefined)) {
    throw new UsageError("simulate: give either --policy or --patch");
  }
  if (proxy === null) {
    throw new UsageError("simulate: needs --url (or PROXY_URL), since it is a proxy that judges");
  }
  return policy === undefined
    ? { kind: "patch", path: patch ?? "" }
    : { kind: "policy", path: policy };
}

function readProxy(
  address: string | undefined,
  ownToken: string | undefined,
  usualToken: string | undefined,
): Arguments["proxy"] {
  const token = ownToken ?? usualToken;
  if (address === undefined || address === "") {
    if (ownToken !== undefined) throw new UsageError("--token: needs --url (or PROXY_URL)");
    return null;
  }
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
    throw new UsageError(`--url: give the proxy's http or https address, without user or query`);
  }
  if (token === undefined || token === "") {
    throw new UsageError("--token: a proxy wants one (or PROXY_TOKEN)");
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError("--token: is no token");
  return { url, token };
}

/** The org that is meant: another one than the address names would be answered as that one. */
function readOrg(given: string | undefined, proxy: Arguments["proxy"]): string {
  const segment = proxy?.url.pathname.split("/").find((one) => one.startsWith("o-"));
  const named = segment === undefined ? null : decoded(segment.slice(2));
  if (named !== null && !isOrgName(named)) {
    throw new UsageError(`--url: ${quote(named)} is no org's name`);
  }
  if (given !== undefined && !isOrgName(given)) {
    throw new UsageError(`--org: ${quote(given)} is no org's name`);
  }
  if (given !== undefined && named !== null && given !== named) {
    throw new UsageError(`--org: the proxy's address names another one, ${quote(named)}`);
  }
  return given ?? named ?? "default";
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // no name either
  }
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const known: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  for (const key in values) {
    const value = values[key];
    if (isDefined(value)) known[key] = value;
  }
  return known;
}

function isDefined<T>(value: T): value is Exclude<T, undefined> {
  return value !== undefined;
}

function quote(value: string): string {
  return JSON.stringify(value.slice(0, 100));
}
