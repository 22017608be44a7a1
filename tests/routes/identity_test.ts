import assert from "node:assert/strict";
import fc from "fast-check";
import type { StoredToken } from "../../policy/store/types.ts";
import { StoreUnavailable } from "../../policy/store/errors.ts";
import {
  demand,
  type Identified,
  identify,
  IdentityError,
  type IdentitySettings,
} from "../../routes/identity.ts";

const stored = (org: string, user: string, role: StoredToken["role"]): StoredToken => ({
  id: user,
  org,
  user,
  role,
  created: "2026-01-01T00:00:00.000Z",
  by: "root",
  expires: null,
});
const TOKENS = new Map([
  ["pp_acme", stored("acme", "ci", "client")],
  ["pp_root", stored("*", "root", "admin")],
]);
const tokens = {
  find: (secret: string) => Promise.resolve(TOKENS.get(secret) ?? null),
  peek: () => undefined,
};

interface Asked {
  authorization?: string;
  settings?: IdentitySettings;
}

async function ask(url: string, { authorization, settings }: Asked = {}): Promise<Identified> {
  const headers = new Headers(authorization === undefined ? {} : { authorization });
  return await identify({ url, headers }, tokens, settings);
}

function basic(user: string, password: string): string {
  return `Basic ${new TextEncoder().encode(`${user}:${password}`).toBase64()}`;
}

async function fails(status: number, code: string, asked: Promise<unknown>): Promise<void> {
  await assert.rejects(asked, (error) => {
    assert(error instanceof IdentityError, String(error));
    assert.equal(`${error.status} ${error.code}`, `${status} ${code}`);
    return true;
  });
}

Deno.test("without anything it is the org default, nobody, and known at once", () => {
  const found = identify({
    url: "http://127.0.0.1:8000/npm/@a%2Fb?x=1&y=/o-z",
    headers: new Headers(),
  }, tokens);
  assert.deepEqual(found, {
    org: "default",
    user: "",
    role: null,
    tokenId: null,
    unnamedOrg: null,
    base: { origin: "http://127.0.0.1:8000", prefix: "" },
    before: null,
    rest: "/npm/@a%2Fb",
    search: "?x=1&y=/o-z",
    ecosystem: null,
    registryCredential: null,
    basicCredential: null,
  });
});

for (
  const [path, expected] of Object.entries({
    "": ["default", "", "", "/", ""],
    "?q=/o-acme/": ["default", "", "", "/", "?q=/o-acme/"],
    "/o-acme": ["acme", "", "/o-acme", "/", ""],
    "/o-acme?q": ["acme", "", "/o-acme", "/", "?q"],
    "/o-acme/": ["acme", "", "/o-acme", "/", ""],
    "/o-acme/npm/x": ["acme", "", "/o-acme", "/npm/x", ""],
    "/o-acme/u-alice": ["acme", "alice", "/o-acme/u-alice", "/", ""],
    "/o-a.b_c-d/u-alice%40corp.com/pypi/simple/": [
      "a.b_c-d",
      "alice@corp.com",
      "/o-a.b_c-d/u-alice%40corp.com",
      "/pypi/simple/",
      "",
    ],
    "/o-acme/u-a+b@c/%2e%2e/x%zz": ["acme", "a+b@c", "/o-acme/u-a+b@c", "/%2e%2e/x%zz", ""],
    "/npm/o-acme": ["default", "", "", "/npm/o-acme", ""],
    "//o-acme/": ["default", "", "", "//o-acme/", ""],
    "/u-alice/npm/x": ["default", "", "", "/u-alice/npm/x", ""],
  })
) {
  Deno.test(`the address ${path || "without a path"} names ${expected[0]} and ${expected[1] || "nobody"}`, async () => {
    const found = await ask(`https://pkg.example${path}`);
    assert.deepEqual(
      [found.org, found.user, found.base.prefix, found.rest, found.search],
      expected,
    );
    assert.equal(found.base.origin, "https://pkg.example");
  });
}

for (
  const [path, code] of Object.entries({
    "/o-/npm/": "org_invalid",
    "/o-Acme/npm/": "org_invalid",
    "/o--acme/": "org_invalid",
    "/o-a%2fb/": "org_invalid",
    "/o-a%00b/": "org_invalid",
    "/o-a%0a/": "org_invalid",
    "/o-a@b/": "org_invalid",
    [`/o-${"a".repeat(64)}/`]: "org_invalid",
    "/o-a%ff/": "encoding_invalid",
    "/o-a%/": "encoding_invalid",
    "/o-acme/u-/npm/": "user_invalid",
    "/o-acme/u-Alice/npm/": "user_invalid",
    "/o-acme/u-a%2520/npm/": "user_invalid",
    [`/o-acme/u-${"a".repeat(64)}/`]: "user_invalid",
    "/o-acme/u-a%e2%82/npm/": "encoding_invalid",
  })
) {
  Deno.test(`the address ${path} is refused with 400`, async () => {
    await fails(400, code, ask(`https://pkg.example${path}`));
  });
}

Deno.test("names of 63 characters are accepted", async () => {
  const name = "a".repeat(63);
  const found = await ask(`https://pkg.example/o-${name}/u-${name}/`);
  assert.deepEqual([found.org, found.user], [name, name]);
});

for (
  const [form, authorization] of Object.entries({
    "Bearer": "Bearer pp_acme",
    "bearer in another case": "bEARER   pp_acme ",
    "cargo's bare value": "pp_acme",
    "Basic's password": basic("__token__", "pp_acme"),
    "Basic's user name": basic("pp_acme", ""),
    "Basic's user name without a colon": `Basic ${btoa("pp_acme")}`,
    "Basic without padding": basic("x", "pp_acme").replace(/=+$/, ""),
    "both of Basic": basic("pp_acme", "pp_acme"),
  })
) {
  Deno.test(`a token as ${form} fixes org, user and role`, async () => {
    for (
      const url of ["http://h/npm/x", "http://h/o-acme/npm/x", "http://h/o-acme/u-alice/npm/x"]
    ) {
      const found = await ask(url, { authorization });
      assert.deepEqual([found.org, found.user, found.role], ["acme", "ci", "client"]);
      assert.equal(found.registryCredential, null);
      assert.equal(found.basicCredential, null);
      assert(!JSON.stringify(found).includes("pp_"), "no secret is handed on");
    }
  });
}

for (
  const [form, authorization] of Object.entries({
    "Bearer": "Bearer pp_acme:reg:tok/en",
    "a bare value": "pp_acme:reg:tok/en",
    "Basic's two halves": basic("pp_acme", "reg:tok/en"),
    "Basic's password": basic("anybody at all", "pp_acme:reg:tok/en"),
  })
) {
  Deno.test(`a registry's token behind ours in ${form} is told apart`, async () => {
    const found = await ask("http://h/npm/x", { authorization });
    assert.deepEqual([found.org, found.role], ["acme", "client"]);
    assert.equal(found.registryCredential, "reg:tok/en");
    assert.equal(found.basicCredential, null);
  });
}

Deno.test("one of our own tokens is never a registry's", async () => {
  for (
    const authorization of [
      "Bearer pp_acme:pp_root",
      basic("pp_acme", "pp_root:"),
      basic("x", "pp_acme:pp_root"),
      "pp_acme:",
    ]
  ) {
    const found = await ask("http://h/npm/x", { authorization });
    assert.equal(found.registryCredential, null, authorization);
    assert.equal(found.basicCredential, null, authorization);
  }
});

Deno.test("a registry's token that no header can carry is refused", async () => {
  const injected = basic("pp_acme", "x\r\nHost: elsewhere");
  await fails(400, "authorization_invalid", ask("http://h/", { authorization: injected }));
});

Deno.test("an unknown token is 401 in every form, never nobody", async () => {
  for (const authorization of ["Bearer pp_x", "pp_x", basic("u", "pp_x"), basic("pp_x", "")]) {
    await fails(401, "token_unknown", ask("http://h/npm/x", { authorization }));
  }
});

Deno.test("a token of another org than the address names is 403", async () => {
  const settings = { baseDomain: "pkg.example" };
  const authorization = "Bearer pp_acme";
  await fails(403, "token_org", ask("http://h/o-other/npm/x", { authorization }));
  await fails(403, "token_org", ask("http://other.pkg.example/", { authorization, settings }));
  assert.equal((await ask("http://acme.pkg.example/", { authorization, settings })).org, "acme");
});

Deno.test("the root token acts for the org of the address", async () => {
  const authorization = "Bearer pp_root";
  assert.equal((await ask("http://h/o-other/npm/x", { authorization })).org, "other");
  const found = await ask("http://h/npm/x", { authorization });
  assert.deepEqual([found.org, found.user, found.role], ["default", "root", "admin"]);
});

Deno.test("an ADMIN_TOKEN of another form is known in each, and handed on in none", async () => {
  const secret = "0123456789abcdef";
  const peek = (text: string) => text === secret ? TOKENS.get("pp_root") : undefined;
  for (
    const authorization of [`Bearer ${secret}`, secret, basic("x", secret), basic(secret, "reg")]
  ) {
    const headers = new Headers({ authorization });
    const found = await identify({ url: "http://h/npm/x", headers }, { ...tokens, peek });
    assert.deepEqual([found.user, found.role, found.basicCredential], ["root", "admin", null]);
  }
});

Deno.test("a Bearer, bare value or scheme that is not ours is nobody", async () => {
  for (const authorization of ["Bearer npm_abc", "abc", "Digest username=x", "Bearer ", ""]) {
    const found = await ask("http://h/npm/x", { authorization });
    assert.deepEqual([found.user, found.role, found.basicCredential], ["", null, null]);
  }
});

Deno.test("Basic's user name is the user, its value a credential only where it has a password", async () => {
  const both = basic("alice@corp.com", "geheim ü");
  const found = await ask("http://h/o-acme/npm/x", { authorization: both });
  assert.deepEqual([found.org, found.user, found.role], ["acme", "alice@corp.com", null]);
  assert.equal(found.basicCredential, both);
  assert.equal(found.registryCredential, null);
  const alone = await ask("http://h/npm/x", { authorization: basic("alice", "") });
  assert.deepEqual([alone.user, alone.basicCredential], ["alice", null]);
});

Deno.test("the user of the path goes before Basic's", async () => {
  const authorization = basic("Some Body", "secret");
  const found = await ask("http://h/o-acme/u-alice/npm/x", { authorization });
  assert.deepEqual([found.user, found.basicCredential], ["alice", authorization]);
  await fails(400, "user_invalid", ask("http://h/o-acme/npm/x", { authorization }));
});

Deno.test("Basic that is no base64 or no UTF-8 is 400", async () => {
  for (const value of ["Basic !!!", "Basic /w==", "Basic"]) {
    const asked = ask("http://h/", { authorization: value });
    if (value === "Basic") assert.equal((await asked).user, "");
    else await fails(400, "authorization_invalid", asked);
  }
});

Deno.test("a subdomain names the org, and one more label the ecosystem", async () => {
  const settings = { baseDomain: "pkg.example" };
  for (
    const [host, org, ecosystem] of [
      ["acme.pkg.example", "acme", null],
      ["ACME.Pkg.Example.:8000", "acme", null],
      ["npm.acme.pkg.example", "acme", "npm"],
      ["pkg.example", "default", null],
      ["acme.elsewhere.example", "default", null],
      ["notpkg.example", "default", null],
      ["127.0.0.1:8000", "default", null],
      ["[::1]:8000", "default", null],
    ] as const
  ) {
    const found = await ask(`http://${host}/x`, { settings });
    assert.deepEqual([found.org, found.ecosystem], [org, ecosystem], host);
    assert.equal(found.base.origin, `http://${host}`);
  }
});

Deno.test("with known ecosystems, a dotted org keeps its first label", async () => {
  const settings = { baseDomain: "pkg.example", ecosystems: new Set(["npm"]) };
  const dotted = await ask("http://acme.corp.pkg.example/", { settings });
  assert.deepEqual([dotted.org, dotted.ecosystem], ["acme.corp", null]);
  const npm = await ask("http://npm.acme.corp.pkg.example/", { settings });
  assert.deepEqual([npm.org, npm.ecosystem], ["acme.corp", "npm"]);
});

Deno.test("path and subdomain may not name different orgs", async () => {
  const settings = { baseDomain: "pkg.example" };
  await fails(400, "org_conflict", ask("http://acme.pkg.example/o-other/npm/", { settings }));
  assert.equal((await ask("http://acme.pkg.example/o-acme/npm/", { settings })).org, "acme");
  await fails(400, "org_invalid", ask("http://-x.pkg.example/", { settings }));
});

Deno.test("the base is PUBLIC_URL, or its scheme with a host under BASE_DOMAIN", async () => {
  const publicUrl = "https://packages.example/";
  const settings = { publicUrl, baseDomain: "pkg.example" };
  const bases = async (url: string, given: IdentitySettings) =>
    Object.values((await ask(url, { settings: given })).base).join("");
  assert.equal(
    await bases("http://10.0.0.7:8000/o-acme/npm/x", { publicUrl }),
    "https://packages.example/o-acme",
  );
  assert.equal(
    await bases("http://acme.pkg.example:81/npm", settings),
    "https://acme.pkg.example:81",
  );
  assert.equal(await bases("http://10.0.0.7:8000/npm/x", settings), "https://packages.example");
  assert.equal(await bases("http://10.0.0.7:8000/npm/x", {}), "http://10.0.0.7:8000");
});

Deno.test("a Host that is none does not reach the base", async () => {
  for (const host of ["", "a b", "user:pw@h", "h<script>", "h:port", "[x]", "h:1:2", "h'"]) {
    await fails(400, "host_invalid", ask(`http://${host}/npm/x`));
  }
});

Deno.test("a store that fails is not taken for nobody", async () => {
  const down = {
    find: () => Promise.reject(new StoreUnavailable("down")),
    peek: () => undefined,
  };
  const request = { url: "http://h/", headers: new Headers({ authorization: "pp_x" }) };
  await assert.rejects(async () => await identify(request, down), StoreUnavailable);
});

Deno.test("each auth demands what it says", () => {
  const nobody = { org: "acme", user: "", role: null };
  const named = { ...nobody, user: "alice" };
  const client = { ...named, role: "client" } as const;
  const codes = (auth: "open" | "identify" | "token") =>
    [nobody, named, client].map((identity) => demand(auth, identity)?.code ?? null);
  assert.deepEqual(codes("open"), [null, null, null]);
  assert.deepEqual(codes("identify"), ["user_required", null, null]);
  assert.deepEqual(codes("token"), ["token_required", "token_required", null]);
  const challenge = (auth: "identify" | "token") => {
    const error = demand(auth, nobody);
    assert.equal(error?.status, 401);
    return error?.headers["WWW-Authenticate"] ?? "";
  };
  assert.equal(challenge("identify"), 'Basic realm="package-proxy", charset="UTF-8"');
  // npm prints the challenge of a scheme it does not know, and nothing else.
  assert.match(challenge("token"), /^Token realm="package-proxy: This registry asks for a token/);
});

Deno.test("no request makes it throw anything but an IdentityError", async () => {
  const piece = fc.constantFrom(
    "/o-",
    "/u-",
    "/",
    "%",
    "%2f",
    "%ff",
    "a",
    "@",
    "?",
    "#",
    ":",
    "..",
  );
  const path = fc.array(fc.oneof(piece, fc.string()), { maxLength: 8 }).map((all) => all.join(""));
  const secret = fc.oneof(
    fc.string(),
    fc.constantFrom("pp_acme", "pp_root", "pp_", "pp_acme:x", ":", ""),
  );
  const authorization = fc.oneof(
    fc.tuple(fc.constantFrom("Basic ", "Bearer ", "", "basic"), secret).map((all) => all.join("")),
    fc.tuple(secret, secret).map(([user, password]) => basic(user, password)),
  );
  const settings = fc.constantFrom<IdentitySettings>({}, { baseDomain: "h" }, {
    publicUrl: "https://p",
    baseDomain: "h",
  });
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.constantFrom("h", "a.h", "npm.a.h"), fc.string()),
      path,
      authorization,
      settings,
      async (host, path, authorization, settings) => {
        // The platform itself refuses the rest.
        fc.pre(/^[\t\x20-\x7e\x80-\xff]*$/.test(authorization));
        try {
          const found = await ask(`http://${host}${path}`, { authorization, settings });
          assert.match(found.org, /^[a-z0-9][a-z0-9._-]{0,62}$/);
          assert.match(found.user, /^([a-z0-9][a-z0-9._@+-]{0,62})?$/);
          assert(found.rest.startsWith("/"));
          assert.doesNotMatch(found.base.origin + found.base.prefix, /["'<>\s]|pp_/);
          if (found.registryCredential) new Headers({ a: found.registryCredential });
        } catch (error) {
          if (!(error instanceof IdentityError)) throw error;
        }
      },
    ),
    { numRuns: 1_000 },
  );
});
