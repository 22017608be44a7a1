/**
 * Names resolved for addresses that somebody else has written: the connection
 * goes to the very address that was checked, so that a name that resolves to
 * something else a moment later (DNS rebinding) gains nothing.
 */
import type { LookupFunction } from "node:net";
import { isAllowedHost, isIpAddress, isPublicAddress, outgoingFault } from "../policy/addresses.ts";

/** The proxy does not go there. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a name; rejects where there are none. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export interface GuardOptions {
  /** Hosts that may be private, and http: see `isAllowedHost`. */
  readonly allow: readonly string[];
  /** The machine's own resolver by default. */
  readonly resolve?: Resolve;
}

/**
 * The `lookup` to hand to `node:http` or `node:https` with this address.
 * Throws AddressRefused where the address itself says that it is not for us.
 */
export function guardedLookup(url: URL, options: GuardOptions): LookupFunction {
  const { allow, resolve = resolveAll } = options;
  const fault = outgoingFault(url.href, allow);
  if (fault !== null) throw new AddressRefused(`Cannot call ${url.host}: ${fault}`);
  const allowed = isAllowedHost(url, allow);
  // Nobody is asked about an IP address, which was looked at just now.
  if (isIpAddress(url.hostname)) return lookupOf(resolve);
  return lookupOf(async (hostname) => {
    const found = await resolve(hostname);
    if (found.length === 0) throw new AddressRefused(`Cannot call ${url.host}: it has no address`);
    const refused = found.some(({ address }) => !isPublicAddress(address));
    if (!refused || allowed) return found;
    // One public address among private ones is no reason to trust the rest.
    throw new AddressRefused(`Cannot call ${url.host}: it resolves to a private address`);
  });
}

async function resolveAll(hostname: string): Promise<readonly ResolvedAddress[]> {
  const { lookup } = await import("node:dns/promises");
  return await lookup(hostname, { all: true });
}

function lookupOf(resolve: Resolve): LookupFunction {
  return (hostname, { all, family = 0 }, callback) => {
    const find = async () => {
      const wanted = Number(String(family).replace("IPv", ""));
      const fitting = (await resolve(hostname)).filter((one) =>
        wanted === 0 || one.family === wanted
      );
      if (fitting.length > 0) return fitting;
      throw new AddressRefused(`Cannot call ${hostname}: it has no address of family ${wanted}`);
    };
    find().then((found) => {
      if (all) callback(null, found.map(({ address, family }) => ({ address, family })));
      else callback(null, found[0].address, found[0].family);
    }, (error) => callback(error, "", 0));
  };
}
