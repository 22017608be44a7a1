/** The curves of point 8 as SVG, both axes logarithmic: linear growth is the grey diagonal. */
import { format } from "./report.ts";
import type { Row } from "./row.ts";

const WIDTH = 480;
const HEIGHT = 300;
const MARGIN = { left: 56, right: 130, top: 34, bottom: 40 } as const;
const COLOURS = ["#0b62a4", "#c2410c", "#15803d", "#7e22ce", "#a16207"];

/** Smaller values are drawn as this. */
const LEAST = 0.1;
const LINE = 14;

interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

export function drawCurves(rows: readonly Row[]): string {
  const panels = Map.groupBy(
    rows.filter((row) => row.curve !== undefined),
    (row) => row.curve!.panel,
  );
  const columns = 2;
  const width = WIDTH * columns;
  const height = HEIGHT * Math.ceil(panels.size / columns);
  const drawn = [...panels].map(([title, list], i) => {
    const [x, y] = [i % columns * WIDTH, Math.floor(i / columns) * HEIGHT];
    return `<g transform="translate(${x} ${y})">\n${panel(title, list)}\n</g>`;
  });
  return `<!-- deno-fmt-ignore-file -->\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    `font-family="sans-serif" font-size="11">\n` +
    `<rect width="${width}" height="${height}" fill="white"/>\n${drawn.join("\n")}\n</svg>\n`;
}

function panel(title: string, rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))];
  const curves = names.map((name): Curve => ({
    name,
    points: rows.flatMap(({ values, curve }) =>
      values[name] === undefined ? [] : [[curve!.x, Math.max(values[name], LEAST)] as const]
    ),
  }));
  const all = curves.flatMap(({ points }) => points);
  const x = axis(all.map((point) => point[0]), MARGIN.left, WIDTH - MARGIN.right);
  const y = axis(all.map((point) => point[1]), HEIGHT - MARGIN.bottom, MARGIN.top);
  return [
    `<text x="${MARGIN.left}" y="18" font-size="13">${title}</text>`,
    ...x.ticks.map((tick) =>
      `<path d="M${x.at(tick)} ${MARGIN.top}V${HEIGHT - MARGIN.bottom}" stroke="#eee"/>` +
      `<text x="${x.at(tick)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${
        short(tick)
      }</text>`
    ),
    ...y.ticks.map((tick) =>
      `<path d="M${MARGIN.left} ${y.at(tick)}H${WIDTH - MARGIN.right}" stroke="#eee"/>` +
      `<text x="${MARGIN.left - 6}" y="${y.at(tick) + 4}" text-anchor="end">${short(tick)}</text>`
    ),
    diagonal(x, y),
    ...curves.map(({ points }, i) => {
      const placed = points.map(([px, py]) => `${x.at(px)} ${y.at(py)}`);
      const style = `fill="none" stroke="${COLOURS[i]}" stroke-width="2"`;
      return `<path d="M${placed.join("L")}" ${style}/>`;
    }),
    ...labels(curves, { x, y }),
  ].join("\n");
}

interface Axis {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** From the power of ten below the least value to the one above the greatest. */
function axis(values: readonly number[], from: number, to: number): Axis {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(Math.ceil(Math.log10(Math.max(...values))), low + 1);
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
    at: (value) => Math.round(from + (to - from) * (Math.log10(value) - low) / (high - low)),
  };
}

/** As steep as linear growth, from the lower left corner. */
function diagonal(x: Axis, y: Axis): string {
  const decades = Math.min(x.ticks.length, y.ticks.length) - 1;
  const [x1, y1] = [x.at(x.ticks[0]), y.at(y.ticks[0])];
  const [x2, y2] = [x.at(x.ticks[decades]), y.at(y.ticks[decades])];
  return `<path d="M${x1} ${y1}L${x2} ${y2}" stroke="#bbb" stroke-dasharray="3 3"/>`;
}

/** At the ends of the curves, pushed down where they would lie on each other. */
function labels(curves: readonly Curve[], { x, y }: { x: Axis; y: Axis }): string[] {
  const placed = curves.flatMap(({ name, points }, i) => {
    const [last] = points.slice(-1);
    return last === undefined ? [] : [{ name, last, colour: COLOURS[i], at: y.at(last[1]) + 4 }];
  }).sort((a, b) => a.at - b.at);
  let below = -Infinity;
  return placed.map(({ name, last, colour, at }) => {
    below = Math.max(at, below + LINE);
    const [text, unit] = name === "MB" ? ["peak memory", "MB"] : [name, "ms"];
    return `<text x="${x.at(last[0]) + 6}" y="${below}" fill="${colour}">` +
      `${text} ${format(last[1])} ${unit}</text>`;
  });
}

function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e3 ? `${value / 1e3}k` : String(value);
}
