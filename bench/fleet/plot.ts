import { type ContestantName, contestants } from '../contestants/index.ts';
import { type FaultName, faults } from './faults.ts';
import { END_MS, FAULT_AT_MS, type FleetRun } from './play-fleet.ts';

/*
 * A plot of one fault: a row for each contestant, all its requests per second against time. The dashed line is three times its steady
 * state; each row has a scale of its own, which its number tells.
 */

const WIDTH = 720;
const ROW = 84;
const LEFT = 100;
const RIGHT = 16;
const TOP = 40;
const BOTTOM = 28;
const SECONDS = END_MS / 1_000;
/** Averaged over so many seconds, so that a line can be read. */
const BIN = 2;
const FROM_S = 120;

/** @returns an SVG document */
export function plotFault(name: FaultName, runs: readonly FleetRun[]): string {
  const names = Object.keys(contestants) as ContestantName[];
  const height = TOP + names.length * ROW + BOTTOM;
  const find = (fault: FaultName, contestant: ContestantName) =>
    runs.find((run) => run.fault === fault && run.contestant === contestant) as FleetRun;
  const rows = names.map((its, index) =>
    row(its, TOP + index * ROW, binned(find(name, its)), binned(find('calm', its))),
  );
  const { forMs, title } = faults[name];
  const band =
    name === 'calm'
      ? ''
      : `<rect x="${x(FAULT_AT_MS / 1_000)}" y="${TOP}" width="${Math.max(1, x((FAULT_AT_MS + forMs) / 1_000) - x(FAULT_AT_MS / 1_000))}" height="${names.length * ROW}" fill="#f3d9d6"/>`;
  const ticks = Array.from({ length: (SECONDS - FROM_S) / 60 + 1 }, (_, minute) => FROM_S + minute * 60);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="${LEFT}" y="22" font-size="14">Requests per second and 100,000 clients: ${title}</text>`,
    band,
    ...rows,
    ...ticks.map(
      (tick) =>
        `<text x="${x(tick)}" y="${height - 10}" text-anchor="${tick === SECONDS ? 'end' : 'middle'}">${tick / 60} min</text>`,
    ),
    '</svg>',
    '',
  ].join('\n');
}

const x = (second: number) => round(LEFT + ((second - FROM_S) / (SECONDS - FROM_S)) * (WIDTH - LEFT - RIGHT));
const round = (value: number) => Math.round(value * 10) / 10;

function row(name: string, top: number, values: readonly number[], calm: readonly number[]): string {
  const steady = calm.reduce((sum, value) => sum + value, 0) / Math.max(1, calm.length);
  const most = Math.max(1, steady * 3.2, ...values);
  const y = (value: number) => round(top + ROW - 8 - (value / most) * (ROW - 20));
  const line = values.map((value, index) => `${x(FROM_S + (index + 0.5) * BIN)},${y(value)}`).join(' ');
  const dashed = y(steady * 3);
  return [
    `<text x="8" y="${top + 24}">${name}</text>`,
    `<text x="8" y="${top + 42}" fill="#777">to ${Math.round(most).toLocaleString('en')}/s</text>`,
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(0)}" y2="${y(0)}" stroke="#bbb"/>`,
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${dashed}" y2="${dashed}" stroke="#999" stroke-dasharray="4 4"/>`,
    `<polyline points="${line}" fill="none" stroke="${name === 'ours' ? '#1a7f37' : '#3b6ea5'}" stroke-width="1.5"/>`,
  ].join('\n');
}

/** All routes together, from the time on when everybody is there; per second and 100,000 clients. */
function binned({ perSecond, clients }: FleetRun): number[] {
  const values = Object.values(perSecond);
  return Array.from({ length: (SECONDS - FROM_S) / BIN }, (_, bin) => {
    let sum = 0;
    for (const counts of values) {
      for (let second = 0; second < BIN; second += 1) sum += counts[FROM_S + bin * BIN + second] ?? 0;
    }
    return (sum / BIN / clients) * 100_000;
  });
}
