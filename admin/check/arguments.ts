import { parseArgs } from "node:util";
import { isOrgName } from "../../policy/names.ts";
import { UsageError } from "../query/arguments.ts";

const FORMATS = ["table", "json", "sarif", "junit"] as const;

export interface CheckArguments {
  /** At least one; more than one as a table only. */
  readonly files: readonly string[];
  /** The base address, org included; ends in `/`. */
  readonly base: URL;
  /** null: none. */
  readonly token: string | null;
  readonly format: (typeof FORMATS)[number];
  /** Where the answer is written; null: to the terminal. */
  readonly output: string | null;
  readonly strict: boolean;
}

const DEFAULT_URL = "http://127.0.0.1:8000/";

export const HELP = `deno task check FILE... [options]

Asks a running proxy what its policy makes of what a lockfile, an SBOM or a list
of PURLs names, before anything of it is installed.

  --url URL           the proxy's address, with /o-<org>/u-<user>/ or without
                      (PROXY_URL); default: ${DEFAULT_URL}
  --org NAME          judge by the policy of this org
  --token TOKEN       a token of the proxy (PROXY_TOKEN)
  --format FORMAT     ${FORMATS.join(", ")}; default: table
  --output FILE       write the answer there
  --strict            what the proxy does not serve counts as withheld
  --help

Exit status: 0 nothing withheld, 1 something withheld or not known, 2 bad usage
or a file that cannot be read, 3 the proxy cannot be reached or refuses.
`;

const text = { type: "string" } as const;
const OPTIONS = {
  url: text,
  org: text,
  token: text,
  format: text,
  output: text,
  strict: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export interface Surroundings {
  readonly proxyUrl?: string;
  readonly proxyToken?: string;
}

/** Reads the command line; null: help is asked for. Throws UsageError. */
export function readCheckArguments(
  args: readonly string[],
  given: Surroundings,
): CheckArguments | null {
  const { values, positionals: files } = parse(args);
  if (values.help) return null;
  for (const [name, value] of Object.entries(values)) {
    if (value === "") throw new UsageError(`--${name}: is empty`);
  }
  if (files.length === 0) throw new UsageError("Which file? Name one or more");
  const format = FORMATS.find((one) => one === (values.format ?? "table"));
  if (format === undefined) {
    throw new UsageError(`--format: ${quote(values.format)} is none of ${FORMATS.join(", ")}`);
  }
  const { output = null } = values;
  if (files.length > 1 && (format !== "table" || output !== null)) {
    throw new UsageError(
      `${output === null ? `--format ${format}` : "--output"}: one file at a time`,
    );
  }
  return {
    files,
    base: readBase(values.url ?? given.proxyUrl, values.org),
    token: readToken(values.token ?? given.proxyToken),
    format,
    output,
    strict: values.strict ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function readBase(address: string | undefined, org: string | undefined): URL {
  const url = URL.parse(address || DEFAULT_URL);
  const parts = url === null ? "" : url.username + url.password + url.search + url.hash;
  if (url === null || !/^https?:$/.test(url.protocol) || parts !== "") {
    throw new UsageError("--url: give the proxy's http or https address, without user or query");
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  if (org === undefined) return url;
  if (!isOrgName(org)) throw new UsageError(`--org: ${quote(org)} is no org's name`);
  if (url.pathname.includes("/o-")) throw new UsageError("--org: the address names one already");
  return new URL(`o-${org}/`, url);
}

function readToken(token: string | undefined): string | null {
  if (token === undefined || token === "") return null;
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError("--token: is no token");
  return token;
}

function quote(value: string | undefined): string {
  return JSON.stringify((value ?? "").slice(0, 100));
}
