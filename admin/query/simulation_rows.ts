import type { Simulation } from "../simulation_summary.ts";

export const SIMULATION = [
  "by",
  "value",
  "installs",
  "refused",
  "warned",
  "unknown",
  "code",
  "reason",
];

/** A simulation in lines: the total, then by reason code, package and user, then what is not known. */
export function simulationRows(simulated: Simulation): object[] {
  const { installs, refused, warned, unknown, cut } = simulated;
  const rows: object[] = [{ by: "total", value: "", installs, refused, warned, unknown }];
  if (cut !== null) {
    const { before, late } = cut;
    if (before !== null) {
      rows.push({ by: "cut", value: before, reason: "Earlier installs were not looked at." });
    }
    if (late > 0) {
      rows.push({ by: "cut", value: "", unknown: late, reason: "Time ran out for these." });
    }
  }
  for (const value of Object.keys(simulated.by_code).sort()) {
    rows.push({ by: "code", value, ...simulated.by_code[value] });
  }
  for (const { purl, refused, warned, code, reason } of simulated.packages) {
    rows.push({ by: "package", value: purl, refused, warned, code, reason });
  }
  rows.push(...more("packages", simulated.more_packages));
  for (const { user, refused, warned } of simulated.users) {
    rows.push({ by: "user", value: user, refused, warned });
  }
  rows.push(...more("users", simulated.more_users));
  for (const { ecosystem, package: name, installs, reason } of simulated.unknown_packages) {
    rows.push({ by: "unknown", value: `${ecosystem} ${name}`, unknown: installs, reason });
  }
  rows.push(...more("unknown packages", simulated.more_unknown_packages));
  return rows;
}

function more(what: string, count: number): object[] {
  return count === 0 ? [] : [{ by: "more", value: `${count} ${what}` }];
}
