import type { Verdict } from "../../policy/types.ts";

/** What a developer reads as the reason of a yank; null: the file is let through. */
export function withheldReason(verdict: Verdict | undefined): string | null {
  // more files than verdicts: what was not judged is not let through
  if (verdict === undefined) return "metadata_invalid: the file was not judged";
  return verdict.action === "deny" ? `${verdict.code}: ${verdict.message}` : null;
}
