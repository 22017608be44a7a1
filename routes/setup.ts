/** The page a browser gets at the base address: how each client is pointed at this very address. */
import { html } from "@hono/hono/html";
import type { Identified } from "./identity.ts";
import { page } from "./page.ts";

/** One client and what to type. */
interface Client {
  readonly name: string;
  /** Where `text` goes: a file's name; absent: a terminal. */
  readonly file?: string;
  readonly text: string;
  /** The same with a token, where that looks different. */
  readonly token?: { readonly file?: string; readonly text: string };
}

interface Group {
  readonly title: string;
  readonly clients: readonly Client[];
}

const TOKEN = "pp_…";
/** A package that everybody knows, of each ecosystem. */
const EXAMPLES = [
  { id: "npm", name: "lodash" },
  { id: "pypi", name: "requests" },
  { id: "cargo", name: "serde" },
] as const;

/**
 * The set-up of every client for one base address.
 * @param base without trailing slash
 * @param only id of the only ecosystem there is below it; null: there are all
 */
function clientsFor(base: string, only: string | null = null): readonly Group[] {
  const groups = [
    { id: "npm", title: "JavaScript", clients: javascript(base) },
    { id: "pypi", title: "Python", clients: python(`${base}/pypi/simple/`) },
    { id: "cargo", title: "Rust", clients: rust(`sparse+${base}/cargo/`) },
  ];
  return groups.filter(({ id }) => only === null || only === id);
}

function javascript(base: string): Client[] {
  const registry = `${base}/npm/`;
  const auth = `${registry.slice(registry.indexOf("//"))}:_authToken=${TOKEN}`;
  const npmrc = { file: ".npmrc", text: auth };
  const { protocol, hostname } = new URL(base);
  const plain = protocol === "http:"
    ? `\nyarn config set -H --json unsafeHttpWhitelist '["${hostname}"]'`
    : "";
  return [
    { name: "npm", text: `npm config set registry ${registry}`, token: npmrc },
    { name: "pnpm", text: `pnpm config set registry ${registry}`, token: npmrc },
    {
      name: "yarn 1",
      // It fetches from the addresses that its lockfile names.
      text: `yarn config set registry ${registry}` +
        "\n\n# in a yarn.lock from before, put this address in place of the registry's",
      token: { file: ".npmrc", text: `${auth}\nalways-auth=true` },
    },
    {
      name: "yarn 2, 3, 4",
      text: `yarn config set -H npmRegistryServer ${registry}${plain}`,
      token: { file: ".yarnrc.yml", text: `npmAuthToken: "${TOKEN}"\nnpmAlwaysAuth: true` },
    },
    {
      name: "bun",
      file: "bunfig.toml",
      text: `[install]\nregistry = "${registry}"`,
      token: {
        file: "bunfig.toml",
        text: `[install]\nregistry = { url = "${registry}", token = "${TOKEN}" }`,
      },
    },
    { name: "deno", file: ".npmrc", text: `registry=${registry}`, token: npmrc },
  ];
}

function python(simple: string): Client[] {
  const withToken = simple.replace("://", `://token:${TOKEN}@`);
  return [
    {
      name: "pip",
      text: `pip config set global.index-url ${simple}`,
      token: { text: `pip config set global.index-url ${withToken}` },
    },
    {
      name: "uv",
      file: "uv.toml",
      text: `[[index]]\nname = "proxy"\nurl = "${simple}"\ndefault = true`,
      token: { text: `export UV_INDEX_PROXY_USERNAME=token UV_INDEX_PROXY_PASSWORD=${TOKEN}` },
    },
    {
      name: "Poetry",
      text: `poetry source add --priority=primary proxy ${simple}`,
      token: { text: `poetry config http-basic.proxy token ${TOKEN}` },
    },
  ];
}

function rust(index: string): Client[] {
  // `cargo install` reads no project's file, and `cargo vendor` none unless it is told to.
  const file = "~/.cargo/config.toml";
  const vendor = "\n\n# to vendor: cargo vendor --respect-source-config";
  const text =
    `[source.crates-io]\nreplace-with = "proxy"\n\n[registries.proxy]\nindex = "${index}"`;
  return [{
    name: "cargo",
    file,
    text: `${text}${vendor}`,
    token: {
      file,
      text: `${text}\ncredential-provider = "cargo:token"\n\n` +
        "# shown only where the org of this address asks for one: the address has to name yours\n" +
        `# then: cargo login --registry proxy${vendor}`,
    },
  }];
}

/**
 * `GET <base>/` and `GET <base>/setup`.
 * @param only see `clientsFor`
 */
export function serveSetup(
  { base, org, user }: Pick<Identified, "base" | "org" | "user">,
  only: string | null = null,
): Promise<Response> {
  const address = `${base.origin}${base.prefix}`;
  const example = EXAMPLES.find(({ id }) => id === only) ?? EXAMPLES[0];
  const why = `${address}/why/pkg:${example.id}/${example.name}`;
  const named = `${base.origin}/o-ORG/u-USER/${example.id}/`;
  return page({
    title: "Package Proxy",
    body: html`
      <h1>Package Proxy</h1>
      <p>
        This address stands between your package manager and the public registries. It lets through what
        the policy of the org <strong>${org}</strong> allows, says why it holds something back, and keeps
        a record of what was installed.${user === "" ? "" : ` You are ${user}.`}
      </p>
      <p>Ask about any package: <a href="${why}"><code>${why}</code></a></p>
      ${clientsFor(address, only).map(({ title, clients }) =>
        html`
          <h2>${title}</h2>
          ${clients.map(oneClient)}
        `
      )}
      <h2>Who you are</h2>
      <p>
        Where the org asks for a name, put it into the address:
        <code>${named}</code>. Where it asks for a token, set it as shown under
        “with a token”. Tokens begin with <code>pp_</code> and come from your administrator.
      </p>
    `,
  });
}

function oneClient({ name, token, ...plain }: Client) {
  return html`
    <h3>${name}${inFile(plain.file)}</h3>
    <pre><code>${plain.text}</code></pre>
    ${token === undefined ? "" : html`
      <details>
        <summary>with a token${inFile(token.file)}</summary>
        <pre><code>${token.text}</code></pre>
      </details>
    `}
  `;
}

function inFile(file: string | undefined) {
  return file === undefined ? "" : html`
    <small>in <code>${file}</code></small>
  `;
}
