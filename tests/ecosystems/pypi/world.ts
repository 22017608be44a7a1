/** What the tests of PyPI share: requests, documents, indexes and verdicts made by hand. */
import assert from "node:assert/strict";
import type { Document, Index, Rendered, Source, View } from "../../../ecosystems/ecosystem.ts";
import { pypi } from "../../../ecosystems/pypi/mod.ts";
import type { Release, Verdict } from "../../../policy/types.ts";
import { POLICY } from "../policy.ts";

export const JSON_TYPE = "application/vnd.pypi.simple.v1+json";
export const MOUNT = "http://127.0.0.1:8000/o-acme/pypi/";
export const FIXTURES = new URL("../../../../shared/fixtures/pypi/", import.meta.url);
export const SHA = "ab".repeat(32);

export const SOURCE: Source = {
  ecosystem: "pypi",
  url: "https://pypi.org/simple/",
  authorization: null,
  partition: "",
  fileOrigins: ["https://files.pythonhosted.org"],
};

export function folderExists(url: URL): boolean {
  try {
    return Deno.statSync(url).isDirectory;
  } catch {
    return false;
  }
}

export function documentOf(body: unknown, { type = JSON_TYPE, url = "" } = {}): Document {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { bytes: new TextEncoder().encode(text), type, url: url || `${SOURCE.url}demo/` };
}

/** @param name of the project asked for */
export async function indexOf(
  body: unknown,
  { name = "demo", type = JSON_TYPE, url = "", source = SOURCE } = {},
): Promise<Index> {
  const document = documentOf(body, { type, url: url || `${source.url}${name}/` });
  return await pypi.parse(document, name, { source, document: () => Promise.resolve(null) });
}

/** A PEP 691 page of `demo`. */
export function page(files: readonly unknown[], more: Record<string, unknown> = {}) {
  return { meta: { "api-version": "1.4" }, name: "demo", files, ...more };
}

export function file(filename: string, more: Record<string, unknown> = {}) {
  return {
    filename,
    hashes: { sha256: SHA },
    url: `https://files.pythonhosted.org/packages/aa/bb/${encodeURIComponent(filename)}`,
    "upload-time": "2024-01-02T03:04:05.678901Z",
    yanked: false,
    ...more,
  };
}

export const ALLOW: Verdict = {
  action: "allow",
  code: null,
  message: "",
  until: null,
  findings: [],
};
export const WARN: Verdict = { ...ALLOW, action: "warn", code: "yanked", message: "it is yanked" };
export const DENY: Verdict = {
  ...ALLOW,
  action: "deny",
  code: "min_age",
  message: 'published 2026-11-20, held until "2026-11-30" <10d>',
};
export const REASON = `min_age: ${DENY.message}`;

export function viewOf(
  index: Index,
  judge: (release: Release) => Verdict,
  { direct = false, mount = MOUNT } = {},
): View {
  const verdicts = index.releases.map(judge);
  const denied = verdicts.filter(({ action }) => action === "deny").length;
  return {
    mount,
    policy: POLICY,
    direct,
    why: (purl) => `http://127.0.0.1:8000/why/${purl}`,
    judgement: { verdicts, denied, changesAt: null, signature: String(denied) },
  };
}

export interface Options {
  form?: string;
  direct?: boolean;
  mount?: string;
  document?: Document;
}

export function render(
  index: Index,
  judge: (release: Release) => Verdict = () => ALLOW,
  { form = "json", document, ...view }: Options = {},
): Rendered {
  const rendered = index.render(form, viewOf(index, judge, view), document);
  assert.ok(rendered !== null && "body" in rendered, "the index has no such form");
  return rendered;
}

// deno-lint-ignore no-explicit-any -- tests read what they have written themselves
export function renderJson(...args: Parameters<typeof render>): any {
  const { body } = render(...args);
  assert.equal(typeof body, "string");
  return JSON.parse(String(body));
}

export function renderText(...args: Parameters<typeof render>): string {
  return String(render(...args).body);
}
