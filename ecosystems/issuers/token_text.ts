/** What an identity token (a JWT) looks like before anybody has verified it. */

/** Of a whole token; GitHub's and GitLab's are around 2,000 characters. */
const MAX_LENGTH = 8_192;
const FORM = /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/;

/** Whether a text may be an identity token; cheap. */
export function isIdentityToken(text: string): boolean {
  return text.startsWith("eyJ") && text.length <= MAX_LENGTH && FORM.test(text);
}

/** The issuer that a token names, which nobody has verified; null: none. */
export function statedIssuer(token: string): string | null {
  try {
    const bytes = Uint8Array.fromBase64(token.split(".")[1], { alphabet: "base64url" });
    const payload: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof payload !== "object" || payload === null || !("iss" in payload)) return null;
    return typeof payload.iss === "string" ? payload.iss : null;
  } catch {
    return null;
  }
}
