import type { Ecosystem } from "../ecosystems/ecosystem.ts";
import { type AdvisorySource, FactsSource } from "../ecosystems/facts.ts";
import type { Resolve } from "../ecosystems/guarded_lookup.ts";
import { Indexes } from "../ecosystems/indexes.ts";
import { RevalidatedCache } from "../ecosystems/revalidated.ts";
import { SharedBodies } from "../ecosystems/shared_body.ts";
import { Upstream, type UpstreamLimits } from "../ecosystems/upstream.ts";
import { VerifiedFiles } from "../ecosystems/verified_files.ts";
import { BodyMemory } from "../policy/bounded_body.ts";
import type { Requests } from "../policy/store/request.ts";
import type { Lifts, Policies, Records, RefusalNews, Tokens } from "../policy/store/types.ts";
import type { VersionSchemes } from "../policy/types.ts";
import { Answers } from "./answers.ts";
import { publicSources } from "./sources.ts";
import { tolerantLifts } from "./store_failure.ts";
import { Throttle } from "./throttle.ts";
import type { Deps, Log, RouteSettings } from "./deps.ts";
import type { Workloads } from "./workloads.ts";

/** What main.ts and the tests open themselves. */
export interface Parts {
  readonly ecosystems: readonly Ecosystem[];
  readonly schemes: VersionSchemes;
  readonly settings: RouteSettings & { readonly cacheBytes: number };
  readonly policies: Policies;
  readonly tokens: Tokens;
  readonly records: Records;
  readonly lifts: Lifts;
  readonly requests: Requests;
  readonly refusalNews: RefusalNews;
  /** null: turned off. */
  readonly advisories: AdvisorySource | null;
  readonly now: () => number;
  readonly log: Log;
  readonly probe: () => Promise<void>;
  /** The admin API. */
  readonly admin: Deps["admin"];
  readonly limits?: Partial<UpstreamLimits>;
  /** How names are resolved that a policy or an upstream gives; the machine's own way by default. */
  readonly resolve?: Resolve;
}

/** Two of the largest lockfiles and some more: an instance of Deno Deploy has 512 MB for everything. */
const BODY_BYTES = 128 * 1024 * 1024;
/** Two source archives of the largest kind that is held back as a whole, and the ends of wheels. */
const HELD_FILE_BYTES = 96 * 1024 * 1024;
const HELD_ENDS_BYTES = 32 * 1024 * 1024;

/** Puts the parts together: one upstream client, caches within one bound. */
export function wire(parts: Parts): Deps {
  const { now, settings } = parts;
  const upstream = new Upstream({
    limits: parts.limits,
    allow: settings.registryAllow,
    resolve: parts.resolve,
  });
  const share = (part: number) => ({ now, bytes: Math.floor(settings.cacheBytes * part) });
  const indexes = new Indexes(
    new RevalidatedCache(upstream, share(0.4)),
    new RevalidatedCache(upstream, share(0.05)),
  );
  const shared = new SharedBodies();
  const sources = publicSources(settings.upstreams);
  return {
    ...parts,
    lifts: tolerantLifts(parts.lifts, parts.policies),
    throttle: new Throttle(now),
    bodies: new BodyMemory(BODY_BYTES),
    publicSources: sources,
    workloads: workloadsOf(parts),
    upstream,
    indexes,
    answers: new Answers(share(0.35).bytes, shared),
    files: new VerifiedFiles(share(0.2).bytes, shared),
    heldFiles: new BodyMemory(HELD_FILE_BYTES, HELD_ENDS_BYTES),
    judgements: new WeakMap(),
    facts: new FactsSource({ ...parts, indexes, publicSources: sources }),
  };
}

/** Loaded when the first job shows its identity, to keep cold starts short. */
function workloadsOf({ policies, settings, now }: Parts): Workloads {
  const load = async () => {
    const { IssuerClient } = await import("../ecosystems/issuers/client.ts");
    const { IssuerKeys } = await import("../ecosystems/issuers/keys.ts");
    const { TokenVerifier } = await import("../ecosystems/issuers/verifier.ts");
    const { openWorkloads } = await import("./workloads.ts");
    const client = new IssuerClient({ allow: settings.issuerAllow });
    const verifier = new TokenVerifier({ keys: new IssuerKeys({ client, now }), now });
    return openWorkloads({ policies, verifier });
  };
  let loaded: Promise<Workloads> | undefined;
  return { find: async (token, org) => await (await (loaded ??= load())).find(token, org) };
}
