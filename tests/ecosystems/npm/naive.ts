/** The plain way to filter a packument, to hold the splicing one against: parse, delete, print. */
import semver from "semver";

type Document = Record<string, unknown> & {
  versions?: Record<string, { dist?: { tarball?: string } } & Record<string, unknown>>;
  time?: Record<string, unknown>;
  "dist-tags"?: Record<string, string>;
};

/** A copy without the hidden versions; `policyRestrictions` left out. */
export function filterNaively(document: Document, hidden: ReadonlySet<string>): Document {
  const copy = structuredClone(document);
  if (hidden.size === 0) return copy;
  delete copy.policyRestrictions;
  for (const version of hidden) {
    delete copy.versions?.[version];
    delete copy.time?.[version];
  }
  const visible = Object.keys(copy.versions ?? {});
  for (const [tag, version] of Object.entries(copy["dist-tags"] ?? {})) {
    if (visible.includes(version)) continue;
    const found = substitute(tag, version, visible);
    if (found === undefined) delete copy["dist-tags"]?.[tag];
    else copy["dist-tags"]![tag] = found;
  }
  return copy;
}

function substitute(tag: string, version: string, visible: string[]): string | undefined {
  const options = { loose: true };
  const sorted = visible.filter((v) => semver.valid(v, options))
    .sort((a, b) => semver.compareBuild(b, a, options));
  const stable = sorted.filter((v) => semver.prerelease(v, options) === null);
  if (tag === "latest") {
    const fits = (v: string) => semver.lte(v, version, options);
    return stable.find(fits) ?? stable[0] ?? sorted.find(fits) ?? sorted[0] ??
      visible[0];
  }
  const channel = (v: string) => String(semver.prerelease(v, options)?.[0] ?? "");
  return sorted.find((v) =>
    semver.compareBuild(v, version, options) <= 0 &&
    semver.major(v, options) === semver.major(version, options) && channel(v) === channel(version)
  );
}
