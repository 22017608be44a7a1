/** `/exceptions?state=ended`: what was taken out of the policy when its time was over. */
import * as v from "valibot";
import { type Context, json } from "./endpoint.ts";

export const stateParameter = v.optional(v.pipe(
  v.string(),
  v.picklist(["active", "ended"], "expected active or ended"),
  v.description(
    "`active`, the default: what the policy holds. `ended`: what the proxy has taken out of it " +
      "after its end, newest first",
  ),
));

export async function listEnded(
  { deps, org }: Context,
  { limit = 100, cursor }: { limit?: number; cursor?: string },
): Promise<Response> {
  return json(await deps.exceptions.ended(org, { limit, cursor }));
}
