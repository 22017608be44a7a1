import { IssuerUnavailable } from "../../ecosystems/errors.ts";
import { SignInRefused } from "./provider.ts";

/** Calls `oauth4webapi`; whatever it holds against an answer refuses the sign-in. */
export async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof SignInRefused) throw cause;
    if (cause instanceof IssuerUnavailable) throw cause;
    // oauth4webapi wraps what its fetch throws.
    if (cause instanceof Error && cause.cause instanceof IssuerUnavailable) throw cause.cause;
    throw new SignInRefused(sentenceOf(cause), { cause });
  }
}

/** The provider's own words are not shown: a stranger may have written them into the address. */
function sentenceOf(cause: unknown): string {
  const denied = cause instanceof Error && "error" in cause && cause.error === "access_denied";
  return denied
    ? "You, or your provider, declined to sign you in."
    : "The provider's answer does not belong to this attempt, or it was used before.";
}
