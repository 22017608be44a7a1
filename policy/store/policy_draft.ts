/** A policy about to be stored: what is checked then, besides what is checked whenever one is read. */
import { exceptionFaults } from "../exceptions.ts";
import { entryFaults, type PackageLists } from "../entry_faults.ts";
import { identityFaults } from "../identities.ts";
import { registryFaults } from "../registries.ts";
import { MAX_DOCUMENT_BYTES, parsePolicy, type PolicyDocument, refuse } from "../schema.ts";
import type { VersionSchemes } from "../types.ts";
import { webhookFaults } from "../webhooks.ts";
import { PolicyInvalid } from "./errors.ts";

/** Hosts besides public https addresses: see `isAllowedHost`; none by default. */
export interface OutgoingAllowed {
  readonly webhookAllow?: readonly string[];
  /** For issuers of identity tokens. */
  readonly issuerAllow?: readonly string[];
  /** For `registries`. */
  readonly registryAllow?: readonly string[];
}

export interface Draft {
  readonly document: PolicyDocument;
  readonly json: string;
  /** What the org lives under so far, where it has been read already. */
  readonly current?: PolicyDocument;
  /** As in `PolicyHead`. */
  readonly copyOf?: string;
}

/** What is stored already, and needs no second look. */
export type KnownParts =
  & Pick<PolicyDocument, "webhooks" | "identities" | "registries">
  & PackageLists;
export const NOTHING_KNOWN: KnownParts = {
  webhooks: [],
  identities: [],
  registries: [],
  rules: { block: { entries: [] }, allow_only: { entries: [] }, min_age: { packages: {} } },
  exceptions: [],
};

/** Throws PolicyInvalid. */
export function draftOf(
  input: unknown,
  known: KnownParts,
  { schemes, allowed }: { schemes: VersionSchemes; allowed: OutgoingAllowed },
): Draft {
  const document = parsePolicy(input, schemes);
  const { webhookAllow = [], issuerAllow = [], registryAllow = [] } = allowed;
  const { webhooks, identities, registries } = document;
  const faults = [
    ...exceptionFaults(input),
    ...webhookFaults(webhooks, { allow: webhookAllow, known: known.webhooks, input }),
    ...identityFaults(identities, { allow: issuerAllow, known: known.identities }),
    ...registryFaults(registries, { allow: registryAllow, known: known.registries }),
    ...entryFaults(document, { schemes, known }),
  ];
  if (faults.length > 0) refuse(faults);
  const json = JSON.stringify(document);
  const bytes = new TextEncoder().encode(json).length;
  if (bytes <= MAX_DOCUMENT_BYTES) return { document, json };
  const detail = `larger than ${MAX_DOCUMENT_BYTES} bytes: it has ${bytes}`;
  throw new PolicyInvalid([{ pointer: "", detail }]);
}
