/** The private registries of a policy: which may be stored. */
import { outgoingFault } from "./addresses.ts";
import type { Fault } from "./store/errors.ts";
import { pointerOf } from "./tree.ts";

/**
 * What is wrong with the addresses of registries that are about to be stored;
 * checked there and not where documents are read, so that none becomes
 * unreadable when the operator allows less than before. When one is used, its
 * address is looked at again, and what its name resolves to.
 * @param allow hosts that may be private, and http: see `isAllowedHost`
 * @param known addresses that are stored already, which stay as they are
 */
export function registryFaults(
  registries: readonly { readonly url: string }[],
  { allow, known }: { allow: readonly string[]; known: readonly { readonly url: string }[] },
): Fault[] {
  const urls = new Set(known.map(({ url }) => url));
  return registries.flatMap(({ url }, i) => {
    const detail = urls.has(url) ? null : outgoingFault(url, allow);
    return detail === null
      ? []
      : [{ pointer: pointerOf(["registries", String(i), "url"]), detail }];
  });
}
