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
}

const token = v.nullish(v.pipe(v.string(), v.maxLength(10_000)));

const batchSchema = v.looseObject({
  results: v.array(v.looseObject({
    vulns: v.optional(v.array(v.looseObject({ id: idSchema, modified: instantSchema }))),
    next_page_token: token,
  })),
});

const querySchema = v.looseObject({
  vulns: v.optional(v.array(v.unknown())),
  next_page_token: token,
});

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
  async batch(packages: readonly OsvQuery[]): Promise<RecordVersion[][]> {
    const found = packages.map((): RecordVersion[] => []);
    let pages: Page[] = packages.map((_, at) => ({ at, token: null }));
    for (let round = 0; pages.length > 0; round++) {
      if (round >= MAX_PAGES) throw new AdvisoryUnreadable("OSV's answer has no last page");
      pages = await this.#batchPage(packages, pages, found);
    }
    return found;
  }

  async #batchPage(
    packages: readonly OsvQuery[],
    pages: readonly Page[],
    found: RecordVersion[][],
  ): Promise<Page[]> {
    const queries = pages.map(({ at, token }) => ({ package: packages[at], ...paged(token) }));
    const answer = await this.#ask("v1/querybatch", { queries });
    const parsed = v.safeParse(batchSchema, answer);
    if (!parsed.success || parsed.output.results.length !== pages.length) {
      throw new AdvisoryUnreadable("OSV's answer to a batch is not what was asked for");
    }
    return parsed.output.results.flatMap(({ vulns = [], next_page_token: next }, i) => {
      const { at } = pages[i];
      found[at].push(...vulns.map(({ id, modified }) => ({ id, modified })));
      return next ? [{ at, token: next }] : [];
    });
  }

  /** All records of one package, in full. */
  async query(one: OsvQuery): Promise<OsvRecord[]> {
    const found: OsvRecord[] = [];
    let token: string | null = null;
    for (let round = 0; round < MAX_PAGES; round++) {
      const answer: unknown = await this.#ask("v1/query", { package: one, ...paged(token) });
      const parsed = v.safeParse(querySchema, answer);
      if (!parsed.success) throw new AdvisoryUnreadable("OSV's answer to a query is none");
      const { vulns = [], next_page_token: next } = parsed.output;
      found.push(...vulns.map(readRecord));
      if (!next) return found;
      token = next;
    }
    throw new AdvisoryUnreadable("OSV's answer has no last page");
  }

  /** One record. */
  async record(id: string): Promise<OsvRecord> {
    const record = readRecord(await this.#ask(`v1/vulns/${encodeURIComponent(id)}`));
    if (record.id !== id) throw new AdvisoryUnreadable(`OSV answers ${record.id} for ${id}`);
    return record;
  }

  async #ask(path: string, body?: unknown): Promise<unknown> {
    const text = await this.#fetch(path, body);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new AdvisoryUnreadable("OSV's answer is no JSON", { cause });
    }
  }

  async #fetch(path: string, body: unknown): Promise<string> {
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
        throw new AdvisoriesUnavailable(
          `OSV answers ${response.status}${isJson ? "" : ", no JSON"}`,
        );
      }
      return await readText(response);
    } catch (cause) {
      if (cause instanceof AdvisoriesUnavailable || cause instanceof AdvisoryUnreadable) {
        throw cause;
      }
      throw new AdvisoriesUnavailable(`Cannot reach OSV at ${new URL(this.#base).host}`, { cause });
    }
  }
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
