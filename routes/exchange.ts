/** One registry request, and the answers that every part of the pipeline gives. */
import type { Ecosystem, Index, Refusal, RegistryRequest } from "../ecosystems/ecosystem.ts";
import type { BodyShare } from "../policy/bounded_body.ts";
import { purl } from "../policy/purl.ts";
import type { Judgement, Policy } from "../policy/types.ts";
import { NOT_FOUND, respond } from "./errors.ts";
import type { Identified } from "./identity.ts";
import type { Repeat } from "./repeats.ts";
import type { NameRefused } from "./sources.ts";

/** Who is on the other end, for records and lifts. */
export interface Client {
  readonly org: string;
  readonly user: string;
  /** `""` where the transport has none. */
  readonly ip: string;
}

/** One registry request and all that is known of it. */
export interface Exchange {
  readonly ecosystem: Ecosystem;
  readonly request: RegistryRequest;
  /** Method as sent; `request.method` is GET for HEAD. */
  readonly method: string;
  readonly identity: Identified;
  readonly policy: Policy;
  /** Worked out when asked for. */
  readonly client: Client;
  /** Absolute address of the mount; ends in `/`. */
  readonly mount: string;
  /** @param share what it counts among */
  readonly body: (share: BodyShare) => Promise<Uint8Array<ArrayBuffer>>;
  /** Resolves when nothing more of its answer will be sent. */
  readonly sent: () => Promise<void>;
  /** Told how it was answered from memory; absent: the request is one of a kind. */
  readonly remember?: (repeat: Repeat) => void;
}

/** Address of the page that explains a package under this very base. */
export function whyAddress({ identity }: Pick<Exchange, "identity">, purl: string): string {
  const { base, unnamedOrg } = identity;
  // Whoever opens it shows no token, and would be told what another org's policy says.
  const org = unnamedOrg === null ? "" : `/o-${unnamedOrg}`;
  return `${base.origin}${org}${base.prefix}/why/${purl}`;
}

/** A withheld release, as the client will be told. */
export function refusalOf(
  exchange: Exchange,
  { index, position, judgement, filename = null }: {
    index: Index;
    position: number;
    judgement: Judgement;
    filename?: string | null;
  },
): Refusal {
  const { ecosystem } = exchange;
  const { version } = index.releases[position];
  const verdict = judgement.verdicts[position];
  const name = purl(ecosystem.versions.purlType, index.name, version);
  return {
    ecosystem: ecosystem.id,
    name: index.name,
    version,
    filename,
    purl: name,
    code: verdict.code ?? "metadata_invalid",
    message: verdict.message,
    until: verdict.until,
    why: whyAddress(exchange, name),
  };
}

/** A package that is withheld by its name, as the client will be told. */
export function nameRefusal(
  exchange: Pick<Exchange, "ecosystem" | "identity">,
  { packageName, verdict }: NameRefused,
): Refusal {
  const { ecosystem } = exchange;
  const address = purl(ecosystem.versions.purlType, packageName);
  return {
    ecosystem: ecosystem.id,
    name: packageName,
    version: null,
    filename: null,
    purl: address,
    code: verdict.code ?? "metadata_invalid",
    message: verdict.message,
    until: verdict.until,
    why: whyAddress(exchange, address),
  };
}

/** 404 in the ecosystem's dialect. */
export function missing({ ecosystem }: Exchange, name: string | null): Response {
  const message = name === null ? NOT_FOUND.message : `${ecosystem.title} has no such package, ` +
    `version or file: ${name}`;
  return respond({ ...NOT_FOUND, message }, { json: ecosystem.errorsAsJson === true });
}

/** RFC 9211, and a warning for people who look at headers. */
export function staleHeaders(staleMs: number | null): Record<string, string> | undefined {
  if (staleMs === null) return undefined;
  return {
    "cache-status": `package-proxy; hit; ttl=-${Math.round(staleMs / 1000)}; detail=stale`,
    "warning": '110 - "stale: upstream fails, this is its last good answer"',
  };
}
