/** What the tests of the cargo ecosystem share. */
import { cargo } from "../../../ecosystems/cargo/mod.ts";
import type {
  Document,
  Index,
  MountView,
  ParseContext,
  RegistryRequest,
  Rendered,
  View,
  Withheld,
} from "../../../ecosystems/ecosystem.ts";
import type { Action, Policy, Verdict } from "../../../policy/types.ts";
import { POLICY } from "../policy.ts";

export const CONFIG = { dl: "https://files.example/crates", api: "https://api.example/" };
export const CHECKSUM = "ab".repeat(32);

export function document(content: unknown, url = "https://index.example/x"): Document {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  return { bytes: new TextEncoder().encode(text), type: "text/plain", url };
}

/** One index line, as text. */
export function line(vers: string, extra: Record<string, unknown> = {}): string {
  const entry = {
    name: "alpha",
    vers,
    deps: [],
    cksum: CHECKSUM,
    features: {},
    yanked: false,
    pubtime: "2026-01-02T03:04:05Z",
    ...extra,
  };
  return JSON.stringify(entry);
}

/**
 * An upstream that has the given documents by address and throws what is an
 * Error; everything else is a 404. `asked` lists the addresses in order.
 */
export function upstream(documents: Record<string, unknown> = {}) {
  const asked: string[] = [];
  const known: Record<string, unknown> = { "config.json": CONFIG, ...documents };
  const context: ParseContext = {
    source: {
      ecosystem: "cargo",
      url: "https://index.example/",
      authorization: null,
      partition: "",
      fileOrigins: [],
    },
    async document({ url }, { read }) {
      asked.push(url);
      const found = await Promise.resolve(known[url]);
      if (found instanceof Error) throw found;
      return found === undefined ? null : read(document(found, url));
    },
  };
  return { context, asked };
}

export async function parse(
  content: string,
  { name = "alpha", documents = {} }: { name?: string; documents?: Record<string, unknown> } = {},
): Promise<Index> {
  return await cargo.parse(document(content), name, upstream(documents).context);
}

export function mountView(policy: Partial<Policy> = {}): MountView {
  return {
    mount: "https://proxy.example/o-acme/cargo/",
    policy: { ...POLICY, ...policy },
  };
}

/** A view that denies the releases whose version `denies` picks. */
export function view(index: Index, denies: (version: string) => boolean): View {
  const verdicts = index.releases.map(({ version }) => verdict(denies(version) ? "deny" : "allow"));
  return {
    ...mountView(),
    judgement: {
      verdicts,
      denied: verdicts.filter((each) => each.action === "deny").length,
      changesAt: null,
      signature: "",
    },
    direct: false,
    why: (purl) => `https://proxy.example/why/${purl}`,
  };
}

export function verdict(action: Action): Verdict {
  return {
    action,
    code: action === "allow" ? null : "min_age",
    message: "",
    until: null,
    findings: [],
  };
}

export function request(path: string, extra: Partial<RegistryRequest> = {}): RegistryRequest {
  return { method: "GET", mount: "cargo", path, search: "", headers: new Headers(), ...extra };
}

/** Text of what was rendered; throws where nothing was. */
export function text(rendered: Rendered | Withheld | null): string {
  if (rendered === null || "withheld" in rendered) throw new Error("Nothing was rendered");
  const { body } = rendered;
  return typeof body === "string" ? body : new TextDecoder().decode(body);
}
