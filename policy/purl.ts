/**
 * Writes and reads package URLs; the only place that does
 * (https://github.com/package-url/purl-spec). Of its rules for types it has those
 * of types with a registry here, since it runs on every request: tests hold it
 * against the `packageurl-js` library, whose loading takes a tenth of a cold start.
 */

export interface Purl {
  /** In lower case. */
  readonly type: string;
  /** As the ecosystem writes it, npm's scope included. */
  readonly name: string;
  readonly version?: string;
}

/** Scheme, slashes that mean nothing, type, and the rest of the path. */
const PURL = /^pkg:\/*([a-z.+-][a-z0-9.+-]*)\/([^?#]*)/i;
const TYPE = /^[a-z.+-][a-z0-9.+-]*$/;
// deno-lint-ignore no-control-regex -- a URL has none
const CONTROL = /[\0-\x1f\x7f]/;

/**
 * Throws TypeError where the type or the name is none.
 * @param type PURL type; @param name as the ecosystem writes it, npm's scope included
 */
export function purl(type: string, name: string, version?: string): string {
  const kind = type.trim().toLowerCase();
  const path = normalize(kind, name).trim();
  if (!TYPE.test(kind)) throw new TypeError(`Cannot write a PURL of type ${JSON.stringify(type)}`);
  if (path === "" || path.endsWith("/")) {
    throw new TypeError(`Cannot write a PURL of the name ${JSON.stringify(name)}`);
  }
  const parts = path.split("/").filter((part) => part !== "").map(encodeURIComponent);
  const written = `pkg:${kind}/${parts.join("/")}`;
  const release = version?.trim() ?? "";
  if (release === "") return written;
  return `${written}@${encodeURIComponent(release).replaceAll("%3A", ":").replaceAll("%2B", "+")}`;
}

/** Reads a PURL; what qualifiers and subpath say is left out. Throws SyntaxError. */
export function parsePurl(text: string): Purl {
  const trimmed = text.trim();
  const match = CONTROL.test(trimmed) ? null : PURL.exec(trimmed);
  if (match === null) throw unreadable(text);
  const type = match[1].toLowerCase();
  const path = match[2];
  const at = path.lastIndexOf("@");
  // A scope's `@` need not be encoded.
  const hasVersion = at > 0 && path[at - 1] !== "/";
  try {
    const parts = (hasVersion ? path.slice(0, at) : path).split("/");
    const base = decodeURIComponent(parts.pop() ?? "").trim();
    if (base === "") throw unreadable(text);
    const namespace = parts.filter((part) => part !== "").map(decodeURIComponent);
    const name = normalize(type, [...namespace, base].join("/"));
    const version = hasVersion ? decodeURIComponent(path.slice(at + 1)).trim() : "";
    return { type, name, version: version === "" ? undefined : version };
  } catch (cause) {
    if (!(cause instanceof URIError)) throw cause;
    throw unreadable(text, cause);
  }
}

function unreadable(text: string, cause?: unknown): SyntaxError {
  return new SyntaxError(`Cannot read ${JSON.stringify(text)} as a PURL`, { cause });
}

/** The specification lowers npm's names, too, but `JSONStream` and `jsonstream` are two packages. */
function normalize(type: string, name: string): string {
  return type === "pypi" ? name.toLowerCase().replaceAll("_", "-") : name;
}
