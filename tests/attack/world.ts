/**
 * Two orgs with something to hide, their registries, and a third that is full
 * of strangers. Whatever is theirs holds one of the canaries, so that no answer
 * to anybody else may hold one.
 */
import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { openAlerts } from "../../policy/store/alerts.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { readRegistryTokens } from "../../routes/registry_tokens.ts";
import type { RecordInput, Role } from "../../policy/types.ts";
import { DAY, type ProxyOptions, type TestProxy, testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

/** In all that belongs to the org `vault`: policy, metadata, files, users, records, alerts. */
export const CANARY = "canary-7f3a91";
/** In what the org `nest` gets with credentials of its developers' own. */
export const NESTLING = "nestling-c04d5e";
/** What the proxy sends to vault's registries. */
export const REGISTRY_SECRET = `registry-secret-${CANARY}`;

/** The operator's. */
const VARIABLES = new Map([
  ["REGISTRY_TOKEN_VAULT", REGISTRY_SECRET],
  ["REGISTRY_TOKENS", "REGISTRY_TOKEN_VAULT=vault@127.0.0.1:*"],
]);

export interface AttackWorld extends AsyncDisposable {
  readonly proxy: TestProxy;
  /** Secrets of the org `acme`, where strangers are at home. */
  readonly strangers: Readonly<Record<Exclude<Role, "admin">, string>>;
  /** A secret of the org `vault`, which no attack has. */
  readonly keeper: string;
  /** An Authorization of the org `nest` with a credential for its registry. */
  readonly nestling: string;
  /** ETags of what vault and nest get. */
  readonly etags: readonly string[];
  /** Ids of vault's request, alert, token, records and policy revision, which strangers may have heard of. */
  readonly ids: readonly string[];
  /** Requests that reached any registry, as method and path. */
  asked(): string[];
}

/** Loads everything once as its owners, so that caches are warm when strangers come. */
export async function attackWorld(options: ProxyOptions = {}): Promise<AttackWorld> {
  const servers = [
    startNpmRegistry(),
    startPypiRegistry(),
    startCargoRegistry(),
    startNpmRegistry({ authorization: `Bearer ${REGISTRY_SECRET}` }),
    startPypiRegistry(),
    startCargoRegistry({ authorization: REGISTRY_SECRET }),
    startNpmRegistry({ authorization: `Bearer ${NESTLING}` }),
  ] as const;
  publish(servers);
  const [npm, pypi, cargo] = servers;
  const proxy = await testProxy({
    ...options,
    upstreams: { npm: npm.url, pypi: pypi.index, cargo: cargo.url },
    policies: { vault: vaultPolicy(servers), nest: nestPolicy(servers), acme: ACME },
    settings: {
      registryToken: readRegistryTokens((name) => VARIABLES.get(name)),
      ...options.settings,
    },
  });
  const token = async (org: string, user: string, role: Role) =>
    (await proxy.deps.tokens.create({ org, user, role, expires: null, by: "test" })).secret;
  const keeper = await token("vault", `keeper-${CANARY}`, "editor");
  const nestling = `Bearer ${await token("nest", "chick", "client")}:${NESTLING}`;
  const etags = await warmed(proxy, { vault: `Bearer ${keeper}`, nest: nestling });
  const ids = await remembered(proxy, keeper);
  return {
    proxy,
    keeper,
    nestling,
    etags,
    ids,
    strangers: {
      client: await token("acme", "eve", "client"),
      viewer: await token("acme", "vic", "viewer"),
      editor: await token("acme", "ed", "editor"),
    },
    asked: () =>
      servers.flatMap((server) => server.requests.map((it) => `${it.method} ${it.path}`)),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  };
}

type Npm = ReturnType<typeof startNpmRegistry>;
type Pypi = ReturnType<typeof startPypiRegistry>;
type Cargo = ReturnType<typeof startCargoRegistry>;
type Servers = readonly [Npm, Pypi, Cargo, Npm, Pypi, Cargo, Npm];

function publish([npm, pypi, cargo, ownNpm, ownPypi, ownCargo, nest]: Servers): void {
  const young = new Date(Date.now() - DAY);
  for (const name of ["left", "@acme/tool", "@vault/tool", "@nest/egg"]) {
    npm.publish({ name, version: "1.0.0" });
  }
  npm.publish({ name: "left", version: "1.1.0", publishedAt: young });
  pypi.publish({ name: "Demo.Tool", version: "1.0" });
  pypi.publish({ name: "Demo.Tool", version: "1.1", uploadedAt: young.toISOString() });
  cargo.publish({ name: "demo", version: "1.0.0" });
  cargo.publish({ name: "demo", version: "1.1.0", publishedAt: young });
  ownNpm.publish({
    name: "@vault/tool",
    version: "2.0.0",
    extra: { description: CANARY },
    files: { "secret.js": CANARY },
  });
  ownPypi.publish({
    name: "vault-tool",
    version: "2.0",
    requiresPython: ">=3",
    dependencies: [CANARY],
  });
  ownCargo.publish({ name: "vault-tool", version: "2.0.0", lib: `// ${CANARY}` });
  nest.publish({ name: "@nest/egg", version: "3.0.0", extra: { description: NESTLING } });
}

const ACME = { rules: { block: { entries: [{ purl: "pkg:npm/@acme/*", reason: "ours" }] } } };

function vaultPolicy([, , , npm, pypi, cargo]: Servers) {
  const token_env = "REGISTRY_TOKEN_VAULT";
  return {
    auth: "token",
    rules: { block: { entries: [{ purl: "pkg:npm/left@1.1.0", reason: `bad for ${CANARY}` }] } },
    exceptions: [{ purl: "pkg:npm/left", rules: ["min_age"], reason: CANARY }],
    registries: [
      { ecosystem: "npm", packages: "pkg:npm/@vault/*", url: npm.url, token_env },
      { ecosystem: "pypi", packages: "pkg:pypi/vault-*", url: pypi.index },
      { ecosystem: "cargo", packages: "pkg:cargo/vault-*", url: cargo.url, token_env },
    ],
  };
}

/** Everybody may ask, and gets what their own credential is good for. */
function nestPolicy([, , , , , , nest]: Servers) {
  return {
    registries: [{ ecosystem: "npm", packages: "pkg:npm/@nest/*", url: nest.url }],
  };
}

export const SECRET_PATHS: readonly string[] = [
  "/npm/@vault%2ftool",
  "/npm/@vault/tool/2.0.0",
  "/npm/@vault/tool/-/tool-2.0.0.tgz",
  "/npm/-/package/@vault%2ftool/dist-tags",
  "/pypi/simple/vault-tool/",
  "/pypi/vault-tool/json",
  "/cargo/va/ul/vault-tool",
  "/cargo/crates/vault-tool/2.0.0/download",
  "/why/pkg:npm/@vault/tool",
  "/why/pkg:npm/@vault/tool@2.0.0",
];
export const NEST_PATHS: readonly string[] = [
  "/npm/@nest%2fegg",
  "/npm/@nest/egg/3.0.0",
  "/npm/@nest/egg/-/egg-3.0.0.tgz",
  "/why/pkg:npm/@nest/egg@3.0.0",
];

/** Fails where the owners themselves get nothing: then no test would say anything. */
async function warmed(
  proxy: TestProxy,
  owners: Readonly<Record<"vault" | "nest", string>>,
): Promise<string[]> {
  const etags: string[] = [];
  const ask = async (path: string, authorization: string) => {
    const response = await proxy.fetch(path, { headers: { authorization } });
    assert.equal(response.status, 200, `${path} ${await response.clone().text()}`);
    const etag = response.headers.get("etag");
    if (etag !== null) etags.push(etag);
    return await textOf(response);
  };
  for (const path of SECRET_PATHS) await ask(path, owners.vault);
  for (const path of NEST_PATHS) await ask(`/o-nest${path}`, owners.nest);
  assert.ok((await ask(SECRET_PATHS[0], owners.vault)).includes(CANARY));
  assert.ok((await ask(`/o-nest${NEST_PATHS[0]}`, owners.nest)).includes(NESTLING));
  assert.ok(etags.length >= 4, "indexes have ETags");
  return etags;
}

/** A request for an exception, an alert, a refusal: with the installs, all that an org has on record. */
async function remembered(proxy: TestProxy, keeper: string): Promise<string[]> {
  const { now } = proxy.deps;
  const refusal: RecordInput = {
    org: "vault",
    user: `keeper-${CANARY}`,
    ip: "",
    ecosystem: "npm",
    package: "left",
    version: "1.1.0",
    filename: "left-1.1.0.tgz",
    purl: "pkg:npm/left@1.1.0",
    bytes: 0,
    verdict: "deny",
    code: "blocked",
    reason: `bad for ${CANARY}`,
    policy: "01",
  };
  await proxy.deps.records.add("refusal", refusal);
  const { request } = await proxy.deps.requests.ask({
    ...refusal,
    authenticated: true,
    rules: ["min_age"],
    codes: ["min_age"],
    message: "too young",
    reason: CANARY,
    ticket: CANARY,
    origin: "http://127.0.0.1:8000",
  });
  const at = new Date(now()).toISOString();
  const alerts = openAlerts(proxy.kv, { now, journal: openJournal({ now }) });
  const user = { user: `keeper-${CANARY}`, versions: ["1.0.0"], first: at, last: at, count: 1 };
  await alerts.raise({
    org: "vault",
    advisory: {
      id: "MAL-2026-1",
      malware: true,
      severity: "critical",
      summary: CANARY,
      url: "https://osv.dev/vulnerability/MAL-2026-1",
    },
    ecosystem: "npm",
    package: "left",
    versions: ["1.0.0"],
    installs: { count: 1, users: [{ ...user, ips: [] }], more_users: 0 },
    first: at,
    last: at,
  }, "left");
  const [alert] = (await alerts.list("vault", { limit: 1 })).items;
  const [token] = (await proxy.deps.tokens.list("vault", { limit: 1 })).items;
  const [install] = await proxy.installs("vault");
  const policy = await proxy.deps.policies.read("vault");
  assert.ok(keeper.startsWith("pp_"));
  return [request.id, alert.id, token.id, install.id, policy?.revision ?? ""];
}

/** The link that approvers are sent, out of the news that waits for webhooks. */
export async function linkOf({ kv }: { kv: Deno.Kv }, id: string): Promise<string> {
  for await (const { value } of kv.list<{ link?: string }>({ prefix: [] })) {
    const link = typeof value === "object" && value !== null ? value.link : undefined;
    if (typeof link === "string" && link.includes(id)) {
      const { pathname, search } = new URL(link);
      return pathname + search;
    }
  }
  throw new Error(`Nobody was sent a link for ${id}`);
}

/** What an answer says, headers included, inflated. */
export async function textOf(response: Response): Promise<string> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const zipped = response.headers.get("content-encoding") === "gzip" && bytes.length > 0;
  const body = new TextDecoder().decode(zipped ? gunzipSync(bytes) : bytes);
  return `${[...response.headers].map((pair) => pair.join(": ")).join("\n")}\n\n${body}`;
}

/** Fails where a text holds what is somebody else's. */
export function assertNothingLeaks(text: string, of: AttackWorld, what: string): void {
  for (const secret of [CANARY, NESTLING, of.keeper, of.proxy.rootToken]) {
    assert.ok(!text.includes(secret), `${what} gives away ${secret}:\n${text.slice(0, 2_000)}`);
  }
}
