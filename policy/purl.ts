import { PackageURL } from "packageurl-js";

/** Writes and reads package URLs; the only place that does (https://github.com/package-url/purl-spec). */

/** @param type PURL type; @param name as the ecosystem writes it, npm's scope included */
export function purl(type: string, name: string, version?: string): string {
  const { namespace, base } = splitName(name);
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
  const name = parsed.namespace ? `${parsed.namespace}/${parsed.name}` : parsed.name;
  return { type: parsed.type, name, version: parsed.version ?? undefined };
}

function splitName(name: string): { namespace: string | undefined; base: string } {
  const slash = name.lastIndexOf("/");
  if (slash < 0) return { namespace: undefined, base: name };
  return { namespace: name.slice(0, slash), base: name.slice(slash + 1) };
}
