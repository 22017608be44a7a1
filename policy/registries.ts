/** The private registries of a policy: which may be stored. */
import { outgoingFault } from "./addresses.ts";
import type { Fault } from "./store/errors.ts";
import { pointerOf } from "./tree.ts";

interface Registry {
  readonly url: string;
  readonly files?: readonly string[];
}

/**
 * What is wrong with the addresses of registries that are about to be stored;
 * checked there and not where documents are read, so that none becomes
 * unreadable when the operator allows less than before. When one is used, its
 * address is looked at again, and what its name resolves to.
 * @param allow hosts that may be private, and http: see `isAllowedHost`
 * @param known addresses that are stored already, which stay as they are
 */
export function registryFaults(
  registries: readonly Registry[],
  { allow, known }: { allow: readonly string[]; known: readonly Registry[] },
): Fault[] {
  const stored = new Set(known.flatMap(({ url, files = [] }) => [url, ...files]));
  return registries.flatMap(({ url, files = [] }, i) => {
    const addresses = [
      { address: url, at: ["url"] },
      ...files.map((address, j) => ({ address, at: ["files", String(j)] })),
    ];
    return addresses.flatMap(({ address, at }) => {
      const detail = stored.has(address) ? null : outgoingFault(address, allow);
      return detail === null
        ? []
        : [{ pointer: pointerOf(["registries", String(i), ...at]), detail }];
    });
  });
}
