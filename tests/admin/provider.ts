/** Starts the real OpenID Connect provider of tests/provider. */

export const CLIENT = { id: "package-proxy", secret: "a-secret-of-thirty-two-characters" };

export interface Account {
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly groups?: readonly string[] | string | null;
}

/** One process for all tests of a file: it knows nobody, so it remembers nobody. */
export async function startProvider(redirectUri: string): Promise<{ issuer: string }> {
  const folder = new URL("../provider/", import.meta.url);
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--frozen",
      "--config",
      new URL("config.json", folder).pathname,
      new URL("server.ts", folder).pathname,
      CLIENT.id,
      CLIENT.secret,
      redirectUri,
    ],
    stdin: "piped",
    stdout: "piped",
    // It warns of what is right in a test: memory for a store, a runtime that is not Node.
    stderr: "null",
  }).spawn();
  globalThis.addEventListener("unload", () => process.kill());
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of process.stdout) {
    text += decoder.decode(chunk, { stream: true });
    const issuer = /^(http:\S+)\n/m.exec(text)?.[1];
    if (issuer !== undefined) return { issuer };
  }
  throw new TypeError(`The provider did not start: ${text}`);
}

/** What the browser of somebody shows the provider. */
export function accountHeader(account: Account): Record<string, string> {
  const bytes = new TextEncoder().encode(JSON.stringify(account));
  return { "x-account": bytes.toBase64({ alphabet: "base64url", omitPadding: true }) };
}
