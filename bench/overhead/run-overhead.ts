import { assembled } from '../contestants/assembled.ts';
import type { Contestant } from '../contestants/contestant.ts';
import { ours } from '../contestants/ours.ts';
import { byHand, withRxjs } from './loops.ts';
import { type Cost, type Mode, playOverhead } from './play-overhead.ts';

export const rivals = { byHand, withRxjs, assembled, ours } satisfies Record<string, Contestant>;
export type RivalName = keyof typeof rivals;
export const modes: readonly Mode[] = ['socket', 'poll-only'];

export interface OverheadReport {
  monitors: number[];
  costs: Record<Mode, Record<RivalName, Cost[]>>;
}

/** The compiler of the machine has seen everybody's code before anything is measured. */
const WARM_UP = 60;
/** One monitor is done in no time: many runs make a figure. */
const LEAST_ASSESSMENTS = 30;
/** Leftovers of earlier contestants are freed whenever the garbage collector runs, so a single run may report too little. */
const RUNS = 3;
/** Beside so many the rest of others is nothing, and a run takes minutes. */
const MOST_ASSESSMENTS = 3_000;

/** Everybody in turn, in one process. */
export async function measureOverhead(monitors: number[]): Promise<OverheadReport> {
  const names = Object.keys(rivals) as RivalName[];
  for (const mode of modes) for (const name of names) await playOverhead(rivals[name], mode, WARM_UP);
  const costs = Object.fromEntries(
    modes.map((mode) => [mode, Object.fromEntries(names.map((name) => [name, [] as Cost[]]))]),
  ) as OverheadReport['costs'];
  for (const count of monitors) {
    for (const mode of modes) {
      for (const name of names) {
        const runs: Cost[] = [];
        const atMost = Math.ceil(MOST_ASSESSMENTS / count);
        const atLeast = Math.max(RUNS, Math.ceil(LEAST_ASSESSMENTS / count));
        while (runs.length < Math.min(atLeast, atMost)) runs.push(await playOverhead(rivals[name], mode, count));
        const median = (of: (cost: Cost) => number) =>
          runs.map(of).toSorted((a, b) => a - b)[Math.floor(runs.length / 2)] ?? Number.NaN;
        costs[mode][name].push({
          monitors: count,
          cpuMsPerAssessment: median((it) => it.cpuMsPerAssessment),
          heapPerMonitor: median((it) => it.heapPerMonitor),
          requestsPerAssessment: median((it) => it.requestsPerAssessment),
        });
      }
      process.stderr.write(`${count} monitors, ${mode}\n`);
    }
  }
  return { monitors, costs };
}

/** What the issue of overhead is about, each as a sentence where it is not so. */
export function overheadShortcomings({ monitors, costs }: OverheadReport): string[] {
  const lines: string[] = [];
  const kilobytes = (bytes: number) => `${(bytes / 1_000).toFixed(1)} kB`;
  for (const mode of modes) {
    for (const [index, count] of monitors.entries()) {
      const [mine, theirs] = [costs[mode].ours[index], costs[mode].assembled[index]];
      if (!mine || !theirs) continue;
      const where = `${count} monitors, ${mode}`;
      if (mine.cpuMsPerAssessment > theirs.cpuMsPerAssessment)
        lines.push(
          `${where}: ours takes ${mine.cpuMsPerAssessment.toFixed(2)} ms of CPU an assessment, assembled ${theirs.cpuMsPerAssessment.toFixed(2)}`,
        );
      if (mine.heapPerMonitor > theirs.heapPerMonitor)
        lines.push(
          `${where}: ours holds ${kilobytes(mine.heapPerMonitor)}, assembled ${kilobytes(theirs.heapPerMonitor)}`,
        );
      if (mode === 'socket' && mine.requestsPerAssessment > 16)
        lines.push(
          `${where}: ours makes ${mine.requestsPerAssessment.toFixed(1)} requests an assessment, more than 16`,
        );
    }
  }
  for (const mode of modes) lines.push(...growth(mode, costs[mode].ours));
  return lines;
}

const MAX_GROWTH = 1.2;

/** A monitor must not cost more for having many others beside it. */
function growth(mode: Mode, ours: readonly Cost[]): string[] {
  const [few, many] = [ours.find(({ monitors }) => monitors === 100), ours.find(({ monitors }) => monitors === 10_000)];
  if (!few || !many) return [];
  const ratios = {
    CPU: many.cpuMsPerAssessment / few.cpuMsPerAssessment,
    heap: many.heapPerMonitor / few.heapPerMonitor,
  };
  return Object.entries(ratios).flatMap(([what, ratio]) =>
    ratio > MAX_GROWTH ? [`${mode}: one of 10,000 monitors takes ${ratio.toFixed(2)} x the ${what} of one of 100`] : [],
  );
}
