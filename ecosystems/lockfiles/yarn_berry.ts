/** yarn.lock of yarn 2 and later: https://yarnpkg.com/advanced/lexicon#locator. */
import { Collector, type Locked, LockfileInvalid, shown } from "./locked.ts";
import { lineOf, type Members, members, object, text } from "./members.ts";
import { addNpm, completed, notRegistry, splitSpec } from "./npm_release.ts";

const METADATA = "__metadata";

interface Details {
  readonly line: number | null;
  readonly integrity?: string;
  readonly version?: string;
}

/** Throws LockfileInvalid. */
export function readYarnBerry(root: Members): Locked {
  const version = text(object(root, METADATA) ?? {}, "version");
  if (version === undefined) throw new LockfileInvalid(`Its "${METADATA}" has no version`);
  const collector = new Collector();
  for (const [key, value] of Object.entries(root)) {
    if (key === METADATA) continue;
    const entry = members(value, JSON.stringify(shown(key)));
    const line = lineOf(entry);
    const resolution = text(entry, "resolution");
    if (resolution === undefined) {
      throw new LockfileInvalid(`${JSON.stringify(shown(key))} has no resolution`, { line });
    }
    if ("resolved" in entry) {
      throw new LockfileInvalid(`${JSON.stringify(shown(key))} is an entry of yarn 1, too`, {
        line,
      });
    }
    addLocator(collector, resolution, {
      line,
      integrity: text(entry, "checksum"),
      version: text(entry, "version"),
    });
  }
  return collector.locked(`yarn.lock ${version}`);
}

function addLocator(collector: Collector, locator: string, details: Details): void {
  const { line } = details;
  const [name, reference] = splitSpec(locator) ?? [locator, ""];
  if (reference.startsWith("virtual:")) {
    return addLocator(collector, `${name}@${reference.replace(/^[^#]*#/, "")}`, details);
  }
  if (reference.startsWith("patch:")) {
    // What is downloaded is the release that the project's patch is put on.
    const inner = decode(reference.slice("patch:".length).replace(/#.*$/s, ""), line);
    if (splitSpec(inner) === null) {
      throw new LockfileInvalid(`${JSON.stringify(shown(locator))} is unexpected`, { line });
    }
    return addLocator(collector, inner, { line });
  }
  if (/^https?:/i.test(reference)) {
    const { version, integrity } = details;
    return addNpm(collector, {
      name,
      version,
      address: reference,
      byAddress: true,
      line,
      integrity,
    });
  }
  if (!reference.startsWith("npm:")) {
    const why = notRegistry(reference) ?? `is from no registry (${shown(reference)})`;
    return collector.skip(name, why);
  }
  const [, bare, bindings] = /^npm:(.*?)(?:::(.*))?$/s.exec(reference) ?? [];
  const [real, version] = splitSpec(bare) ?? [name, bare];
  const archive = new URLSearchParams(bindings).get("__archiveUrl");
  const stated = { name: real, version };
  addNpm(collector, {
    ...stated,
    address: archive === null ? undefined : completed(archive, stated, line),
    line,
    integrity: details.integrity,
  });
}

function decode(text: string, line: number | null): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new LockfileInvalid(`${JSON.stringify(shown(text))} is unexpected`, { line, cause });
  }
}
