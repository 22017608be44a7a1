import { formatDuration } from "./duration.ts";
import { type LegacyPackage, readPackageList } from "./legacy_packages.ts";
import { type Fault, PolicyInvalid } from "./store/errors.ts";
import { pointerOf } from "./tree.ts";
import type { VersionSchemes } from "./types.ts";

/**
 * The configuration document of thinkst/package-proxy, so that one can be sent
 * in place of ours (https://github.com/thinkst/package-proxy).
 */

const LEGACY_KEYS: ReadonlySet<string> = new Set([
  "MIN_AGE_DAYS",
  "ALLOW_YANKED",
  "ALLOW_CHANGED_PUBLISHER",
  "ALLOW_AUDIT_OVERRIDE",
  "REWRITE_DOWNLOAD_URLS",
  "webhook-url",
  "approval-webhook-url",
  "blocklist",
  "allowlist",
]);

/** Ours goes up to a hundred years. */
const MAX_DAYS = 36_525;

/** Whether any key of a document is one of the other's; none of ours is. */
export function isLegacy(input: unknown): boolean {
  return typeof input === "object" && input !== null && !Array.isArray(input) &&
    Object.keys(input).some((key) => LEGACY_KEYS.has(key));
}

/** Translates a document into ours, defaults left out. Throws PolicyInvalid. */
export function translateLegacy(input: unknown, schemes: VersionSchemes): Record<string, unknown> {
  const faults: Fault[] = [];
  const members = new Map(Object.entries(typeof input === "object" && input ? input : {}));
  for (const key of members.keys()) {
    if (LEGACY_KEYS.has(key)) continue;
    faults.push({
      pointer: pointerOf([key]),
      detail: "unknown key of a thinkst/package-proxy configuration; the two cannot be mixed",
    });
  }
  const reader = new Reader(members, faults);
  const block = readPackageList(members.get("blocklist"), { key: "blocklist", schemes, faults });
  const allow = readPackageList(members.get("allowlist"), { key: "allowlist", schemes, faults });
  const document = {
    ...reader.downloads(),
    rules: {
      block: { entries: block.map(entryOf) },
      min_age: { ...reader.age(), ...reader.auditOverride() },
      yanked: reader.level("ALLOW_YANKED"),
      publisher_downgrade: reader.level("ALLOW_CHANGED_PUBLISHER"),
    },
    // There, too, the list of allowed packages lifted the age and nothing else.
    exceptions: allow.map((entry) => ({ ...entryOf(entry), rules: ["min_age"] })),
    webhooks: [
      ...reader.webhook("webhook-url", {}),
      ...reader.webhook("approval-webhook-url", { events: ["refusal"] }),
    ],
  };
  if (faults.length > 0) throw new PolicyInvalid(faults);
  return document;
}

function entryOf({ purl, versions }: LegacyPackage): Record<string, string> {
  return versions === null ? { purl } : { purl, versions };
}

/** Reads the simple members; each of them leaves our default where it is absent. */
class Reader {
  constructor(
    readonly members: ReadonlyMap<string, unknown>,
    readonly faults: Fault[],
  ) {}

  age(): { age?: string } {
    const days = this.members.get("MIN_AGE_DAYS");
    if (days === undefined) return {};
    if (typeof days !== "number" || !(days >= 0 && days <= MAX_DAYS)) {
      this.fault("MIN_AGE_DAYS", `expected a number of days from 0 to ${MAX_DAYS}`);
      return {};
    }
    return { age: formatDuration(days * 86_400_000) };
  }

  level(key: string): { level?: "off" | "deny" } {
    const allowed = this.flag(key);
    return allowed === undefined ? {} : { level: allowed ? "off" : "deny" };
  }

  auditOverride(): { audit_override?: boolean } {
    const audit_override = this.flag("ALLOW_AUDIT_OVERRIDE");
    return audit_override === undefined ? {} : { audit_override };
  }

  downloads(): { downloads?: "proxy" | "direct" } {
    const rewrite = this.flag("REWRITE_DOWNLOAD_URLS");
    return rewrite === undefined ? {} : { downloads: rewrite ? "proxy" : "direct" };
  }

  webhook(key: string, more: { events?: string[] }): { url: string; events?: string[] }[] {
    const url = this.members.get(key);
    if (url === undefined || url === null || url === "") return [];
    if (typeof url === "string" && /^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
      return [{ url, ...more }];
    }
    this.fault(key, "expected an absolute https address");
    return [];
  }

  flag(key: string): boolean | undefined {
    const value = this.members.get(key);
    if (value === undefined || typeof value === "boolean") return value;
    this.fault(key, "expected true or false");
    return undefined;
  }

  fault(key: string, detail: string): void {
    this.faults.push({ pointer: pointerOf([key]), detail });
  }
}
