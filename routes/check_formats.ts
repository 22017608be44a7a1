/** What the check of a file found, for programs, terminals, code scanners and test reports. */
import { visible } from "../policy/visible.ts";
import type { CheckedEntry } from "./check_entries.ts";

export const CHECK_FORMATS = ["json", "sarif", "junit", "text"] as const;

export type CheckFormat = (typeof CHECK_FORMATS)[number];

export interface Summary {
  readonly total: number;
  readonly allow: number;
  readonly warn: number;
  readonly deny: number;
  readonly unknown: number;
  readonly unsupported: number;
  readonly skipped: number;
  /** Nothing is withheld, and everything could be judged. */
  readonly ok: boolean;
}

export interface Checked {
  /** Of the file. */
  readonly format: string;
  /** As the sender named it; null: not said. */
  readonly filename: string | null;
  readonly org: string;
  /** Revision of the policy. */
  readonly policy: string;
  readonly summary: Summary;
  /** Withheld ones first. */
  readonly entries: readonly CheckedEntry[];
  /** What comes from no registry, and why it is not judged. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** Whether an entry makes the whole fail. */
export function fails({ verdict }: CheckedEntry, { strict }: { strict: boolean }): boolean {
  return verdict === "deny" || verdict === "unknown" || (strict && verdict === "unsupported");
}

export function checkBody(
  checked: Checked,
  { format, strict }: { format: CheckFormat; strict: boolean },
): { body: string; type: string } {
  switch (format) {
    case "json":
      return { body: JSON.stringify(checked), type: "application/json" };
    case "sarif":
      return { body: JSON.stringify(sarif(checked, strict)), type: "application/sarif+json" };
    case "junit":
      return { body: junit(checked, strict), type: "application/xml; charset=utf-8" };
    case "text":
      return { body: text(checked), type: "text/plain; charset=utf-8" };
  }
}

/** Where the sender did not name the file. */
const NAMELESS = "lockfile";

/** https://docs.oasis-open.org/sarif/sarif/v2.1.0/, as far as GitHub and GitLab read it. */
function sarif({ entries, filename, format, org, policy }: Checked, strict: boolean): object {
  const failing = entries.filter((entry) => fails(entry, { strict }));
  const codes = [...new Set(failing.map(codeOf))];
  const artifactLocation = { uri: relativeUri(filename ?? NAMELESS) };
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [{
      tool: {
        driver: {
          name: "Package Proxy",
          rules: codes.map((id) => ({
            id,
            shortDescription: { text: `Withheld by policy: ${id}` },
            defaultConfiguration: { level: "error" },
          })),
        },
      },
      results: failing.map((entry) => ({
        ruleId: codeOf(entry),
        ruleIndex: codes.indexOf(codeOf(entry)),
        level: "error",
        message: { text: `${sentence(entry)}${entry.why === null ? "" : ` See ${entry.why}`}` },
        locations: [{
          physicalLocation: { artifactLocation, region: { startLine: entry.line ?? 1 } },
        }],
        partialFingerprints: { "purlAndCode/v1": `${entry.purl} ${codeOf(entry)}` },
        properties: { purl: entry.purl, verdict: entry.verdict, until: entry.until },
      })),
      properties: { org, policy, format },
    }],
  };
}

/** A path as SARIF wants it: relative, with each segment encoded. */
function relativeUri(path: string): string {
  const segments = path.toWellFormed().replaceAll("\\", "/").split("/")
    .filter((segment) => segment !== "" && segment !== "." && segment !== "..");
  return segments.map(encodeURIComponent).join("/") || NAMELESS;
}

/** The form that CI systems read: https://github.com/testmoapp/junitxml. */
function junit({ entries, skipped, filename, summary }: Checked, strict: boolean): string {
  const name = filename ?? NAMELESS;
  const failures = entries.filter((entry) => fails(entry, { strict })).length;
  const passedOver = skipped.length + (strict ? 0 : summary.unsupported);
  const counts = `tests="${entries.length + skipped.length}" failures="${failures}" errors="0" ` +
    `skipped="${passedOver}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="Package Proxy" ${counts}>`,
    `<testsuite name="${xml(name)}" ${counts}>`,
    ...entries.map((entry) => testCase(entry, { name, strict })),
    ...skipped.map((one) =>
      `<testcase classname="skipped" name="${xml(one.name)}" file="${xml(name)}">` +
      `<skipped message="${xml(one.reason)}"/></testcase>`
    ),
    "</testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

function testCase(
  entry: CheckedEntry,
  { name, strict }: { name: string; strict: boolean },
): string {
  const line = entry.line === null ? "" : ` line="${entry.line}"`;
  const head = `<testcase classname="${xml(entry.ecosystem)}" ` +
    `name="${xml(`${entry.package}@${entry.version}`)}" file="${xml(name)}"${line}`;
  if (fails(entry, { strict })) {
    const details = entry.why === null ? sentence(entry) : `${sentence(entry)}\n${entry.why}`;
    return `${head}><failure type="${xml(codeOf(entry))}" message="${xml(sentence(entry))}">` +
      `${details.split("\n").map(xml).join("\n")}</failure></testcase>`;
  }
  if (entry.verdict === "unsupported") {
    return `${head}><skipped message="${xml(entry.reason ?? "")}"/></testcase>`;
  }
  if (entry.verdict === "warn") {
    return `${head}><system-out>${xml(sentence(entry))}</system-out></testcase>`;
  }
  return `${head}/>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** XML knows no control characters, however they are written. */
function xml(value: string): string {
  return visible(value).replace(/[\ufffe\uffff]/g, "").replace(/[&<>"']/g, (one) => ENTITIES[one]);
}

const COLUMNS = ["VERDICT", "PACKAGE", "VERSION", "PASSES FROM", "LINE", "REASON"];
/** Longest cell that others are padded to. */
const WIDEST = 60;

/** For a terminal: what does not simply pass, then how many there are of each. */
function text({ entries, skipped, filename, org, format, summary }: Checked): string {
  const rows = entries.filter(({ verdict }) => verdict !== "allow").map((entry) => [
    entry.verdict,
    `${entry.ecosystem} ${entry.package}`,
    entry.version,
    entry.until ?? "",
    entry.line === null ? "" : String(entry.line),
    entry.reason === null ? "" : `${codeOf(entry)}: ${entry.reason}`,
  ]);
  const passedOver = skipped.map(({ name, reason }) => ["skipped", name, "", "", "", reason]);
  const found = [...rows, ...passedOver];
  const table = found.length === 0
    ? []
    : aligned([COLUMNS, ...found.map((row) => row.map(visible))]);
  const of = `${visible(filename ?? NAMELESS)} (${visible(format)}) for the org "${org}"`;
  return [...table, `${of}: ${counted(summary)}`, ""].join("\n");
}

function counted(summary: Summary): string {
  const { total, allow, warn, deny, unknown, unsupported, skipped, ok } = summary;
  const parts = [
    `${deny} withheld`,
    `${unknown} unknown`,
    `${warn} warned of`,
    `${allow} allowed`,
    ...(unsupported > 0 ? [`${unsupported} unsupported`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ];
  return `${total} ${total === 1 ? "package" : "packages"}: ${parts.join(", ")}: ${
    ok ? "pass" : "FAIL"
  }`;
}

function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths = lines[0].map((_, column) =>
    lines.reduce((most, line) => Math.max(most, Math.min(WIDEST, line[column].length)), 0)
  );
  return lines.map((line) =>
    line.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()
  );
}

function codeOf({ code }: CheckedEntry): string {
  return code ?? "policy";
}

function sentence({ package: name, version, verdict, reason, code }: CheckedEntry): string {
  const what = { deny: "is withheld", warn: "is warned of", unknown: "cannot be judged" };
  const how = verdict === "deny" || verdict === "warn" ? what[verdict] : what.unknown;
  return `${name} ${version} ${how} (${code ?? "policy"}): ${reason ?? ""}.`;
}
