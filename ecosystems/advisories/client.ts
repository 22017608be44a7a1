/** OSV's API (https://google.github.io/osv.dev/api/): the only fetch of advisories. */
import * as v from "valibot";
import {
  AdvisoryUnreadable,
  idSchema,
  instantSchema,
  type OsvRecord,
  readRecord,
} from "../../policy/advisories/record.ts";
import type { RecordVersion } from "../../policy/store/advisory_pack.ts";

const MAX_BYTES = 64 * 1024 * 1024;
/** Pages of one package: more would be an answer without end. */
const MAX_PAGES = 50;

/** A package as OSV is asked for it. */
export interface OsvQuery {
  readonly ecosystem: string;
  readonly name: string;
}

/** The database did not answer, or said that it cannot. */
export class AdvisoriesUnavailable extends Error {
  override readonly name = "AdvisoriesUnavailable";

  /** @param ofOne asked for one package's records, which says nothing about what else it has */
  constructor(message: string, readonly ofOne: boolean, options?: ErrorOptions) {
    super(message, options);
  }
}

interface Question {
  /** Sent as JSON, by POST. */
  readonly body?: unknown;
  /** Whether it is for one package's records alone. */
  readonly ofOne: boolean;
}

/** Statuses of 4xx that are not about what was asked for. */
const NOT_NOW: ReadonlySet<number> = new Set([408, 429]);

const token = v.nullish(v.pipe(v.string(), v.maxLength(10_000)));

const batchSchema = v.looseObject({ results: v.array(v.unknown()) });

/** Of one package. */
const resultSchema = v.looseObject({
  vulns: v.optional(v.array(v.looseObject({ id: idSchema, modified: instantSchema }))),
  next_page_token: token,
});

const querySchema = v.looseObject({
  vulns: v.optional(v.array(v.unknown())),
  next_page_token: token,
});

/** What OSV says of one package of a batch: what cannot be read is that package's matter alone. */
export type BatchResult = RecordVersion[] | AdvisoryUnreadable;

interface Page {
  readonly at: number;
  readonly token: string | null;
}

/** All methods throw AdvisoriesUnavailable and AdvisoryUnreadable. */
export class OsvClient {
  readonly #base: string;
  readonly #timeoutMs: number;

  /** @param base ends in `/` */
  constructor(base: string, { timeoutMs = 10_000 }: { timeoutMs?: number } = {}) {
    this.#base = base;
    this.#timeoutMs = timeoutMs;
  }

  /** The records of each package, all of its versions together; in the order asked. */
  async batch(packages: readonly OsvQuery[]): Promise<BatchResult[]> {
    const found = packages.map((): RecordVersion[] => []);
    const unreadable = new Map<number, AdvisoryUnreadable>();
    let pages: Page[] = packages.map((_, at) => ({ at, token: null }));
    for (let round = 0; pages.length > 0 && round < MAX_PAGES; round++) {
      const results = await this.#batchPage(packages, pages);
      pages = pages.flatMap(({ at }, i) => {
        const result = v.safeParse(resultSchema, results[i]);
        if (!result.success) {
          unreadable.set(at, new AdvisoryUnreadable("OSV's answer on a package is none"));
          return [];
        }
        const { vulns = [], next_page_token: next } = result.output;
        found[at].push(...vulns.map(({ id, modified }) => ({ id, modified })));
        return next ? [{ at, token: next }] : [];
      });
    }
    for (const { at } of pages) unreadable.set(at, endless());
    return found.map((list, at) => unreadable.get(at) ?? list);
  }

  /** One result for each page. */
  async #batchPage(packages: readonly OsvQuery[], pages: readonly Page[]): Promise<unknown[]> {
    const queries = pages.map(({ at, token }) => ({ package: packages[at], ...paged(token) }));
    const answer = await this.#ask("v1/querybatch", { body: { queries }, ofOne: false });
    const parsed = v.safeParse(batchSchema, answer);
    if (!parsed.success || parsed.output.results.length !== pages.length) {
      throw new AdvisoryUnreadable("OSV's answer to a batch is not what was asked for");
    }
    return parsed.output.results;
  }

  /** All records of one package, in full. */
  async query(one: OsvQuery): Promise<OsvRecord[]> {
    const found: OsvRecord[] = [];
    let token: string | null = null;
    for (let round = 0; round < MAX_PAGES; round++) {
      const body = { package: one, ...paged(token) };
      const answer: unknown = await this.#ask("v1/query", { body, ofOne: true });
      const parsed = v.safeParse(querySchema, answer);
      if (!parsed.success) throw new AdvisoryUnreadable("OSV's answer to a query is none");
      const { vulns = [], next_page_token: next } = parsed.output;
      found.push(...vulns.map(readRecord));
      if (!next) return found;
      token = next;
    }
    throw endless();
  }

  /** One record. */
  async record(id: string): Promise<OsvRecord> {
    const path = `v1/vulns/${encodeURIComponent(id)}`;
    const record = readRecord(await this.#ask(path, { ofOne: true }));
    if (record.id !== id) throw new AdvisoryUnreadable(`OSV answers ${record.id} for ${id}`);
    return record;
  }

  async #ask(path: string, question: Question): Promise<unknown> {
    const text = await this.#fetch(path, question);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new AdvisoryUnreadable("OSV's answer is no JSON", { cause });
    }
  }

  async #fetch(path: string, { body, ofOne }: Question): Promise<string> {
    try {
      const response = await fetch(new URL(path, this.#base), {
        method: body === undefined ? "GET" : "POST",
        headers: {
          accept: "application/json",
          "user-agent": "package-proxy",
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        redirect: "manual",
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      // A page that signs people in to a network is not the database speaking.
      const isJson = /\bjson\b/i.test(response.headers.get("content-type") ?? "");
      if (response.status !== 200 || !isJson) {
        await response.body?.cancel();
        const { status } = response;
        const says = `OSV answers ${status}${isJson ? "" : ", no JSON"}`;
        const refuses = isJson && status >= 400 && status < 500 && !NOT_NOW.has(status);
        if (ofOne && refuses) throw new AdvisoryUnreadable(`${says} to ${path}`);
        throw new AdvisoriesUnavailable(says, ofOne);
      }
      return await readText(response);
    } catch (cause) {
      if (cause instanceof AdvisoriesUnavailable || cause instanceof AdvisoryUnreadable) {
        throw cause;
      }
      const { host } = new URL(this.#base);
      throw new AdvisoriesUnavailable(`Cannot reach OSV at ${host}`, ofOne, { cause });
    }
  }
}

function endless(): AdvisoryUnreadable {
  return new AdvisoryUnreadable("OSV's answer has no last page");
}

function paged(token: string | null): { page_token?: string } {
  return token === null ? {} : { page_token: token };
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new AdvisoryUnreadable("OSV's answer is larger than we read");
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
