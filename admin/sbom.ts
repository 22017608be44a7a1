/** `/sbom`: what an org or a user installed, as a bill of materials (CycloneDX 1.6). */
import * as v from "valibot";
import type { ComponentRow, Page, RecordQuery } from "../policy/store/types.ts";
import { type Context, type Endpoint, withQuery } from "./endpoint.ts";
import { readPeriod, sinceParameter, textParameter, untilParameter } from "./parameters.ts";
import { Problem } from "./problem.ts";
import { bom } from "./schemas.ts";

const TYPE = "application/vnd.cyclonedx+json";
/** Components that are in memory at a time. */
const PAGE = 500;

export const SBOM_ENDPOINTS: readonly Endpoint[] = [{
  method: "GET",
  path: "/admin/v1/orgs/{org}/sbom",
  id: "readSbom",
  summary: "What the org or one user installed, as a bill of materials (CycloneDX 1.6)",
  access: "viewer",
  answers: {
    200: { description: "Every package and version, once", schema: bom, types: [TYPE] },
  },
  ...withQuery(
    v.object({
      user: textParameter("Who installed"),
      ecosystem: textParameter("Id of an ecosystem"),
      since: sinceParameter,
      until: untilParameter,
    }),
    async (context, { user, ecosystem, ...period }) => {
      const { deps, org } = context;
      if (ecosystem !== undefined && !deps.schemes.has(ecosystem)) {
        const known = [...deps.schemes.keys()].join(", ");
        throw new Problem("query_invalid", `"ecosystem": there are ${known}.`);
      }
      const query = { org, user, ecosystem, ...readPeriod(period, deps.now()) };
      // Asked before the answer begins, so that a failure of the store has a status.
      const first = await deps.records.components(query, { limit: PAGE });
      return new Response(streamOf(bomText(context, query, first)), {
        headers: {
          "Content-Type": `${TYPE}; version=1.6`,
          "Cache-Control": "no-store",
          "X-Content-Type-Options": "nosniff",
        },
      });
    },
  ),
}];

/** The document, a page of components at a time. */
async function* bomText(
  { deps }: Context,
  query: RecordQuery,
  first: Page<ComponentRow>,
): AsyncGenerator<string> {
  const head = JSON.stringify({
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${crypto.randomUUID()}`,
    version: 1,
    metadata: {
      timestamp: new Date(deps.now()).toISOString(),
      tools: { components: [{ type: "application", name: "Package Proxy" }] },
      component: subjectOf(query),
    },
  });
  yield `${head.slice(0, -1)},"components":[`;
  let separator = "\n";
  let page = first;
  while (true) {
    let text = "";
    for (const row of page.items) {
      text += separator + JSON.stringify(componentOf(row));
      separator = ",\n";
    }
    yield text;
    if (page.cursor === null) break;
    page = await deps.records.components(query, { limit: PAGE, cursor: page.cursor });
  }
  yield "\n]}\n";
}

/** What the bill is of: everything an org, or one of its users, has fetched. */
function subjectOf({ org, user, ecosystem, since, until }: RecordQuery) {
  const instant = (time?: number) => time === undefined ? undefined : new Date(time).toISOString();
  const given = { org, user, ecosystem, since: instant(since), until: instant(until) };
  return {
    type: "application",
    "bom-ref": "subject",
    name: user === undefined ? org : `${org}/${user}`,
    properties: propertiesOf(given),
  };
}

function componentOf(row: ComponentRow) {
  const { file } = row;
  return {
    type: "library",
    "bom-ref": row.purl,
    ...nameOf(row),
    version: row.version,
    ...(file?.sha256 === undefined ? {} : { hashes: [{ alg: "SHA-256", content: file.sha256 }] }),
    purl: row.purl,
    properties: propertiesOf({
      first_install: row.first,
      last_install: row.last,
      installs: String(row.count),
      file: file?.name,
      users: row.users.length === 0 ? undefined : row.users.join(" "),
    }),
  };
}

/** npm's scope is the group of a component, as CycloneDX's own tools write it. */
function nameOf({ ecosystem, package: name }: ComponentRow): { group?: string; name: string } {
  const slash = ecosystem === "npm" && name.startsWith("@") ? name.indexOf("/") : -1;
  return slash < 0 ? { name } : { group: name.slice(0, slash), name: name.slice(slash + 1) };
}

function propertiesOf(values: Readonly<Record<string, string | undefined>>) {
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name: `package-proxy:${name}`, value }]
  );
}

function streamOf(pieces: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}
