/** GitHub's own shape of OAuth 2, with its two hosts played in process. */
import assert from "node:assert/strict";
import { SignIn, SignInRefused } from "../../admin/sign_in/mod.ts";
import { IssuerUnavailable } from "../../ecosystems/errors.ts";
import { type IssuerAsk, IssuerClient } from "../../ecosystems/issuers/client.ts";
import { parseAllowed } from "../../policy/grants.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { openSessions } from "../../policy/store/sessions.ts";

const BASE = "https://proxy.example";
const ALLOWED = "@acme.example=acme:viewer, group:acme-corp=acme:editor";

interface Email {
  email: string;
  primary: boolean;
  verified: boolean;
}

const GOOD: Email = { email: "Alice@Acme.example", primary: true, verified: true };

/** Takes a code as often as it comes, which GitHub does not. */
class GitHub extends IssuerClient {
  emails: Email[] = [{ email: "a@other.example", primary: false, verified: true }, GOOD];
  orgs = [{ login: "Acme-Corp" }];
  status = 200;
  readonly asked: { address: string; authorization: string | null; body: string }[] = [];

  constructor() {
    super({ allow: [] });
  }

  override ask(address: string, { headers, body = "" }: IssuerAsk = {}): Promise<Response> {
    const authorization = new Headers(headers).get("authorization");
    this.asked.push({ address, authorization, body: String(body) });
    return Promise.resolve(Response.json(this.#answer(address, body), { status: this.status }));
  }

  #answer(address: string, body: string): unknown {
    switch (address) {
      case "https://github.com/login/oauth/access_token": {
        const code = new URLSearchParams(body).get("code");
        return code === "good"
          ? { access_token: "gho_x", token_type: "bearer", scope: "read:org,user:email" }
          : { error: "bad_verification_code", error_description: "<b>no</b>" };
      }
      case "https://api.github.com/user/emails":
        return this.emails;
      case "https://api.github.com/user/orgs?per_page=100":
        return this.orgs;
      default:
        throw new TypeError(`GitHub has no ${address}`);
    }
  }
}

async function inGitHub(
  work: (world: { github: GitHub; signIn: SignIn; begin: () => Promise<Begun> }) => Promise<void>,
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const now = () => Date.parse("2026-11-20T12:00:00Z");
  const github = new GitHub();
  const signIn = new SignIn({
    settings: {
      issuer: "https://github.com",
      clientId: "Iv1",
      clientSecret: "secret",
      allowed: parseAllowed(ALLOWED),
      allowedText: ALLOWED,
    },
    sessions: openSessions(kv, { now, journal: openJournal({ now }), rules: "" }),
    client: github,
    publicUrl: BASE,
    now,
  });
  const begin = async () => {
    const response = await signIn.begin(new Request(`${BASE}/admin/sign-in`));
    const to = new URL(response.headers.get("location") ?? "");
    const [cookie] = (response.headers.get("set-cookie") ?? "").split(";");
    const state = to.searchParams.get("state") ?? "";
    const back = (query: Record<string, string> = {}) => {
      const search = new URLSearchParams({ code: "good", state, ...query });
      return new Request(`${BASE}/admin/callback?${search}`, { headers: { cookie } });
    };
    return { to, back };
  };
  try {
    await work({ github, signIn, begin });
  } finally {
    kv.close();
  }
}

interface Begun {
  readonly to: URL;
  readonly back: (query?: Record<string, string>) => Request;
}

Deno.test("somebody of GitHub has the roles of their address and organizations", () =>
  inGitHub(async ({ github, signIn, begin }) => {
    const { to, back } = await begin();
    assert.equal(`${to.origin}${to.pathname}`, "https://github.com/login/oauth/authorize");
    assert.equal(to.searchParams.get("redirect_uri"), `${BASE}/admin/callback`);
    assert.equal(to.searchParams.get("code_challenge_method"), "S256");
    assert.equal(to.searchParams.get("scope"), "user:email read:org");

    const response = await signIn.finish(back({ iss: "https://github.com/login/oauth" }));
    assert.equal(response.status, 303);
    const cookie = response.headers.getSetCookie().map((line) => line.split(";")[0]).join("; ");
    const session = await signIn.sessionOf(new Request(BASE, { headers: { cookie } }));
    assert.equal(session?.user, "alice@acme.example");
    assert.deepEqual(session?.grants, [{ org: "acme", role: "editor" }]);

    const [token, ...lists] = github.asked;
    const sent = new URLSearchParams(token.body);
    assert.equal(sent.get("client_secret"), "secret");
    const verifier = new TextEncoder().encode(sent.get("code_verifier") ?? "");
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", verifier));
    assert.equal(
      digest.toBase64({ alphabet: "base64url", omitPadding: true }),
      to.searchParams.get("code_challenge"),
    );
    assert.deepEqual(
      lists.map(({ authorization }) => authorization),
      Array(2).fill("Bearer gho_x"),
    );
  }));

Deno.test("an attempt begins one session, even where a code is taken twice", () =>
  inGitHub(async ({ signIn, begin }) => {
    const { back } = await begin();
    assert.equal((await signIn.finish(back())).status, 303);
    await assert.rejects(signIn.finish(back()), /used before/);
    assert.equal((await signIn.sessions.list("alice@acme.example")).length, 1);
  }));

for (
  const [what, change] of [
    ["whose primary address is not verified", (github: GitHub) => {
      github.emails = [{ ...GOOD, verified: false }];
    }],
    ["whose verified address is not the primary one", (github: GitHub) => {
      github.emails = [{ ...GOOD, primary: false }];
    }],
    ["without an address", (github: GitHub) => {
      github.emails = [];
    }],
    ["whom no rule names", (github: GitHub) => {
      github.emails = [{ ...GOOD, email: "alice@other.example" }];
      github.orgs = [{ login: "acme" }];
    }],
  ] as const
) {
  Deno.test(`nobody of GitHub ${what} comes in`, () =>
    inGitHub(async ({ github, signIn, begin }) => {
      change(github);
      const { back } = await begin();
      await assert.rejects(signIn.finish(back()), SignInRefused);
      assert.deepEqual(await signIn.sessions.list("alice@acme.example"), []);
    }));
}

Deno.test("a wrong code or state is refused without GitHub's words, a failing GitHub is told apart", () =>
  inGitHub(async ({ github, signIn, begin }) => {
    const { back } = await begin();
    for (const [name, value] of [["code", "bad"], ["state", "x"]]) {
      await assert.rejects(signIn.finish(back({ [name]: value })), (error) => {
        assert(error instanceof SignInRefused && !error.message.includes("<b>"));
        return true;
      });
    }
    github.status = 500;
    await assert.rejects(signIn.finish(back()), SignInRefused);
    github.status = 200;
    github.ask = () => Promise.reject(new IssuerUnavailable("down"));
    await assert.rejects(signIn.finish(back()), IssuerUnavailable);
  }));
