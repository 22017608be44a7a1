/**
 * What the shape of the code promises, checked on its text. Every check is also
 * run on a made-up tree that breaks it, so that none of them can go blind.
 */
import assert from "node:assert/strict";
import { RULES } from "../policy/rules/mod.ts";

/** Path from the project's root to text. */
type Tree = ReadonlyMap<string, string>;
/** One line for each fault. */
type Check = (tree: Tree) => string[];

const ROOT = new URL("../", import.meta.url);
const NOT_OURS = new Set([".git", "node_modules", "coverage"]);
const MAX_LINES = 400;

/** What each part may import besides itself. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["routes", "admin", "ecosystems", "policy"],
  routes: ["ecosystems", "policy"],
  admin: ["ecosystems", "policy"],
  ecosystems: ["policy"],
  policy: [],
};
/** Who reads the environment and opens KV. */
const SURROUNDINGS = /^(?:main\.ts|admin\/(?:query|advisories|check)(?:\.ts|\/))/;
/** Who asks other machines; the command line asks a proxy with `--url`. */
const OUTGOING =
  /^(?:ecosystems\/(?:upstream|http_client|(?:advisories|issuers)\/client)\.ts|admin\/query\/|admin\/(?:check|webhooks)\/client\.ts)/;

/** In pieces, so that this file is none of those it looks for. */
const HOSTS = new RegExp(
  [["registry", "npmjs", "(?:org|com)"], ["registry", "yarnpkg", "com"], ["debian", "org"]]
    .map((labels) => labels.join("\\.")).join("|"),
  "i",
);

/** Code without comments and without what strings say. Regular expressions may confuse it a little. */
function code(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|(?<![:\\"'`/])\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g,
    (found) => found.startsWith("/") ? "" : `${found[0]}${found[0]}`,
  );
}

function sources(tree: Tree): [string, string][] {
  return [...tree].filter(([path]) => path.endsWith(".ts"));
}

/** All but the tests. */
function product(tree: Tree): [string, string][] {
  return sources(tree).filter(([path]) => !path.startsWith("tests/"));
}

function part(path: string): string {
  return path.split("/")[0];
}

/** Files of the project that a file imports, by their paths from the root. */
function imports(path: string, text: string): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)]
    .map(([, to]) => new URL(to, `file:///${path}`).pathname.slice(1));
}

function matching(files: [string, string][], pattern: RegExp): string[] {
  return files.flatMap(([path, text]) => {
    const found = pattern.exec(text);
    return found === null ? [] : [`${path}: ${found[0].trim()}`];
  });
}

function codeMatching(files: [string, string][], pattern: RegExp): string[] {
  return matching(files.map(([path, text]) => [path, code(text)]), pattern);
}

const downwards: Check = (tree) =>
  product(tree).flatMap(([path, text]) => {
    const below = BELOW[part(path)];
    if (below === undefined) return [`${path}: belongs to no part of the tree`];
    return imports(path, text)
      .filter((to) => part(to) !== part(path) && !below.includes(part(to)))
      .map((to) => `${path} imports ${to}`);
  });

const apart: Check = (tree) => {
  const folder = (path: string) => /^ecosystems\/(\w+)\//.exec(path)?.[1];
  return product(tree).flatMap(([path, text]) =>
    imports(path, text)
      .filter((to) => folder(path) && folder(to) && folder(path) !== folder(to))
      .map((to) => `${path} imports ${to}`)
  );
};

const pureTypes: Check = (tree) =>
  matching([["policy/types.ts", tree.get("policy/types.ts") ?? ""]], /^\s*import\b.*$/m);

const noSurroundings: Check = (tree) =>
  codeMatching(
    product(tree).filter(([path]) => !SURROUNDINGS.test(path)),
    /\bDeno\s*\.\s*(?:env|openKv)\b|\bprocess\s*\.\s*env\b/,
  );

const noFetch: Check = (tree) => {
  const others = product(tree).filter(([path]) => !OUTGOING.test(path));
  return [
    ...codeMatching(
      others,
      // `fetch(request: Request)` declares a method.
      /(?<![.\w#])fetch\((?!\w+\??:)|\bglobalThis\.fetch\b|\bDeno\.connect|\bnew (?:WebSocket|HttpClient)\b/,
    ),
    // Of `node:net`, what only looks at addresses is well.
    ...matching(
      others,
      /^import (?!type\b)(?!\{ (?:BlockList, )?isIP \})[^;]*"node:(?:https?|http2|net|tls|dgram)"|\bimport\("node:(?:https?|http2|net|tls|dgram)"/m,
    ),
  ];
};

const pureRules: Check = (tree) =>
  codeMatching(
    product(tree).filter(([path]) => /^policy\/(?:rules\/|engine\.ts)/.test(path)),
    /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bDeno\.|\bcrypto\b|\bawait\b/,
  );

const noAny: Check = (tree) =>
  codeMatching(product(tree), /[:<,|&(]\s*any\s*[;,)>|&=\[{\n]|\bas\s+any\b/);

const short: Check = (tree) =>
  sources(tree).flatMap(([path, text]) => {
    const lines = text.trimEnd().split("\n").length;
    return lines > MAX_LINES ? [`${path}: ${lines} lines`] : [];
  });

const named: Check = (tree) =>
  sources(tree).map(([path]) => path)
    .filter((path) => /(?:^|\/)(?:index|utils?|helpers?)\.ts$|[A-Z-][^/]*\.ts$/.test(path));

const noHosts: Check = (tree) => matching([...tree], HOSTS);

const rulesListed: Check = (tree) => {
  const listed = imports("policy/rules/mod.ts", tree.get("policy/rules/mod.ts") ?? "");
  return [...tree.keys()]
    .filter((path) => /^policy\/rules\/(?!mod\.ts$|rule\.ts$)\w+\.ts$/.test(path))
    .filter((path) => !listed.includes(path));
};

const ecosystemsListed: Check = (tree) => {
  const listed = imports("ecosystems/mod.ts", tree.get("ecosystems/mod.ts") ?? "");
  return [...tree.keys()]
    .filter((path) => /^ecosystems\/(?!lockfiles\/)\w+\/mod\.ts$/.test(path))
    .filter((path) => !listed.includes(path));
};

/** A key written out where it is used: `kv.get(["policy", org])`, `{ prefix: ["policy"] }`. */
const keysInOnePlace: Check = (tree) =>
  matching(
    product(tree)
      .filter(([path, text]) => path !== "policy/store/keys.ts" && /\bkv\b|Deno\.Kv/i.test(text)),
    /\.(?:get|getMany|set|delete|sum|watch)(?:<[^(]*>)?\(\s*\[+\s*["`]|\b(?:prefix|start|end|key):\s*\[\s*["`]/,
  );

const namedPathsExist: Check = (tree) => {
  const folders = new Set([...tree.keys()].flatMap((path) => {
    const steps = path.split("/").slice(0, -1);
    return steps.map((_, i) => `${steps.slice(0, i + 1).join("/")}/`);
  }));
  const documents = [...tree].filter(([path]) => path.endsWith(".md"));
  return documents.flatMap(([, text]) => [
    ...text.matchAll(
      /`((?:main\.ts|deno\.json|LICENSE|[A-Z]+\.md|(?:routes|policy|ecosystems|admin|tests|\.ci|\.github)\/[\w./-]*))`/g,
    ),
  ])
    .map(([, path]) => path)
    .filter((path) => !tree.has(path) && !folders.has(path));
};

const settingsNamed: Check = (tree) => {
  const readme = tree.get("README.md") ?? "";
  const names = (tree.get("routes/settings.ts") ?? "").matchAll(/"([A-Z][A-Z_]{3,})"/g);
  return [...names].map(([, name]) => name)
    .filter((name) => !/^DENO_/.test(name) && !readme.includes(`\`${name}\``));
};

const dependenciesNamed: Check = (tree) => {
  const readme = tree.get("README.md") ?? "";
  return [...(tree.get("deno.json") ?? "").matchAll(/"npm:((?:@[\w-]+\/)?[\w.-]+)@/g)]
    .map(([, name]) => name)
    .filter((name) => !readme.includes(`\`${name}\``));
};

/** A sentence, its check, and files that break it. */
const CHECKS: readonly [string, Check, Readonly<Record<string, string>>][] = [
  ["imports only point down", downwards, {
    "policy/a.ts": 'import { b } from "../ecosystems/b.ts";',
    "routes/a.ts": 'const { b } = await import("../admin/b.ts");',
    "admin/a.ts": 'export * from "../routes/b.ts";',
    "ecosystems/npm/a.ts": 'import "../../tests/b.ts";',
    "lib/a.ts": "",
  }],
  ["no ecosystem knows another", apart, {
    "ecosystems/npm/a.ts": 'import { b } from "../pypi/b.ts";',
  }],
  ["policy/types.ts imports nothing", pureTypes, {
    "policy/types.ts": 'import type { A } from "./a.ts";',
  }],
  ["only main.ts and the command line read the environment and open KV", noSurroundings, {
    "policy/store/a.ts": "const kv = await Deno.openKv();",
    "routes/a.ts": 'const a = Deno.env.get("A");',
  }],
  ["only those that are named ask other machines", noFetch, {
    "routes/a.ts": "const response = await fetch(url);",
    "routes/b.ts": 'import { request } from "node:https";',
    "routes/c.ts": 'import {\n  isIP,\n  connect,\n} from "node:net";',
    "routes/d.ts": 'const { connect } = await import("node:tls");',
    "policy/a.ts": "const client = new HttpClient();",
    "ecosystems/npm/a.ts": "const response = await globalThis.fetch(url);",
  }],
  ["rules have no clock, no randomness and no I/O", pureRules, {
    "policy/rules/a.ts": "const now = Date.now();",
    "policy/engine.ts": "const now = new Date();",
  }],
  ["no any outside the tests", noAny, {
    "policy/a.ts": "function a(b: any) {}",
    "routes/a.ts": "const a = b as any;",
    "admin/a.ts": "const a = new Map<string, any>();",
  }],
  [`no file over ${MAX_LINES} lines`, short, { "routes/a.ts": "a;\n".repeat(MAX_LINES + 1) }],
  ["files are named for what they hold", named, {
    "routes/index.ts": "",
    "admin/utils.ts": "",
    "policy/helpers.ts": "",
    "routes/someThing.ts": "",
  }],
  ["no address of the public npm registry or of Debian's servers", noHosts, {
    "a.md": `https://${["registry", "npmjs", "org"].join(".")}/`,
    "b.lock": `https://${["registry", "yarnpkg", "com"].join(".")}/`,
    "c": `http://${["deb", "debian", "org"].join(".")}/`,
  }],
  ["every rule is listed", rulesListed, {
    "policy/rules/new_rule.ts": "",
  }],
  ["every ecosystem is listed", ecosystemsListed, { "ecosystems/go/mod.ts": "" }],
  ["every KV key is made in policy/store/keys.ts", keysInOnePlace, {
    "policy/store/a.ts": 'await kv.get<string>(["token", id]);',
    "policy/store/b.ts": 'for await (const a of kv.list({ prefix: ["policy"] })) b(a);',
    "main.ts": 'await kv.getMany([["meta", "a"]]);',
  }],
  ["every path that the documents name is there", namedPathsExist, {
    "README.md": "`routes/gone.ts` and `tests/gone/`",
    "policy/README.md": "`policy/gone.ts`",
  }],
  ["the README names every setting", settingsNamed, { "routes/settings.ts": 'env("NEW_SETTING")' }],
  ["the README names every dependency", dependenciesNamed, {
    "deno.json": '{ "imports": { "a": "npm:@a/a@1.0.0" } }',
  }],
];

const project = await read();

for (const [sentence, check, broken] of CHECKS) {
  Deno.test(sentence, () => assert.deepEqual(check(project), []));

  Deno.test(`${sentence}: each breach is noticed`, () => {
    for (const [path, text] of Object.entries(broken)) {
      assert.ok(check(new Map([[path, text]])).length > 0, path);
    }
  });
}

Deno.test("rules have ids of their own", () => {
  assert.equal(new Set(RULES.map(({ id }) => id)).size, RULES.length);
});

Deno.test("the walk saw the project", () => {
  for (const path of ["main.ts", "policy/types.ts", "tests/architecture_test.ts", ".ci/run"]) {
    assert.ok(project.has(path), path);
  }
  assert.ok(!code('const a = "any"; // any').includes("any"));
});

async function read(): Promise<Tree> {
  const tree = new Map<string, string>();
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const { name, isDirectory, isFile } of Deno.readDir(new URL(folder, ROOT))) {
      const path = folder + name;
      if (isDirectory && !NOT_OURS.has(name)) folders.push(`${path}/`);
      if (isFile && !/\.sqlite/.test(name)) {
        tree.set(path, await Deno.readTextFile(new URL(path, ROOT)));
      }
    }
  }
  return tree;
}
