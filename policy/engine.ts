import { createHash } from "node:crypto";
import { compileExceptions, type Exceptions } from "./exceptions.ts";
import { globMatcher, parsePattern } from "./pattern.ts";
import { RULES } from "./rules/mod.ts";
import type { IndexCheck, ReleaseCheck, Rule } from "./rules/rule.ts";
import { parsePolicy, type PolicyDocument } from "./schema.ts";
import type {
  Finding,
  JudgedFinding,
  Judgement,
  Lift,
  Policy,
  PrivateRegistry,
  Release,
  Verdict,
  VersionSchemes,
} from "./types.ts";

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
  const rules = compileRules(document, schemes);
  const exceptions = compileExceptions(document.exceptions, schemes);
  return Object.freeze({
    org: options.org,
    revision: options.revision,
    mode: document.mode,
    auth: document.auth,
    downloads: document.downloads,
    registries: document.registries.map((registry) => compileRegistry(registry, schemes)),
    webhooks: document.webhooks,
    auditOverride: rules.some(({ lifted }) => lifted),
    judge: (releases: readonly Release[], now: number, lift?: Lift) =>
      judge(releases, { rules, exceptions, now, lift }),
  });
}

interface CompiledRule {
  readonly id: string;
  readonly level: "deny" | "warn";
  readonly waivable: boolean;
  readonly lifted: boolean;
  readonly check: IndexCheck;
}

function compileRules(document: PolicyDocument, schemes: VersionSchemes): CompiledRule[] {
  const rules: readonly Rule[] = RULES;
  const compiled: CompiledRule[] = [];
  for (const rule of rules) {
    const settings = document.rules[rule.id as keyof PolicyDocument["rules"]];
    if (settings.level === "off") continue;
    compiled.push({
      id: rule.id,
      level: document.mode === "audit" ? "warn" : settings.level,
      waivable: rule.waivable,
      lifted: rule.lifted?.(settings) ?? false,
      check: rule.compile(settings, { schemes }),
    });
  }
  return compiled;
}

function compileRegistry(
  registry: PolicyDocument["registries"][number],
  schemes: VersionSchemes,
): PrivateRegistry {
  const { ecosystem, name } = parsePattern(registry.packages, schemes);
  return {
    ecosystem,
    matches: globMatcher(name),
    url: registry.url.endsWith("/") ? registry.url : `${registry.url}/`,
    tokenEnv: registry.token_env ?? null,
  };
}

interface Case {
  readonly rules: readonly CompiledRule[];
  readonly exceptions: Exceptions;
  readonly now: number;
  readonly lift?: Lift;
}

const ALLOWED: Verdict = Object.freeze({
  action: "allow",
  code: null,
  message: "",
  until: null,
  findings: Object.freeze([]),
});

const FAILED: Finding = Object.freeze({
  code: "metadata_invalid",
  message: "what the registry says of it cannot be checked",
  until: null,
});

function judge(releases: readonly Release[], asked: Case): Judgement {
  const checks = asked.rules.map((rule) => ({ rule, check: guarded(rule, releases, asked.now) }));
  const changes = new Changes(asked.now);
  const waive = waiver(asked, changes);
  const verdicts: Verdict[] = [];
  for (let position = 0; position < releases.length; position++) {
    const release = releases[position];
    let findings: JudgedFinding[] | null = null;
    for (const { rule, check } of checks) {
      const finding = check(release, position);
      if (finding === null) continue;
      changes.at(finding.until);
      findings ??= [];
      findings.push({
        code: finding.code,
        message: finding.message,
        until: finding.until,
        rule: rule.id,
        level: rule.level,
        waived: waive(rule, release),
      });
    }
    verdicts.push(findings === null ? ALLOWED : verdictOf(findings));
  }
  return { ...summary(verdicts), verdicts, changesAt: changes.next };
}

/** A rule that throws has not found a release to be good. */
function guarded(rule: CompiledRule, releases: readonly Release[], now: number): ReleaseCheck {
  try {
    const check = rule.check(releases, now);
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

/** What, if anything, takes a rule's finding back. */
function waiver({ exceptions, now, lift }: Case, changes: Changes) {
  const exceptionEnd = exceptions.finder(now);
  return (rule: CompiledRule, release: Release): JudgedFinding["waived"] => {
    try {
      const end = rule.waivable ? exceptionEnd(rule.id, release) : undefined;
      if (end !== undefined) {
        changes.at(end);
        return "exception";
      }
      return rule.lifted && lift?.(release) === true ? "audit_override" : null;
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

function verdictOf(findings: readonly JudgedFinding[]): Verdict {
  const counting = findings.filter(({ waived }) => waived === null);
  const denying = counting.filter(({ level }) => level === "deny");
  const deciding = denying.length > 0 ? denying : counting;
  if (deciding.length === 0) return { ...ALLOWED, findings };
  const [{ code, message, level: action }] = deciding;
  return { action, code, message, until: latest(deciding), findings };
}

function latest(findings: readonly Finding[]): number | null {
  let last = -Infinity;
  for (const { until } of findings) {
    if (until === null) return null;
    if (until > last) last = until;
  }
  return last;
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
