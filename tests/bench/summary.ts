/** The README's table, from results.json: `deno run -A tests/bench/summary.ts [--readme]`. */
// deno-lint-ignore-file no-console -- what it makes is printed
import type { Machine } from "./machine.ts";
import { format } from "./report.ts";
import { median } from "./rounds.ts";
import type { Row } from "./row.ts";

export interface Results {
  /** RFC 3339. */
  readonly date: string;
  readonly machine: Machine;
  readonly rows: readonly Row[];
}

/**
 * Markdown: how many targets are met and which are not, then the table, folded. Rows of one size
 * that differ in form and number of connections become one line.
 */
export function summary({ date, machine, rows }: Results): string {
  const judged = rows.filter(({ target }) => target !== undefined);
  const groups = Map.groupBy(judged, groupOf);
  const missed = missedOf(groups);
  const lines = [...groups].map(([name, group]) => {
    const ratios = group.map(({ ratio }) => ratio ?? NaN);
    const met = group.filter((row) => row.met).length;
    const { target = "", compared = "" } = group[0];
    const spread = group.length === 1 ? "" : ` (${format(Math.min(...ratios))} to ` +
      `${format(Math.max(...ratios))})`;
    const verdict = group.length === 1
      ? met === 1 ? "met" : "missed"
      : `met ${met} of ${group.length}`;
    const cells = [
      name,
      valuesOf(group),
      compared,
      format(median(ratios)) + spread,
      target,
      verdict,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const programs = Object.entries(machine.programs).map(([name, text]) =>
    name === "load" ? text : `${name} ${text.replace(`${name}/`, "")}`
  );
  return [
    `${date.slice(0, 10)}, ${machine.processor}, ${machine.cores} cores, ` +
    `${Math.round(machine.memoryMB / 1024)} GB, ${machine.system}; ${programs.join(", ")}; ` +
    `load average before it began ${machine.load}.`,
    "",
    `Of ${judged.length} figures that have a target, ${judged.filter(({ met }) => met).length} ` +
    `meet it.${missed.length === 0 ? "" : " The others:"}`,
    "",
    ...missed,
    ...missed.length === 0 ? [] : [""],
    "<details>",
    "<summary>Every figure, with its medians</summary>",
    "",
    "| | medians | compared | ratio | target | |",
    "| --- | --- | --- | --- | --- | --- |",
    ...lines,
    "",
    "</details>",
  ].join("\n");
}

/** A table of the groups that have rows which miss their target; empty without any. */
function missedOf(groups: ReadonlyMap<string, readonly Row[]>): readonly string[] {
  const lines = [...groups].flatMap(([name, group]) => {
    const ratios = group.filter(({ met }) => !met).map(({ ratio }) => format(ratio));
    const { compared = "", target = "" } = group[0];
    return ratios.length === 0
      ? []
      : [`| ${name} | ${compared} | ${ratios.join(", ")} | ${target} |`];
  });
  return lines.length === 0
    ? []
    : ["| | compared | ratio | target |", "| --- | --- | --- | --- |", ...lines];
}

function groupOf({ point, what, target }: Row): string {
  if (point > 2 || !what.includes(" at a time")) return `${point}. ${what}`;
  const [size] = what.split(/ (?:full|abbreviated) /);
  const how = what.includes("304 from upstream") ? ", 304 from upstream" : "";
  return `${point}. ${size}${how}, ${target?.startsWith("≤") ? "p99" : "requests/s"}`;
}

function valuesOf(group: readonly Row[]): string {
  if (group.length > 1) return `of ${group.length} rows`;
  const [{ values, unit }] = group;
  return Object.entries(values).map(([name, value]) => `${name} ${format(value)} ${unit}`.trim())
    .join(", ");
}

/** What stands between the two marks is replaced. Throws where they are not. */
function insert(readme: string, text: string): string {
  const [before, rest, ...more] = readme.split(/(?<=<!-- bench -->)/);
  const after = rest?.indexOf("<!-- /bench -->") ?? -1;
  if (after < 0 || more.length > 0) throw new Error("README.md has no place for the table");
  return `${before}\n\n${text}\n\n${rest.slice(after)}`;
}

if (import.meta.main) {
  const text = summary(
    JSON.parse(await Deno.readTextFile(new URL("./results.json", import.meta.url))),
  );
  if (Deno.args.includes("--readme")) {
    const readme = new URL("../../README.md", import.meta.url);
    await Deno.writeTextFile(readme, insert(await Deno.readTextFile(readme), text));
  } else console.log(text);
}
