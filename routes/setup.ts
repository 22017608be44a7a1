/** The page a browser gets at the base address: how each client is pointed at this very address. */
import { html } from "@hono/hono/html";
import type { Identified } from "./identity.ts";
import { page } from "./page.ts";

/** One client and what to type. */
interface Client {
  readonly name: string;
  readonly commands: string;
}

/** The set-up of every client for one base address. */
export function clientsFor(base: string): readonly Client[] {
  const registry = `${base}/npm/`;
  const simple = `${base}/pypi/simple/`;
  return [
    { name: "npm, pnpm, bun, deno", commands: `npm config set registry ${registry}` },
    { name: "pnpm alone", commands: `pnpm config set registry ${registry}` },
    { name: "yarn 1", commands: `yarn config set registry ${registry}` },
    {
      name: "yarn 4",
      commands: `yarn config set -H npmRegistryServer ${registry}` +
        (base.startsWith("http:")
          ? `\nyarn config set -H --json unsafeHttpWhitelist '["${new URL(base).hostname}"]'`
          : ""),
    },
    { name: "bun, per project (bunfig.toml)", commands: `[install]\nregistry = "${registry}"` },
    { name: "pip", commands: `pip config set global.index-url ${simple}` },
    { name: "uv (uv.toml)", commands: `[[index]]\nurl = "${simple}"\ndefault = true` },
    { name: "Poetry", commands: `poetry source add --priority=primary proxy ${simple}` },
    {
      name: "cargo (~/.cargo/config.toml)",
      commands: `[source.crates-io]\nreplace-with = "proxy"\n\n` +
        `[source.proxy]\nregistry = "sparse+${base}/cargo/"`,
    },
  ];
}

/** `GET <base>/` and `GET <base>/setup`. */
export function serveSetup({ base, org }: Pick<Identified, "base" | "org">): Promise<Response> {
  const address = `${base.origin}${base.prefix}`;
  return page({
    title: "Package Proxy",
    body: html`<h1>Package Proxy</h1>
<p>This address stands between your package manager and the public registries. It lets through what the
policy of the org “${org}” allows, says why it holds something back, and remembers what was installed.
Ask about a package at <code>${address}/why/pkg:npm/lodash</code>.</p>
${
      clientsFor(address).map(({ name, commands }) =>
        html`
          <h2>${name}</h2>
          <pre><code>${commands}</code></pre>
        `
      )
    }<h2>Who you are</h2>
<p>Where the org asks for a name or a token, put it into the address
(<code>${base.origin}/o-ORG/u-USER/npm/</code>) or give the token as the password. Tokens begin with
<code>pp_</code> and come from your administrator.</p>`,
  });
}
