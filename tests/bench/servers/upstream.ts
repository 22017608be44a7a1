/**
 * A registry that serves prepared bytes the way the public ones do: gzip, ETag
 * and 304, `max-age=300`. `max-age=none` leaves that out, so that proxies ask
 * each time; `now=` is the instant (Unix ms) that "young" is reckoned from.
 */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { fileOf, npmDocument, type Place, pypiPage } from "../data/catalogue.ts";
import { abbreviated, tarballAddress } from "../data/packument.ts";
import { Tree } from "../data/tree.ts";
import { argument, pathOf, serve } from "./announce.ts";

interface Prepared {
  readonly identity: Uint8Array<ArrayBuffer>;
  readonly gzip: Uint8Array<ArrayBuffer> | null;
  readonly type: string;
  readonly etag: string;
}

const ANYWHERE = "http://registry.example/";
const CORGI = "application/vnd.npm.install-v1+json";
const maxAge = argument("max-age", "300");
const now = Number(argument("now"));
const prepared = new Map<string, Prepared | null>();
/** Documents as text, with `ANYWHERE` for the address they are asked at. */
const texts = new Map<string, string | null>();
const trees = [new Tree(1_000), new Tree(250)];
const counts = { documents: 0, unchanged: 0, files: 0 };

interface Form {
  readonly type: string;
  make(name: string, place: Place): Record<string, unknown> | null;
}

const full = (name: string, place: Place) =>
  npmDocument(name, place) ?? fromTree((tree) => tree.document(name, place));
const FORMS: Readonly<Record<"npm" | "corgi" | "pypi", Form>> = {
  npm: { type: "application/json", make: full },
  corgi: {
    type: CORGI,
    make: (name, place) => {
      const found = full(name, place);
      return found === null ? null : abbreviated(found);
    },
  },
  pypi: { type: "application/vnd.pypi.simple.v1+json", make: pypiPage },
};

serve((request) => {
  const path = pathOf(request.url);
  if (path === "/-/bench/counts") return Response.json(counts);
  const base = request.url.slice(0, request.url.indexOf("/", 8) + 1);
  const tree = trees.find(({ size }) => path === `/-/bench/tree/${size}`);
  if (tree !== undefined) return prepareTree(tree, base);
  if (request.method === "POST") return Response.json({});
  const found = find(path, request.headers.get("accept") ?? "", base);
  return found === null ? new Response("no such thing", { status: 404 }) : answer(found, request);
});

function find(path: string, accept: string, base: string): Prepared | null {
  const file = /^\/([^/]+)\/-\/[^/]+$|^\/packages\/.*\/([^/]+)-[^-]+-py3-none-any\.whl$/.exec(path);
  if (file !== null) {
    const name = file[1] ?? file[2].replaceAll("_", "-");
    const key = name.startsWith("file-") ? name : path;
    return once(`file ${key}`, () => fileBytes(path, name));
  }
  const project = /^\/simple\/([^/]+)\/$/.exec(path)?.[1];
  const name = decodeURIComponent(path.slice(1));
  const form = project !== undefined ? "pypi" : accept.includes(CORGI) ? "corgi" : "npm";
  return once(`${form} ${base} ${project ?? name}`, () => document(form, project ?? name, base));
}

function fromTree<T>(find: (tree: Tree) => T | null): T | null {
  for (const tree of trees) {
    const found = find(tree);
    if (found !== null) return found;
  }
  return null;
}

/** Makes what an install of the tree asks for, so that no client waits for that. */
function prepareTree(tree: Tree, base: string): Response {
  const { manifest, lock } = tree.project(base);
  for (const [path, { version }] of Object.entries(lock.packages).slice(1)) {
    const name = path.slice("node_modules/".length);
    for (const accept of ["application/json", CORGI]) find(`/${name}`, accept, base);
    find(new URL(tarballAddress(base, name, version)).pathname, "*/*", base);
  }
  return Response.json({ manifest, lock });
}

function once(key: string, make: () => Prepared | null): Prepared | null {
  let found = prepared.get(key);
  if (found === undefined) prepared.set(key, found = make());
  return found;
}

function document(form: keyof typeof FORMS, name: string, base: string): Prepared | null {
  const { type, make } = FORMS[form];
  const key = `${form} ${name}`;
  let text = texts.get(key);
  if (text === undefined) {
    const value = make(name, { base: ANYWHERE, now });
    texts.set(key, text = value === null ? null : JSON.stringify(value));
  }
  if (text === null) return null;
  const identity = new TextEncoder().encode(text.replaceAll(ANYWHERE, base));
  const etag = `W/"${createHash("sha256").update(identity).digest("hex").slice(0, 32)}"`;
  return { identity, gzip: new Uint8Array(gzipSync(identity)), type, etag };
}

function fileBytes(path: string, name: string): Prepared | null {
  const bytes = name.startsWith("file-") ? fileOf(name) : fromTree((tree) => tree.tarball(path));
  if (bytes === null) return null;
  return { identity: bytes, gzip: null, type: "application/octet-stream", etag: `"${name}"` };
}

function answer({ identity, gzip, type, etag }: Prepared, request: Request): Response {
  const headers: Record<string, string> = {
    "content-type": type,
    etag,
    vary: "Accept, Accept-Encoding",
  };
  if (maxAge !== "none") headers["cache-control"] = `public, max-age=${maxAge}`;
  if (request.headers.get("if-none-match") === etag) {
    counts.unchanged++;
    return new Response(null, { status: 304, headers });
  }
  const zipped = gzip !== null && (request.headers.get("accept-encoding") ?? "").includes("gzip");
  counts[type === "application/octet-stream" ? "files" : "documents"]++;
  const body = zipped ? gzip : identity;
  if (zipped) headers["content-encoding"] = "gzip";
  headers["content-length"] = String(body.length);
  return new Response(request.method === "HEAD" ? null : body, { headers });
}
