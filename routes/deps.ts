/** What the routes are made of; main.ts and the tests put it together. */
import type { Ecosystem, Source } from "../ecosystems/ecosystem.ts";
import type { AdvisorySource, FactsSource } from "../ecosystems/facts.ts";
import type { Indexes } from "../ecosystems/indexes.ts";
import type { Upstream } from "../ecosystems/upstream.ts";
import type { VerifiedFiles } from "../ecosystems/verified_files.ts";
import type { BodyMemory } from "../policy/bounded_body.ts";
import type { Requests } from "../policy/store/request.ts";
import type { Lifts, Policies, Records, RefusalNews, Tokens } from "../policy/store/types.ts";
import type { Answers } from "./answers.ts";
import type { ProxyTrust } from "./forwarded.ts";
import type { Judgements } from "./judgements.ts";
import type { Throttle } from "./throttle.ts";
import type { RegistryToken } from "./registry_tokens.ts";
import type { Workloads } from "./workloads.ts";

export interface UpstreamSetting {
  /** Base address; ends in `/`. */
  readonly url: string;
  readonly fileOrigins: readonly string[];
}

export interface RouteSettings {
  /** Without trailing slash. */
  readonly publicUrl?: string;
  readonly baseDomain?: string;
  /** `closed`: an org with neither a policy nor a token gets 404. */
  readonly orgs: "open" | "closed";
  /** By ecosystem id. */
  readonly upstreams: ReadonlyMap<string, UpstreamSetting>;
  /** Hosts of issuers (`identities` of a policy) that may be private, and http. */
  readonly issuerAllow: readonly string[];
  /** Hosts of private registries (`registries` of a policy) that may be private, and http. */
  readonly registryAllow: readonly string[];
  /** null: what headers say of another proxy before this one is nobody's word. */
  readonly trustProxy: ProxyTrust | null;
  readonly registryToken: RegistryToken;
}

/** One structured line; values must hold no secrets. */
export type Log = (line: Readonly<Record<string, unknown>>) => void;

export interface Deps {
  readonly ecosystems: readonly Ecosystem[];
  readonly settings: RouteSettings;
  /** The public upstream of each ecosystem, by its id. */
  readonly publicSources: ReadonlyMap<string, Source>;
  readonly upstream: Upstream;
  readonly indexes: Indexes;
  readonly answers: Answers;
  readonly files: VerifiedFiles;
  /** What may not go out before a file is known to be right. */
  readonly heldFiles: BodyMemory;
  readonly judgements: Judgements;
  /** null: turned off. */
  readonly advisories: AdvisorySource | null;
  /** What rules need besides an index. */
  readonly facts: FactsSource;
  readonly throttle: Throttle;
  /** What clients send that is larger than a form. */
  readonly bodies: BodyMemory;
  readonly policies: Policies;
  readonly tokens: Tokens;
  /** Who comes with an identity token of another issuer. */
  readonly workloads: Workloads;
  readonly records: Records;
  readonly lifts: Lifts;
  /** For exceptions. */
  readonly requests: Requests;
  readonly refusalNews: RefusalNews;
  /** Unix ms. */
  readonly now: () => number;
  readonly log: Log;
  /** The admin API, loaded when first asked for. */
  readonly admin: (request: Request) => Response | Promise<Response>;
  /** Whether the store answers; for `/health`. */
  readonly probe: () => Promise<void>;
}
