/** What the small npm registry answers below `/-/`: audits, search, keys, attestations. */
import { gunzipSync } from "node:zlib";
import semver from "semver";
import type { BuiltPackage } from "./npm_package.ts";
import type { Answer } from "./server.ts";

export interface Advisory {
  vulnerable_versions: string;
  id?: number;
  title?: string;
  severity?: string;
  url?: string;
}

export interface Stored {
  name: string;
  tags: Record<string, string>;
  time: Record<string, string>;
  packages: Map<string, BuiltPackage>;
}

export type Advisories = Map<string, Required<Advisory>[]>;

/** Publish time of whatever does not say. */
export const LONG_AGO = "2020-01-01T00:00:00.000Z";

export function json(document: unknown, type = "application/json"): Answer {
  return { body: JSON.stringify(document), type };
}

/** Everything below `/-/`. */
export async function service(
  request: Request,
  { path, stored, advisories, keys }: {
    path: string;
    stored: ReadonlyMap<string, Stored>;
    advisories: Advisories;
    keys: unknown;
  },
): Promise<Answer | null> {
  if (path === "-/ping") return json({});
  if (path === "-/npm/v1/keys") return json({ keys });
  if (path === "-/v1/search") {
    return json(search(new URL(request.url).searchParams.get("text") ?? "", stored));
  }
  if (request.method === "POST") {
    const body = await readBody(request);
    if (path === "-/npm/v1/security/advisories/bulk") return json(bulk(body, advisories));
    if (path === "-/npm/v1/security/audits/quick") return json(quick(body, advisories));
    return null;
  }
  const tags = /^-\/package\/(.+)\/dist-tags$/.exec(path);
  if (tags) {
    const entry = stored.get(tags[1]);
    return entry ? json(entry.tags) : null;
  }
  const [, name, version] = /^-\/npm\/v1\/attestations\/(.+)@([^@]+)$/.exec(path) ?? [];
  const dist = stored.get(name ?? "")?.packages.get(version ?? "")?.manifest.dist;
  if (typeof dist !== "object" || dist === null || !("attestations" in dist)) return null;
  return json({
    attestations: [{ predicateType: "https://slsa.dev/provenance/v1", bundle: {} }],
  });
}

function search(text: string, stored: ReadonlyMap<string, Stored>): unknown {
  const objects = [...stored.values()]
    .filter((entry) => entry.packages.size > 0 && entry.name.includes(text))
    .map(({ name, tags }) => ({
      package: {
        name,
        version: tags.latest,
        description: `${name} of the test registry`,
        keywords: [],
        maintainers: [{ username: "maintainer", email: "maintainer@packages.example" }],
        publisher: { username: "maintainer", email: "maintainer@packages.example" },
        date: LONG_AGO,
        links: {},
      },
      score: { final: 1, detail: { quality: 1, popularity: 1, maintenance: 1 } },
      searchScore: 1,
    }));
  return { objects, total: objects.length, time: LONG_AGO };
}

async function readBody(request: Request): Promise<unknown> {
  const bytes = new Uint8Array(await request.arrayBuffer());
  const plain = request.headers.get("content-encoding") === "gzip" ? gunzipSync(bytes) : bytes;
  return JSON.parse(new TextDecoder().decode(plain));
}

function affecting(advisories: Advisories, name: string, versions: readonly string[]) {
  return (advisories.get(name) ?? []).filter((advisory) =>
    versions.some((version) => semver.satisfies(version, advisory.vulnerable_versions))
  );
}

function bulk(body: unknown, advisories: Advisories): unknown {
  const answer: Record<string, unknown> = {};
  for (const [name, versions] of Object.entries(body ?? {})) {
    const found = Array.isArray(versions) ? affecting(advisories, name, versions.map(String)) : [];
    if (found.length > 0) answer[name] = found;
  }
  return answer;
}

/** The older audit: a lock file's tree in, a report keyed by advisory out. */
function quick(body: unknown, advisories: Advisories): unknown {
  const found: Record<string, unknown> = {};
  const vulnerabilities: Record<string, number> = { low: 0, moderate: 0, high: 0, critical: 0 };
  const walk = (node: unknown) => {
    if (typeof node !== "object" || node === null || !("dependencies" in node)) return;
    for (const [name, child] of Object.entries(node.dependencies ?? {})) {
      const version = String(child?.version);
      for (const advisory of affecting(advisories, name, [version])) {
        found[advisory.id] = {
          ...advisory,
          module_name: name,
          findings: [{ version, paths: [name] }],
        };
        vulnerabilities[advisory.severity] = (vulnerabilities[advisory.severity] ?? 0) + 1;
      }
      walk(child);
    }
  };
  walk(body);
  return {
    actions: [],
    advisories: found,
    muted: [],
    metadata: { vulnerabilities, dependencies: 1, totalDependencies: 1 },
  };
}
