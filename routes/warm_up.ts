import type { Ecosystem } from "../ecosystems/ecosystem.ts";
import type { Policy } from "../policy/types.ts";
import type { Deps } from "./deps.ts";

/** Enough for the optimising compiler to have seen the loops; about a tenth of a second in all. */
const ROUNDS = 60;

/**
 * Reads, judges and renders a document of no package until the code that does
 * it is compiled: the first client would wait for that several times as long as
 * for its package. Leaves room for requests between the rounds.
 */
export async function warmUp(
  deps: Pick<Deps, "ecosystems" | "policies" | "publicSources" | "now">,
) {
  const policy = await deps.policies.get("default");
  for (const ecosystem of deps.ecosystems) {
    for (let round = 0; round < ROUNDS; round++) {
      if (!await rehearse(deps, ecosystem, policy)) break;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

/** False: the ecosystem has nothing to rehearse with. */
async function rehearse(
  { publicSources, now }: Pick<Deps, "publicSources" | "now">,
  ecosystem: Ecosystem,
  policy: Policy,
): Promise<boolean> {
  const source = publicSources.get(ecosystem.id);
  const sample = source && ecosystem.sample?.(source.url);
  if (source === undefined || sample === undefined) return false;
  const { name, bytes } = sample;
  const context = { source, document: () => Promise.resolve(null) };
  const document = { bytes, type: "application/json", url: source.url };
  const index = await ecosystem.parse(document, name, context);
  const judgement = policy.judge(index.releases, now());
  const mount = `http://localhost/${ecosystem.mounts[0]}/`;
  const view = { mount, policy, judgement, direct: false, why: (purl: string) => purl };
  for (const accept of ["application/json", "application/vnd.npm.install-v1+json"]) {
    const headers = new Headers({ accept });
    const target = ecosystem.match({ method: "GET", mount: "", path: name, search: "", headers });
    if (target?.kind === "index") index.render(target.form, view);
  }
  return true;
}
