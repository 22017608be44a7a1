/** What every point of the benchmark works with. */
import type { LoadTool } from "./load.ts";
import type { Processes } from "./process.ts";
import type { Patience } from "./rounds.ts";
import type { Row } from "./row.ts";

export interface Size {
  readonly label: string;
  readonly bytes: number;
}

export interface Bench {
  /** For everything that is written; removed at the end. */
  readonly folder: string;
  readonly load: LoadTool;
  /** How often each contender has its turn. */
  readonly rounds: number;
  /** Of one turn under load. */
  readonly seconds: number;
  /** Fewer rows: for trying out. */
  readonly quick: boolean;
  /** Unix ms; what is "young" is reckoned from it. */
  readonly now: number;
  readonly sizes: readonly Size[];
  /** Which contenders of the optional ones take part. */
  readonly peers: { readonly nginx: boolean; readonly verdaccio: string | null };
  /** Milliseconds until the whole should have ended; a point that goes by it comes last. */
  msLeft(): number;
  /** For rounds that the machine's host disturbed. */
  readonly patience: Patience;
  readonly processes: Processes;
  progress(text: string): void;
}

export interface Point {
  readonly number: number;
  readonly title: string;
  run(bench: Bench): Promise<Row[]>;
}

export const SIZES: readonly Size[] = [
  { label: "36 KB", bytes: 36_000 },
  { label: "650 KB", bytes: 650_000 },
  { label: "10 MB", bytes: 10_000_000 },
];

/** The n-th document of a size. */
export function documentOf({ bytes }: Size, n: number): string {
  return `doc-${bytes}-${n}`;
}
