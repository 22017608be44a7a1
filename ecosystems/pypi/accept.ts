/** Which form of a simple index a client asks for (PEP 691). */

/** `json`: PEP 691; `v1+html` and `html`: PEP 503 under its two media types. */
export type Form = "json" | "v1+html" | "html";

export const MEDIA_TYPES: Record<Form, string> = {
  "json": "application/vnd.pypi.simple.v1+json",
  "v1+html": "application/vnd.pypi.simple.v1+html",
  "html": "text/html",
};

/** What upstream is asked for. */
export const INDEX_ACCEPT = `${MEDIA_TYPES.json}, ${
  MEDIA_TYPES["v1+html"]
};q=0.2, ${MEDIA_TYPES.html};q=0.1`;

/** Media types and ranges by the forms they mean, in the order in which ties are settled. */
const MEANINGS: readonly [form: Form, names: readonly string[]][] = [
  ["json", [MEDIA_TYPES.json, "application/vnd.pypi.simple.latest+json"]],
  ["v1+html", [MEDIA_TYPES["v1+html"], "application/vnd.pypi.simple.latest+html"]],
  ["html", [MEDIA_TYPES.html]],
];

/**
 * The form with the highest quality; JSON wins a tie between named types. A
 * client that accepts anything, names nothing that there is, or sends no
 * Accept gets `text/html`, as from PyPI.
 */
export function chooseForm(accept: string | null): Form {
  const ranges = readAccept(accept ?? "");
  let best: { form: Form; quality: number } | null = null;
  for (const [form, names] of MEANINGS) {
    const quality = Math.max(...names.map((name) => ranges.get(name) ?? 0));
    if (quality > (best?.quality ?? 0)) best = { form, quality };
  }
  const any = ranges.get("*/*") ?? 0;
  const wild: { form: Form; quality: number }[] = [
    { form: "html", quality: ranges.get("text/html") ?? ranges.get("text/*") ?? any },
    { form: "json", quality: ranges.get("application/*") ?? 0 },
  ];
  for (const entry of wild) {
    if (entry.quality > (best?.quality ?? 0)) best = entry;
  }
  return best?.form ?? "html";
}

/** Quality by media range in lower case; one that cannot be read counts as 0. */
function readAccept(accept: string): Map<string, number> {
  const ranges = new Map<string, number>();
  for (const part of accept.slice(0, 4096).split(",")) {
    const [range, ...parameters] = part.split(";").map((piece) => piece.trim().toLowerCase());
    if (range === "") continue;
    const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
    const value = quality === undefined
      ? 1
      : /^(?:0(?:\.\d*)?|1(?:\.0*)?)$/.test(quality)
      ? Number(quality)
      : 0;
    ranges.set(range, Math.max(value, ranges.get(range) ?? 0));
  }
  return ranges;
}
