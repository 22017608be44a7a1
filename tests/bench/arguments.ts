/** Flags of `deno task bench`. */
import { parseArgs } from "node:util";
import { SIZES } from "./bench.ts";

export interface Options {
  /** Numbers of points. */
  readonly only: readonly number[];
  readonly rounds: number;
  /** Of one turn under load. */
  readonly seconds: number;
  readonly quick: boolean;
  /** Bytes of the documents that are measured. */
  readonly sizes: readonly number[];
  /** RFC 3339: noted in the results, and what "young" is reckoned from. */
  readonly date: string;
  /** The benchmark's own load generator even where wrk is. */
  readonly ownLoad: boolean;
  /** Whether results.json and the curves are written anew: only after a whole run. */
  readonly write: boolean;
}

const ALL = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** Throws on flags that cannot be. */
export function readArguments(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      quick: { type: "boolean", default: false },
      sizes: { type: "string" },
      date: { type: "string" },
      "own-load": { type: "boolean", default: false },
      write: { type: "boolean" },
    },
  });
  const { quick } = values;
  const only = numbers(values.only) ?? ALL;
  const date = values.date === undefined ? new Date() : new Date(values.date);
  const whole = only.length === ALL.length && !quick && values.sizes === undefined;
  return {
    only,
    rounds: numbers(values.rounds)?.[0] ?? (quick ? 3 : 5),
    seconds: numbers(values.seconds)?.[0] ?? 0.4,
    quick,
    sizes: numbers(values.sizes) ?? SIZES.map(({ bytes }) => bytes),
    date: date.toISOString(),
    ownLoad: values["own-load"],
    write: values.write ?? whole,
  };
}

function numbers(text: string | undefined): number[] | undefined {
  return text?.split(",").map((part) => {
    const number = Number(part);
    if (!(number > 0)) {
      throw new TypeError(`Cannot use ${JSON.stringify(part)}: a number is expected`);
    }
    return number;
  });
}
