/**
 * Requests for prepared indexes, by what they ask for: the next one alike is not
 * taken apart again, which is half of the work. Only what follows from the
 * request alone is taken from here; policy, limits, index, judgement and the
 * answer itself must be what they were.
 */
import type { Ecosystem, Source } from "../ecosystems/ecosystem.ts";
import { recent } from "../policy/recent.ts";
import type { Policy } from "../policy/types.ts";
import type { Template } from "./answers.ts";
import type { Deps } from "./deps.ts";
import type { Client } from "./exchange.ts";
import type { Identified } from "./identity.ts";
import { peekJudgement } from "./judgements.ts";

const MAX_REPEATS = 10_000;
/** An address with its headers that is longer is not an installing client's. */
const MAX_KEY = 1_000;

/** How one request was answered. */
export interface Repeat {
  readonly identity: Identified;
  readonly ecosystem: Ecosystem;
  readonly name: string;
  readonly source: Source;
  /** Of the index. */
  readonly id: string;
  /** Of the policy. */
  readonly revision: string;
  /** Of the judgement. */
  readonly signature: string;
  /** Of the prepared answer. */
  readonly key: string;
  /** Whether the client takes gzip. */
  readonly zipped: boolean;
}

export class Repeats {
  readonly #known = recent<string, Repeat>(MAX_REPEATS);

  /**
   * null: the request says more than an address and what it accepts.
   * @param caller names whose token it comes with; `""`: nobody's
   */
  keyOf({ method, url, headers }: Request, caller: string): string | null {
    if (method !== "GET") return null;
    const accept = headers.get("accept") ?? "";
    const key = `${caller}\n${url}\n${accept}\n${headers.get("accept-encoding") ?? ""}`;
    return key.length > MAX_KEY ? null : key;
  }

  find(key: string): Repeat | undefined {
    return this.#known.get(key);
  }

  note(key: string, repeat: Repeat): void {
    this.#known.set(key, repeat);
  }
}

type RepeatDeps = Pick<
  Deps,
  "indexes" | "answers" | "judgements" | "facts" | "lifts" | "now"
>;

/** What it was answered with; null: something is not as it was, or has to be waited for. */
export function recall(
  deps: RepeatDeps,
  repeat: Repeat,
  { policy, client }: { policy: Policy | undefined; client: Client },
): Template | null {
  const { ecosystem, name, source, key, revision, zipped } = repeat;
  if (policy?.revision !== revision) return null;
  const kept = deps.indexes.peek(ecosystem, name, { source, purpose: "answer" });
  if (kept?.id !== repeat.id || kept.staleMs !== null) return null;
  const judgement = peekJudgement(deps, { kept, policy, client });
  if (judgement?.signature !== repeat.signature) return null;
  const prepared = deps.answers.get(key, zipped);
  if (prepared === undefined) return null;
  return deps.answers.templateOf(prepared, { key, revision, zipped });
}
