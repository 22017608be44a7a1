/** One release of an npm package, as the lockfiles of npm's clients name it. */
import { type Collector, LockfileInvalid, shown, shownAddress } from "./locked.ts";

export interface NpmRelease {
  readonly name: string;
  /** Undefined where the file has an address in its place. */
  readonly version: string | undefined;
  /** Where the file says it is downloaded from. */
  readonly address?: string;
  /** Whether the project asks for the address: the name is its own then, no package's. */
  readonly byAddress?: boolean;
  readonly line: number | null;
  readonly integrity?: string;
}

/** Where a reader puts what it finds. */
export type Gathering = Pick<Collector, "add" | "skip">;

/**
 * An entry, or why it is none. A client downloads what the address says, so an
 * address of another release than the one stated gives both: a lockfile with
 * such an entry is how a project is made to install something else
 * (https://snyk.io/blog/why-npm-lockfiles-can-be-a-security-blindspot-for-injecting-malicious-modules/).
 */
export function addNpm(collector: Gathering, release: NpmRelease): void {
  const { name, version, address = "", byAddress = false, line, integrity } = release;
  const label = version === undefined ? name : `${name}@${shown(version)}`;
  const elsewhere = address === "" ? null : notRegistry(address);
  if (elsewhere !== null) return collector.skip(label, elsewhere);
  if (!/^https?:/i.test(address)) {
    if (version === undefined) return collector.skip(name, "has no version");
    return collector.add({ type: "npm", name, version, line, integrity });
  }
  const served = servedBy(address, { name, version });
  if (served === null) {
    const place = shownAddress(address);
    return collector.skip(label, `is from an address that is no registry's (${place})`);
  }
  const found = { type: "npm", line, integrity } as const;
  const differs = served.name !== name || served.version !== version;
  const stated = version !== undefined && !byAddress;
  if (stated) collector.add({ ...found, name, version });
  if (!stated || differs) collector.add({ ...found, ...served });
}

/**
 * An address of a registry's release, completed where it has no host: yarn and
 * pnpm ask their registry for it then. Null: it looks like no release's.
 */
export function releaseAt(address: string, stated: Stated): string | null {
  if (address.startsWith("file:")) return null;
  // What has another scheme some of them take for a path, too.
  const plain = address.replace(/[\s\p{Cc}]/gu, "");
  const path = plain.replace(/^(?!https?:\/\/)[a-z][a-z0-9+.-]*:/i, "");
  const completed = URL.parse(path, REGISTRY)?.href ?? "";
  return servedBy(completed, stated) === null ? null : completed;
}

/** Whichever the project has: the path alone tells the release. */
const REGISTRY = "https://registry.invalid/";

/** "https:a" is as relative as "a" is. */
const ABSOLUTE = /^(?!https?:(?!\/\/))[a-z][a-z0-9+.-]*:/i;

/** The same where nothing but a registry can be asked for it. Throws LockfileInvalid. */
export function completed(address: string, stated: Stated, line: number | null): string {
  const found = releaseAt(address, stated);
  if (found !== null || ABSOLUTE.test(address)) return found ?? address;
  throw new LockfileInvalid(
    `${JSON.stringify(shown(address))} is no address of a release of ${shown(stated.name)}`,
    { line },
  );
}

/** Why an address or a version's protocol is no registry's; null: it may be one. */
export function notRegistry(address: string): string | null {
  const shownAs = () => shownAddress(address.replace(/^(?:file|link|portal|workspace|git):/, ""));
  if (/^workspace:/.test(address)) return `is a workspace of the project (${shownAs()})`;
  if (/^(?:link|portal):/.test(address)) return `is a link (${shownAs()})`;
  if (/^(?:file:|\.{0,2}\/|~\/)/.test(address)) return `is a file of the project (${shownAs()})`;
  if (GIT.test(address)) return `is from git (${shownAs()})`;
  return null;
}

/** `git@6.6.6` is a version of a package called git. */
const GIT =
  /^(?:git(?:\+[a-z]+)?:|git@[\w-]+(?:\.[\w-]+)+[:/]|github:|gitlab:|bitbucket:|gist:|ssh:)|^https?:\/\/(?:codeload\.github\.com\/|(?:www\.)?(?:github|gitlab|bitbucket)\.(?:com|org)\/[^?#]*(?:\/(?:archive|tarball|get)\/|\.git(?:[\/?#]|$)))|^https?:[^?#]*\.git(?:[?#]|$)|^[\w.-]+\/[\w.-]+#/;

/** `/<name>/-/<base>-<version>.tgz`; some put the scope or the version before the file, too. */
const TARBALL = /\/((?:@[^/]+\/)?[^/]+)\/-\/(?:@[^/]+\/|[^/]+\/)?([^/]+)\.tgz$/;

interface Served {
  readonly name: string;
  readonly version: string;
}

type Stated = Pick<NpmRelease, "name" | "version">;

/** Which release an address of a registry holds; null: it looks like no registry's. */
function servedBy(address: string, stated: Stated): Served | null {
  const path = pathOf(address);
  if (path === null) return null;
  const [, name, file] = TARBALL.exec(path) ?? [];
  if (name === undefined) return otherShape(path, stated);
  const base = name.slice(name.indexOf("/") + 1);
  return file.startsWith(`${base}-`) ? { name, version: file.slice(base.length + 1) } : null;
}

/** GitHub's `/download/<name>/<version>/<hash>`, JSR's `/~/11/<name>/<version>.tgz`. */
function otherShape(path: string, { name, version }: Stated): Served | null {
  if (version === undefined) return null;
  const at = path.indexOf(`/${name}/${version}`);
  if (at < 0) return null;
  const rest = path.slice(at + name.length + version.length + 2);
  return /^(?:\.tgz|\/[0-9a-f]{32,128})$/.test(rest) ? { name, version } : null;
}

function pathOf(address: string): string | null {
  try {
    return decodeURIComponent(new URL(address).pathname);
  } catch {
    return null;
  }
}

/** `name@rest`, the name with its scope; null: there is no `@`. */
export function splitSpec(spec: string): [name: string, rest: string] | null {
  const at = spec.indexOf("@", 1);
  return at < 0 ? null : [spec.slice(0, at), spec.slice(at + 1)];
}
