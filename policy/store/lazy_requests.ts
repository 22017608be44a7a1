import type { Requests } from "./request.ts";

/** Requests whose store is loaded at the first call, to keep cold starts short. */
export function lazyRequests(load: () => Promise<Requests>): Requests {
  return {
    ask: async (...given) => await (await load()).ask(...given),
    get: async (...given) => await (await load()).get(...given),
    last: async (...given) => await (await load()).last(...given),
    list: async (...given) => await (await load()).list(...given),
    decide: async (...given) => await (await load()).decide(...given),
    checkLink: async (...given) => await (await load()).checkLink(...given),
  };
}
