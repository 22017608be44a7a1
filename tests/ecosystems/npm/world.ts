/** What the npm tests share: indexes made of documents, judged by a set of hidden versions. */
import type { Document, Index, Source, View } from "../../../ecosystems/ecosystem.ts";
import { npm } from "../../../ecosystems/npm/mod.ts";
import type { Judgement, Policy, Verdict } from "../../../policy/types.ts";
import { POLICY } from "../policy.ts";

export const SOURCE: Source = {
  ecosystem: "npm",
  url: "https://npm.registry.example/",
  authorization: null,
  partition: "",
  fileOrigins: [],
};

export const MOUNT = "http://proxy.example/npm/";

const ALLOW: Verdict = { action: "allow", code: null, message: "", until: null, findings: [] };
const DENY: Verdict = {
  action: "deny",
  code: "blocked",
  message: "blocked by a test",
  until: null,
  findings: [],
};

export function documentOf(content: unknown): Document {
  const bytes = content instanceof Uint8Array
    ? new Uint8Array(content)
    : new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content));
  return { bytes, type: "application/json", url: SOURCE.url };
}

export function read(content: unknown, name: string, source = SOURCE): Index {
  const context = { source, document: () => Promise.resolve(null) };
  const index = npm.parse(documentOf(content), name, context);
  if (index instanceof Promise) throw new TypeError("npm's index is read at once");
  return index;
}

export function viewOf(index: Index, hidden: ReadonlySet<string>, direct = false): View {
  const verdicts = index.releases.map(({ version }) => hidden.has(version) ? DENY : ALLOW);
  const denied = verdicts.filter((verdict) => verdict === DENY).length;
  const judgement: Judgement = { verdicts, denied, changesAt: null, signature: "" };
  const policy: Policy = { ...POLICY, downloads: direct ? "direct" : "proxy" };
  return {
    mount: MOUNT,
    policy,
    judgement,
    direct,
    why: (purl) => `http://proxy.example/why/${purl}`,
  };
}

/** The rendered form, parsed; throws where the form is refused or missing. */
export function render(index: Index, form: string, view: View) {
  const rendered = index.render(form, view);
  if (rendered === null || "withheld" in rendered) throw new TypeError(`No ${form} to render`);
  const text = typeof rendered.body === "string"
    ? rendered.body
    : new TextDecoder("utf-8", { fatal: true }).decode(rendered.body);
  return { type: rendered.type, text, json: JSON.parse(text) };
}
