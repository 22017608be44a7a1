import * as v from "valibot";

/** Ages as people write them: `90m`, `36h`, `10d`, `2w`, `0`. */

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const FORM = /^(\d{1,9})([mhdw])$/;
/** A hundred years, so that no date computed from an age leaves what Date can hold. */
const LONGEST = 36_525 * UNITS.d;

/** Reads an age as milliseconds. Throws SyntaxError. */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const match = FORM.exec(text);
  const milliseconds = match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : NaN;
  if (milliseconds <= LONGEST) return milliseconds;
  throw new SyntaxError(
    `Cannot read ${JSON.stringify(text.slice(0, 40))} as an age: ` +
      `give minutes, hours, days or weeks such as "90m", "36h", "10d", "2w" or "0", at most 36525d`,
  );
}

/** Writes milliseconds as an age in the largest unit that is exact; parts of a minute count as one. */
export function formatDuration(milliseconds: number): string {
  const minutes = Math.ceil(milliseconds / UNITS.m);
  if (minutes === 0) return "0";
  for (const unit of ["d", "h"] as const) {
    const size = UNITS[unit] / UNITS.m;
    if (minutes % size === 0) return `${minutes / size}${unit}`;
  }
  return `${minutes}m`;
}

/** Seconds are enough for people, and a date outside what Date holds must not throw. */
export function formatInstant(milliseconds: number): string {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return "an unreadable date";
  return date.toISOString().replace(".000Z", "Z");
}

/** An age within a document. */
export const durationSchema = v.pipe(
  v.string('expected an age such as "10d"'),
  v.check((text) => reads(text), (issue) => describe(issue.input)),
);

function reads(text: string): boolean {
  try {
    return parseDuration(text) >= 0;
  } catch {
    return false;
  }
}

function describe(text: string): string {
  return `${JSON.stringify(text.slice(0, 40))} is no age: ` +
    `give "90m", "36h", "10d", "2w" or "0", at most "36525d"`;
}

/**
 * Reads an ISO 8601 date or a date-time with offset as Unix ms. A date alone is
 * its first instant in UTC. Throws SyntaxError.
 */
export function parseInstant(text: string): number {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/
      .exec(text);
  const milliseconds = match ? Date.parse(text) : NaN;
  if (!match || Number.isNaN(milliseconds) || !isDay(+match[1], +match[2], +match[3])) {
    throw new SyntaxError(`Cannot read ${JSON.stringify(text.slice(0, 40))} as an ISO 8601 date`);
  }
  return milliseconds;
}

/** Date.parse turns 30 February into March. */
function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** A date within a document. */
export const instantSchema = v.pipe(
  v.string("expected an ISO 8601 date"),
  v.check((text) => {
    try {
      return Number.isFinite(parseInstant(text));
    } catch {
      return false;
    }
  }, (issue) =>
    `${JSON.stringify(issue.input.slice(0, 40))} is no ISO 8601 date ` +
    `("2026-12-01", "2026-12-01T10:00:00Z")`),
);
