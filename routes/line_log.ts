import type { Log } from "./deps.ts";

/**
 * One line of JSON for each event. What cannot be written, since the disk that
 * takes it is full for instance, is lost: no request fails for its line. The
 * next one that can be says how many were (`lines_lost`).
 * @param print throws where a line cannot be written
 */
export function lineLog({ now, print }: { now: () => number; print: (line: string) => void }): Log {
  let lost = 0;
  return (line) => {
    const event = { at: new Date(now()).toISOString(), ...line };
    const text = JSON.stringify(lost === 0 ? event : { ...event, lines_lost: lost });
    try {
      print(text);
      lost = 0;
    } catch {
      lost++;
    }
  };
}
