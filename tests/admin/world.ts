/** The API over real stores in memory, with a token of every role. */
import assert from "node:assert/strict";
import { createAdmin } from "../../admin/app.ts";
import { cargoVersions } from "../../ecosystems/cargo/versions.ts";
import { NOTHING_ASKED } from "../../ecosystems/facts.ts";
import { npmVersions } from "../../ecosystems/npm/versions.ts";
import { pypiVersions } from "../../ecosystems/pypi/versions.ts";
import { type Alerts, openAlerts } from "../../policy/store/alerts.ts";
import { openAudit } from "../../policy/store/audit.ts";
import { type Exceptions, openExceptions } from "../../policy/store/exceptions.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { openPolicies } from "../../policy/store/policies.ts";
import { openRecords } from "../../policy/store/records.ts";
import type { Requests } from "../../policy/store/request.ts";
import { openRequests } from "../../policy/store/requests.ts";
import { ensureRootToken } from "../../policy/store/root_token.ts";
import { openTokens } from "../../policy/store/tokens.ts";
import type { Policies, Records, Tokens } from "../../policy/store/types.ts";
import type { RecordInput, Role, VersionScheme } from "../../policy/types.ts";

export const START = Date.parse("2026-11-20T12:00:00Z");
export const ROOT = "correct horse battery staple";

export const schemes: ReadonlyMap<string, VersionScheme> = new Map(
  [npmVersions, pypiVersions, cargoVersions].map((scheme) => [scheme.ecosystem, scheme]),
);

export type Json = Record<string, unknown>;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as an object; fails the test where it is none. */
  readonly body: Json;
  /** `body.items`. */
  readonly items: readonly Json[];
}

export interface CallOptions {
  /** A secret; root's unless said otherwise, null: none. */
  token?: string | null;
  /** Sent as JSON; a text as it is. */
  body?: unknown;
  headers?: Record<string, string>;
}

export interface World {
  readonly kv: Deno.Kv;
  readonly clock: { now: number };
  readonly policies: Policies;
  readonly tokens: Tokens;
  readonly records: Records;
  readonly alerts: Alerts;
  readonly requests: Requests;
  readonly exceptions: Exceptions;
  /** What was reported as a failure of ours. */
  readonly reported: unknown[];
  /** Secrets of acme's tokens, and one of an admin. */
  readonly secrets: Readonly<Record<Role, string>>;
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  install(more?: Partial<RecordInput>): Promise<void>;
  refuse(more?: Partial<RecordInput>): Promise<void>;
}

export interface Broken {
  policies?: Partial<Policies>;
  tokens?: Partial<Tokens>;
}

export async function inWorld(
  work: (world: World) => Promise<void>,
  broken: Broken = {},
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = { now: START };
  const now = () => clock.now;
  const root = await ensureRootToken(kv, { configured: ROOT, now });
  const journal = openJournal({ now });
  const policies = openPolicies(kv, { schemes, now, journal });
  const tokens = openTokens(kv, { now, root: root.sha256, journal });
  const records = openRecords(kv, { schemes, now, retentionMs: 400 * 86_400_000 });
  const alerts = openAlerts(kv, { now, journal });
  const requests = openRequests(kv, { now, journal, policies });
  const exceptions = openExceptions(kv, { now, journal, policies, schemes });
  const reported: unknown[] = [];
  const app = createAdmin({
    policies: override(policies, broken.policies),
    tokens: override(tokens, broken.tokens),
    records,
    audit: openAudit(kv),
    alerts,
    requests,
    exceptions,
    packages: {
      load: () => Promise.resolve("There is no registry in this test."),
      facts: () => Promise.resolve(NOTHING_ASKED),
    },
    schemes,
    now,
    report: (error) => reported.push(error),
  });
  const secretOf = async (role: Role) =>
    (await tokens.create({ org: "acme", user: role, role, expires: null, by: "root" })).secret;
  const secrets = {
    admin: await secretOf("admin"),
    editor: await secretOf("editor"),
    viewer: await secretOf("viewer"),
    client: await secretOf("client"),
  };
  const add = async (kind: "install" | "refusal", more: Partial<RecordInput>) => {
    await records.add(kind, { ...LODASH, ...more });
    clock.now += 1_000;
  };
  try {
    await work({
      kv,
      clock,
      policies,
      tokens,
      records,
      alerts,
      requests,
      exceptions,
      reported,
      secrets,
      async call(method, path, { token = ROOT, body, headers = {} } = {}) {
        const response = await app.request(`http://proxy.example${path}`, {
          method,
          headers: {
            ...(token === null ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...headers,
          },
          body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
        });
        return replyOf(response, await response.text());
      },
      install: (more = {}) => add("install", more),
      refuse: (more = {}) => add("refusal", { verdict: "deny", code: "min_age", ...more }),
    });
  } finally {
    kv.close();
  }
}

/** Methods of classes need their own `this`. */
function override<T extends object>(store: T, broken: Partial<T> | undefined): T {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(broken ?? {}, name) ?? Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const LODASH: RecordInput = {
  org: "acme",
  user: "alice",
  ip: "10.0.0.7",
  ecosystem: "npm",
  package: "lodash",
  version: "4.17.21",
  filename: "lodash-4.17.21.tgz",
  purl: "pkg:npm/lodash@4.17.21",
  bytes: 1_234,
  verdict: "allow",
  policy: "01",
};

function replyOf(response: Response, text: string): Reply {
  return {
    status: response.status,
    headers: response.headers,
    text,
    get body() {
      const parsed: unknown = JSON.parse(text);
      assert(isObject(parsed), text);
      return parsed;
    },
    get items() {
      const { items } = this.body;
      assert(Array.isArray(items), text);
      return items;
    },
  };
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of a member, and so on. */
export function member(value: unknown, ...path: (string | number)[]): unknown {
  let at = value;
  for (const name of path) {
    assert(typeof at === "object" && at !== null, `nothing at ${path.join("/")}`);
    at = Reflect.get(at, name);
  }
  return at;
}
