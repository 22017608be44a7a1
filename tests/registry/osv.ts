/** A small OSV on loopback: `/v1/query`, `/v1/querybatch`, `/v1/vulns/<id>`, with pages and lies. */
import { type Answer, serveRegistry, type TestServer } from "./server.ts";

const FIXTURES = new URL("../../../shared/fixtures/osv/", import.meta.url);

/** Whether the recorded answers are at hand. */
export const HAS_FIXTURES = await Deno.stat(FIXTURES).then(() => true, () => false);

export interface OsvRecord {
  readonly id: string;
  readonly modified: string;
  readonly affected?: readonly unknown[];
  readonly [member: string]: unknown;
}

export interface OsvServer extends TestServer {
  add(...records: OsvRecord[]): void;
  remove(id: string): void;
  /** Names asked for together. */
  readonly batches: readonly (readonly string[])[];
  /** Records for the first page of an answer; default all. */
  pageSize: number;
}

/** A record as recorded, such as `mal/npm-axios-MAL-2026-2307.json`. */
export function recorded(path: string): OsvRecord {
  return JSON.parse(Deno.readTextFileSync(new URL(path, FIXTURES)));
}

/** A made-up record of one package. */
export function advisory(
  id: string,
  { ecosystem = "npm", name, versions, events, ...more }: {
    ecosystem?: string;
    name: string;
    versions?: readonly string[];
    events?: readonly Record<string, string>[];
    [member: string]: unknown;
  },
): OsvRecord {
  const ranges = events === undefined ? undefined : [{ type: "SEMVER", events }];
  const affected = [{ package: { ecosystem, name }, versions, ranges }];
  return { id, modified: "2026-01-01T00:00:00Z", affected, ...more };
}

export function startOsv(...given: OsvRecord[]): OsvServer {
  const records = new Map(given.map((record) => [record.id, record]));
  const batches: string[][] = [];

  const find = (asked: unknown): OsvRecord[] => {
    const { ecosystem, name } = member(member(asked, "package"));
    return [...records.values()].filter(({ affected = [] }) =>
      affected.some((one) => {
        const its = member(member(one, "package"));
        return its.ecosystem === ecosystem && its.name === name;
      })
    );
  };

  const paged = (asked: unknown) => {
    const from = Number(member(asked).page_token ?? 0);
    const all = find(asked);
    const until = from + Math.max(server.pageSize, 1);
    return {
      page: all.slice(from, until),
      more: until < all.length ? { next_page_token: String(until) } : {},
    };
  };

  const answer = async (request: Request, path: string): Promise<Answer | null> => {
    if (path.startsWith("/v1/vulns/")) {
      const record = records.get(decodeURIComponent(path.slice("/v1/vulns/".length)));
      return record === undefined
        ? { ...json({ code: 5, message: "Bug not found." }), status: 404 }
        : json(record);
    }
    if (request.method !== "POST") return null;
    const body: unknown = await request.json();
    if (path === "/v1/query") {
      const { page, more } = paged(body);
      return json(page.length === 0 ? {} : { vulns: page, ...more });
    }
    if (path !== "/v1/querybatch") return null;
    const queries = member(body).queries;
    if (!Array.isArray(queries)) return { ...json({ code: 3 }), status: 400 };
    batches.push(queries.map((query) => String(member(query, "package").name)));
    const results = queries.map((query) => {
      const { page, more } = paged(query);
      const vulns = page.map(({ id, modified }) => ({ id, modified }));
      return vulns.length === 0 ? {} : { vulns, ...more };
    });
    return json({ results });
  };

  const server: OsvServer = Object.assign(serveRegistry(answer, { etag: false }), {
    batches,
    pageSize: 1_000,
    add: (...more: OsvRecord[]) => more.forEach((record) => records.set(record.id, record)),
    remove: (id: string) => void records.delete(id),
  });
  return server;
}

function member(value: unknown, key?: string): Record<string, unknown> {
  const found = key === undefined ? value : member(value)[key];
  return typeof found === "object" && found !== null ? { ...found } : {};
}

function json(value: unknown): Answer {
  return { body: JSON.stringify(value), type: "application/json" };
}
