import { PackageURL } from "packageurl-js";

/** Writes and reads package URLs; the only place that does (https://github.com/package-url/purl-spec). */

/** @param type PURL type; @param name as the ecosystem writes it, npm's scope included */
export function purl(type: string, name: string, version?: string): string {
  const { namespace, base } = splitName(name);
  if (type !== "npm" || name === name.toLowerCase()) return write(type, namespace, base, version);
  // The library lowers npm's names, but `JSONStream` and `jsonstream` are two packages.
  return write("generic", namespace, base, version).replace(/^pkg:generic\//, "pkg:npm/");
}

function write(type: string, namespace: string | undefined, base: string, version?: string) {
  return new PackageURL(type, namespace, base, version, undefined, undefined).toString();
}

/** Reads a PURL. Throws SyntaxError. */
export function parsePurl(text: string): { type: string; name: string; version?: string } {
  let parsed: PackageURL;
  try {
    parsed = PackageURL.fromString(text);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as a PURL`, { cause });
  }
  const version = parsed.version ?? undefined;
  if (parsed.type === "npm" && /[A-Z%]/.test(text)) {
    const [, namespace, base] = PackageURL.parseString(text);
    if (base !== undefined) return { type: "npm", name: joinName(namespace, base), version };
  }
  return { type: parsed.type, name: joinName(parsed.namespace, parsed.name), version };
}

function joinName(namespace: string | null | undefined, base: string): string {
  return namespace ? `${namespace}/${base}` : base;
}

function splitName(name: string): { namespace: string | undefined; base: string } {
  const slash = name.lastIndexOf("/");
  if (slash < 0) return { namespace: undefined, base: name };
  return { namespace: name.slice(0, slash), base: name.slice(slash + 1) };
}
