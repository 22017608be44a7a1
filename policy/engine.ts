import { createHash } from "node:crypto";
import { advisoryMatcher } from "./advisories/affects.ts";
import { securityFixes } from "./advisories/security_fix.ts";
import { formatInstant } from "./duration.ts";
import { compileExceptions, type Exceptions } from "./exceptions.ts";
import { compileIdentity } from "./identities.ts";
import { compileLimits } from "./limits.ts";
import { bySpecificity, globMatcher, parsePattern } from "./pattern.ts";
import { publishedUntil } from "./rules/freeze.ts";
import { RULES } from "./rules/mod.ts";
import type { IndexCheck, ReleaseCheck, Rule, RuleFacts, RuleNeeds } from "./rules/rule.ts";
import { parsePolicy, type PolicyDocument } from "./schema.ts";
import type {
  Facts,
  Finding,
  JudgedFinding,
  Judgement,
  Lift,
  Policy,
  PolicyNeeds,
  PrivateRegistry,
  Release,
  Verdict,
  VersionSchemes,
} from "./types.ts";
import { ALLOWED, verdictOf } from "./verdict.ts";

/** The one place where releases are judged. */

export interface CompileOptions {
  readonly org: string;
  readonly revision: string;
  readonly schemes: VersionSchemes;
}

/** Checks a document and compiles it. Throws PolicyInvalid. */
export function compilePolicy(document: unknown, options: CompileOptions): Policy {
  return compileDocument(parsePolicy(document, options.schemes), options);
}

/** Compiles a document that `parsePolicy` has returned. */
export function compileDocument(document: PolicyDocument, options: CompileOptions): Policy {
  const { schemes } = options;
  const registries = compileRegistries(document.registries, schemes);
  const rules = compileRules(document, schemes, registries);
  const exceptions = compileExceptions(document.exceptions, schemes);
  const byName = rules.filter((rule) => rule.byName);
  const judgeName = (ecosystem: string, name: string, now: number) => {
    const asked = { rules: byName, exceptions, schemes, now, facts: UNASKED };
    return judge([nameless({ ecosystem, name })], asked).verdicts[0];
  };
  const standing = {
    org: options.org,
    mode: document.mode,
    auth: document.auth,
    downloads: document.downloads,
    verify: document.verify,
    onStoreFailure: document.on_store_failure,
    limits: compileLimits(document.limits),
    registries,
    webhooks: document.webhooks,
    identities: document.identities.map(compileIdentity),
    auditOverride: rules.some(({ lifted }) => lifted),
    needs: needsOf(rules, byName.length === 0 ? null : judgeName),
    judgeName: byName.length === 0 ? null : judgeName,
    asOf: (instant: number) => policyWith([timeMachine(instant), ...rules], instant),
  };
  return policyWith(rules, null);

  function policyWith(rules: readonly CompiledRule[], before: number | null): Policy {
    const { revision } = options;
    return Object.freeze({
      ...standing,
      revision: before === null ? revision : `${revision} before ${formatInstant(before)}`,
      before,
      judge: (releases: readonly Release[], now: number, lift?: Lift, facts = UNASKED) =>
        judge(releases, { rules, exceptions, schemes, now, lift, facts }),
    });
  }
}

/** What stands for a package of which nothing but the name is known. */
function nameless({ ecosystem, name }: Pick<Release, "ecosystem" | "name">): Release {
  return {
    ecosystem,
    name,
    version: "",
    publishedAt: null,
    yanked: false,
    trust: null,
    installScripts: null,
    files: [],
  };
}

/** Who asks for the packages of an earlier day gets them, whatever the policy lets others have. */
function timeMachine(instant: number): CompiledRule {
  const check = publishedUntil(instant);
  return {
    id: "freeze",
    level: "deny",
    waivable: false,
    lifted: false,
    liftedByFix: false,
    byName: false,
    needs: {},
    check: () => check,
  };
}

interface CompiledRule {
  readonly id: string;
  readonly level: "deny" | "warn";
  readonly waivable: boolean;
  readonly lifted: boolean;
  readonly liftedByFix: boolean;
  readonly byName: boolean;
  readonly needs: RuleNeeds;
  readonly check: IndexCheck;
}

function compileRules(
  document: PolicyDocument,
  schemes: VersionSchemes,
  registries: readonly PrivateRegistry[],
): CompiledRule[] {
  const rules: readonly Rule[] = RULES;
  const context = {
    schemes,
    onAdvisoryFailure: document.on_advisory_failure,
    isPrivate: (ecosystem: string, name: string) => {
      const normal = schemes.get(ecosystem)?.normalizeName(name) ?? null;
      return normal !== null &&
        registries.some((entry) => entry.ecosystem === ecosystem && entry.matches(normal));
    },
  };
  const compiled: CompiledRule[] = [];
  for (const rule of rules) {
    const settings = document.rules[rule.id as keyof PolicyDocument["rules"]];
    if (settings.level === "off") continue;
    compiled.push({
      id: rule.id,
      level: document.mode === "audit" ? "warn" : settings.level,
      waivable: rule.waivable,
      lifted: rule.lifted?.(settings) ?? false,
      liftedByFix: rule.liftedByFix?.(settings) ?? false,
      byName: rule.byName === true,
      needs: rule.needs?.(settings, context) ?? {},
      check: rule.compile(settings, context),
    });
  }
  return compiled;
}

function needsOf(
  rules: readonly CompiledRule[],
  judgeName: Policy["judgeName"],
): PolicyNeeds | null {
  const advisories = rules.some(({ needs }) => needs.advisories === true);
  const asking = rules.flatMap(({ needs }) => needs.dependencies ?? []);
  if (!advisories && asking.length === 0) return null;
  return {
    advisories,
    dependencies: asking.length === 0 ? null : (releases, now) => {
      const names = new Set(asking.flatMap((names) => names(releases, now)));
      // Nobody is asked about a name that is not to be asked for.
      return [...names].filter((name) =>
        judgeName?.(releases[0].ecosystem, name, now).action !== "deny"
      );
    },
  };
}

/** Most specific first: the first that matches a package is asked for it. */
function compileRegistries(
  registries: PolicyDocument["registries"],
  schemes: VersionSchemes,
): PrivateRegistry[] {
  const read = registries.map((registry) => ({
    registry,
    pattern: parsePattern(registry.packages, schemes),
  }));
  return [...Map.groupBy(read, ({ pattern }) => pattern.ecosystem).values()].flatMap((group) =>
    group.sort((a, b) => bySpecificity(a.pattern, b.pattern)).map(({ registry, pattern }) => ({
      ecosystem: pattern.ecosystem,
      matches: globMatcher(pattern.name),
      url: registry.url.endsWith("/") ? registry.url : `${registry.url}/`,
      fileOrigins: (registry.files ?? []).map((file) => new URL(file).origin),
      tokenEnv: registry.token_env ?? null,
    }))
  );
}

interface Case {
  readonly rules: readonly CompiledRule[];
  readonly exceptions: Exceptions;
  readonly schemes: VersionSchemes;
  readonly now: number;
  readonly lift?: Lift;
  readonly facts: Facts;
}

/** Whoever hands in no facts has asked nobody. */
const UNASKED: Facts = Object.freeze({
  id: "",
  advisories: Object.freeze({ state: "never", list: Object.freeze([]), asOf: null }),
  dependencies: new Map(),
});

const FAILED: Finding = Object.freeze({
  code: "metadata_invalid",
  message: "what the registry says of it cannot be checked",
  until: null,
});

function judge(releases: readonly Release[], asked: Case): Judgement {
  const facts = ruleFacts(releases, asked);
  const checks = asked.rules.map((rule) => ({
    rule,
    check: guarded(rule, releases, asked, facts),
  }));
  const changes = new Changes(asked.now);
  const waive = waiver(asked, changes);
  const found: (JudgedFinding[] | null)[] = [];
  /** When what waives a finding ends, where it does (Unix ms). */
  const waivedUntil = new Map<JudgedFinding, number>();
  for (let position = 0; position < releases.length; position++) {
    const release = releases[position];
    let findings: JudgedFinding[] | null = null;
    for (const { rule, check } of checks) {
      const finding = check(release, position);
      if (finding === null) continue;
      changes.at(finding.until);
      findings ??= [];
      const waived = waive(rule, release);
      const judged: JudgedFinding = {
        code: finding.code,
        message: finding.message,
        until: finding.until,
        rule: rule.id,
        level: rule.level,
        waived: waived?.by ?? null,
      };
      findings.push(judged);
      if (waived !== null && waived.until !== null) waivedUntil.set(judged, waived.until);
    }
    found.push(findings);
  }
  liftFixes(releases, found, { asked, facts });
  const verdicts = found.map((findings) =>
    findings === null ? ALLOWED : verdictOf(findings, waivedUntil)
  );
  return { ...summary(verdicts), verdicts, changesAt: changes.next };
}

function ruleFacts(releases: readonly Release[], { facts, schemes }: Case): RuleFacts {
  const { state, asOf, list } = facts.advisories;
  return {
    advisories: { state, asOf, affecting: advisoryMatcher(releases, list, schemes) },
    dependencies: facts.dependencies,
  };
}

/** Lets releases out early that mend what every older one suffers from. */
function liftFixes(
  releases: readonly Release[],
  found: (JudgedFinding[] | null)[],
  { asked, facts }: { asked: Case; facts: RuleFacts },
): void {
  const rule = asked.rules.find(({ liftedByFix }) => liftedByFix);
  const scheme = asked.schemes.get(releases[0]?.ecosystem);
  const { list } = asked.facts.advisories;
  if (rule === undefined || scheme === undefined) return;
  if (!list.some(({ reviewed, fixed }) => reviewed && fixed.length > 0)) return;
  const isAge = (finding: JudgedFinding) => finding.code === rule.id && finding.rule === rule.id;
  if (!found.some((findings) => findings?.some(isAge))) return;
  // Where the rule only warns, what other rules warn of is as good as withheld.
  const holding = (position: number) =>
    (found[position] ?? []).filter(({ level, waived, rule: id }) =>
      waived === null && id !== "vulnerable" && (level === "deny" || rule.level === "warn")
    );
  try {
    const fixes = securityFixes(releases, scheme, {
      isYoung: (position) => holding(position).length > 0 && holding(position).every(isAge),
      isAllowed: (position) => holding(position).length === 0,
      affecting: facts.advisories.affecting,
    });
    for (const position of fixes) {
      found[position] = (found[position] ?? []).map((finding) =>
        isAge(finding) && finding.waived === null ? { ...finding, waived: "security_fix" } : finding
      );
    }
  } catch {
    return; // a fix that cannot be told from others is none
  }
}

/** A rule that throws has not found a release to be good. */
function guarded(
  rule: CompiledRule,
  releases: readonly Release[],
  { now }: Case,
  facts: RuleFacts,
): ReleaseCheck {
  try {
    const check = rule.check(releases, now, facts);
    return (release, position) => {
      try {
        return check(release, position);
      } catch {
        return FAILED;
      }
    };
  } catch {
    return () => FAILED;
  }
}

interface Waiver {
  readonly by: JudgedFinding["waived"];
  /** Unix ms; null: it does not end. */
  readonly until: number | null;
}

/** What, if anything, takes a rule's finding back. */
function waiver({ exceptions, now, lift }: Case, changes: Changes) {
  const exceptionEnd = exceptions.finder(now);
  return (rule: CompiledRule, release: Release): Waiver | null => {
    try {
      const end = rule.waivable ? exceptionEnd(rule.id, release) : undefined;
      if (end !== undefined) {
        changes.at(end);
        return { by: "exception", until: end };
      }
      // Nothing is to be had by waiting for the end of a minute.
      return rule.lifted && lift?.(release) === true ? { by: "audit_override", until: now } : null;
    } catch {
      return null; // an exception that cannot be applied is none
    }
  };
}

/** The earliest instant at which something ends. */
class Changes {
  next: number | null = null;

  constructor(readonly now: number) {}

  at(instant: number | null): void {
    if (instant === null || !(instant > this.now)) return;
    if (this.next === null || instant < this.next) this.next = instant;
  }
}

function summary(verdicts: readonly Verdict[]): { denied: number; signature: string } {
  let denied = 0;
  let text = "";
  verdicts.forEach(({ action, code, message, until }, position) => {
    if (action !== "deny") return;
    denied++;
    // Quoted, since a message holds a registry's own words.
    text += `${position} ${code} ${until} ${JSON.stringify(message)}\n`;
  });
  if (denied === 0) return { denied, signature: "" };
  return { denied, signature: createHash("sha256").update(text).digest("base64url") };
}
