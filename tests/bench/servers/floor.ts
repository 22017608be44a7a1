/**
 * The floors of Deno, by `mode=`:
 * - `prepared`: bytes from the folder `answers=`, as another server gave them
 * - `revalidated`: the same, once the upstream has said 304
 * - `streamed`: `new Response((await fetch(u)).body)` from `upstream=`
 * - `parsed`: parse, delete and print the document on each request
 * - `empty`: nothing at all
 */
import type { Captured } from "../capture.ts";
import { argument, pathOf, serve } from "./announce.ts";

const mode = argument("mode");
const upstream = argument("upstream", "");
const MODES: Readonly<Record<string, () => (request: Request) => Response | Promise<Response>>> = {
  prepared: () => {
    const find = finder();
    return (request) => {
      const { body, headers } = find(request);
      return new Response(body, { headers });
    };
  },
  revalidated: () => {
    const find = finder();
    return async (request) => {
      const { body, headers, upstreamUrl, upstreamEtag } = find(request);
      const answer = await fetch(upstreamUrl, { headers: { "if-none-match": upstreamEtag } });
      await answer.body?.cancel();
      if (answer.status !== 304) throw new Error(`Upstream answers ${answer.status}`);
      return new Response(body, { headers });
    };
  },
  streamed: () => async (request) => {
    const answer = await fetch(`${upstream}${pathOf(request.url).slice(1)}`, {
      headers: { accept: request.headers.get("accept") ?? "*/*" },
    });
    return new Response(answer.body, { status: answer.status, headers: passed(answer.headers) });
  },
  parsed: () => async (request) => {
    const answer = await fetch(`${upstream}${pathOf(request.url).slice(1)}`);
    return Response.json(withoutYoung(await answer.json()));
  },
  empty: () => () => new Response("ok"),
};

serve(MODES[mode]());

function finder() {
  const folder = argument("answers");
  const list: Captured[] = JSON.parse(Deno.readTextFileSync(`${folder}/answers.json`));
  const answers = new Map(list.map((one) => [one.key, {
    ...one,
    body: Deno.readFileSync(`${folder}/${one.file}`),
  }]));
  return ({ url, headers }: Request) => {
    const corgi = headers.get("accept")?.includes("install-v1") ?? false;
    const zipped = headers.get("accept-encoding")?.includes("gzip") ?? false;
    const found = answers.get(`${pathOf(url)} ${corgi} ${zipped}`);
    if (found === undefined) throw new Error(`No answer for ${url}`);
    return found;
  };
}

/** `fetch` has inflated the body but still says otherwise. */
function passed(headers: Headers): Headers {
  const kept = new Headers();
  const zipped = headers.has("content-encoding");
  for (const name of ["content-type", "etag", "cache-control", "content-length"]) {
    const value = headers.get(name);
    if (value !== null && !(zipped && name === "content-length")) kept.set(name, value);
  }
  return kept;
}

/** What people write first: ten days, no rule, no cache. */
function withoutYoung(
  document: { time: Record<string, string>; versions: Record<string, unknown> },
): unknown {
  const limit = Date.now() - 10 * 24 * 3600_000;
  for (const version of Object.keys(document.versions)) {
    if (Date.parse(document.time[version]) > limit) delete document.versions[version];
  }
  return document;
}
