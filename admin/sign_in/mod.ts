/** Signing in: to the provider, back with a code, and a session at the end. */
import type { IssuerClient } from "../../ecosystems/issuers/client.ts";
import { isLoopback } from "../../policy/addresses.ts";
import { grantsOf } from "../../policy/grants.ts";
import {
  ATTEMPT_MS,
  type Session,
  SESSION_MS,
  type Sessions,
} from "../../policy/store/sessions.ts";
import { Problem } from "../problem.ts";
import { type Attempt, AttemptBox, cookieOf, type Pending } from "./attempt.ts";
import { ATTEMPT_COOKIE, dropCookie, readCookie, SESSION_COOKIE, setCookie } from "./cookies.ts";
import { GITHUB, githubProvider } from "./github.ts";
import { openIdProvider } from "./openid.ts";
import { type Provider, type ProviderSettings, SignInRefused } from "./provider.ts";
import { HOME, readReturn } from "./return_path.ts";

export { SignInRefused } from "./provider.ts";
export type { ProviderSettings } from "./provider.ts";

export const SIGN_IN = "/admin/sign-in";
export const CALLBACK = "/admin/callback";
export const SIGN_OUT = "/admin/sign-out";

export interface SignInOptions {
  readonly settings: ProviderSettings;
  readonly sessions: Sessions;
  readonly client: IssuerClient;
  /** `PUBLIC_URL`, without trailing slash. */
  readonly publicUrl?: string;
  /** Unix ms. */
  readonly now: () => number;
}

export class SignIn {
  readonly sessions: Sessions;
  readonly #options: SignInOptions;
  readonly #provider: Provider;
  readonly #box: AttemptBox;

  constructor(options: SignInOptions) {
    const { settings, client } = options;
    this.sessions = options.sessions;
    this.#options = options;
    this.#box = new AttemptBox(settings.clientSecret);
    this.#provider = settings.issuer === GITHUB
      ? githubProvider(settings, client)
      : openIdProvider(settings, options);
  }

  /** Where people sign in, as a name for them. */
  get provider(): string {
    return this.#provider.name;
  }

  /** Address of our own pages without their paths. */
  base({ url }: Request): string {
    return this.#options.publicUrl ?? new URL(url).origin;
  }

  /** The address that signs somebody in and brings them to where this request is. */
  linkTo(request: Request): string {
    const { pathname, search } = new URL(request.url);
    const query = new URLSearchParams({ return: readReturn(pathname + search) ?? HOME });
    return `${this.base(request)}${SIGN_IN}?${query}`;
  }

  /** Whose cookie comes with a request. Throws StoreUnavailable. */
  async sessionOf({ headers }: Request): Promise<Session | null> {
    const secret = readCookie(headers, SESSION_COOKIE);
    return secret === null ? null : await this.sessions.find(secret);
  }

  /** Sends the browser to the provider. Throws Problem, IssuerUnavailable. */
  async begin(request: Request): Promise<Response> {
    const asked = new URL(request.url).searchParams.get("return");
    const returnTo = asked === null ? HOME : readReturn(asked);
    if (returnTo === null) {
      throw new Problem("query_invalid", '"return" is no path below /admin/ of this proxy.');
    }
    const base = this.base(request);
    const { protocol, hostname } = new URL(base);
    if (protocol !== "https:" && !isLoopback(hostname)) {
      throw new Problem(
        "bad_request",
        "Signing in takes https: PUBLIC_URL must be the outside address where TLS ends elsewhere.",
      );
    }
    const attempt: Attempt = {
      state: randomText(),
      nonce: randomText(),
      verifier: randomText(),
      redirectUri: `${base}${CALLBACK}`,
      returnTo,
      at: this.#options.now(),
    };
    const location = await this.#provider.authorize(attempt);
    const sealed = await this.#box.seal(attempt);
    const earlier = (await this.#pending(request)).map((one) => one.sealed);
    const cookie = cookieOf([sealed, ...earlier]);
    return redirect(location.href, [setCookie(ATTEMPT_COOKIE, cookie, ATTEMPT_MS)]);
  }

  /**
   * Takes the browser back from the provider. Throws SignInRefused,
   * IssuerUnavailable, StoreUnavailable.
   */
  async finish(request: Request): Promise<Response> {
    const { settings } = this.#options;
    const { searchParams } = new URL(request.url);
    const pending = await this.#pending(request);
    const own = pending.find((one) => one.attempt.state === searchParams.get("state"));
    if (own === undefined) {
      throw new SignInRefused("This attempt to sign in began elsewhere, or too long ago.");
    }
    const { attempt } = own;
    const person = await this.#provider.identify(searchParams, attempt);
    const grants = grantsOf(settings.allowed, person);
    if (grants.length === 0) {
      throw new SignInRefused(`${person.email} has no access here.`);
    }
    const opened = await this.sessions.open({ user: person.email, grants, attempt: attempt.state });
    if (opened === null) throw new SignInRefused("This attempt to sign in was used before.");
    const earlier = await this.sessionOf(request);
    if (earlier !== null) {
      await this.sessions.remove(earlier.user, earlier.id, { by: earlier.user });
    }
    const base = attempt.redirectUri.slice(0, -CALLBACK.length);
    const others = cookieOf(pending.filter((one) => one !== own).map((one) => one.sealed));
    return redirect(`${base}${attempt.returnTo}`, [
      setCookie(SESSION_COOKIE, opened.secret, SESSION_MS),
      others === "" ? dropCookie(ATTEMPT_COOKIE) : setCookie(ATTEMPT_COOKIE, others, ATTEMPT_MS),
    ]);
  }

  /** The browser's attempts that may still come back: it may have begun in several tabs. */
  async #pending({ headers }: Request): Promise<Pending[]> {
    const cookie = readCookie(headers, ATTEMPT_COOKIE);
    return cookie === null ? [] : await this.#box.pending(cookie, this.#options.now());
  }

  /** Ends the request's session, whose CSRF proof has been checked. Throws StoreUnavailable. */
  async end(request: Request, session: Session | null): Promise<Response> {
    if (session !== null) {
      await this.sessions.remove(session.user, session.id, { by: session.user });
    }
    return redirect(`${this.base(request)}${HOME}`, [dropCookie(SESSION_COOKIE)]);
  }
}

/** 256 random bits; also what a verifier of PKCE may be. */
function randomText(): string {
  return crypto.getRandomValues(new Uint8Array(32))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

export function redirect(location: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({
    location,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
  });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}
