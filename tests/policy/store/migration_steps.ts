/** Steps of migrations that leave behind how often each of their parts was done. */
import type { MigrationStep } from "../../../policy/store/migrations.ts";

/** @param work parts of each step, a commit each */
export function countingSteps(count: number, work: number): MigrationStep[] {
  return Array.from({ length: count }, (_, step) => ({
    what: `take step ${step}`,
    async run({ kv, commit }) {
      await commit((atomic) => void atomic.sum(["begun", step], 1n));
      for (let part = 0; part < work; part++) {
        while (true) {
          const entry = await kv.get<number>(["part", step, part]);
          // Not done twice: what was done before an interruption is seen.
          if (entry.value !== null) break;
          const change = (atomic: Deno.AtomicOperation) =>
            void atomic.check(entry).set(entry.key, 1).sum(["parts", step], 1n);
          if (await commit(change)) break;
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  }));
}
