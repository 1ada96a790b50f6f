import { assembled } from '../contestants/assembled.ts';
import type { Contestant } from '../contestants/contestant.ts';
import { ours } from '../contestants/ours.ts';
import { byHand, withRxjs } from './loops.ts';
import { type Clients, type Cost, type Mode, type Played, playOverhead } from './play-overhead.ts';
import { type AttachmentName, attachments, takeAttachedMs } from './telemetry.ts';

export const rivals = { byHand, withRxjs, assembled, ours } satisfies Record<string, Contestant>;
export type RivalName = keyof typeof rivals;
/** Those who watch several jobs in one page; a loop watches the one that it was written for. */
export const pages = { assembled, ours } satisfies Record<string, Contestant>;
export type PageName = keyof typeof pages;
export const modes: readonly Mode[] = ['socket', 'poll-only'];

export interface OverheadPlan {
  /** Numbers of assessments side by side, each with a client of its own. */
  monitors: number[];
  /** Numbers of assessments of one client. */
  assessments: number[];
  /** How often each attachment is measured; 0 for not at all. */
  rounds: number;
}

export interface TelemetryCost extends Cost {
  /** CPU time an assessment, beside the same round with nothing attached: the median of the rounds. Rounds of a busy machine differ by a fifth. */
  cpuRatio: number;
  /** The time within what is attached, its setup and its exports included, beside the time of everything else in the same run. */
  addedShare: number;
}

export interface OverheadReport {
  monitors: number[];
  /** Each assessment with a client of its own. */
  costs: Record<Mode, Record<RivalName, Cost[]>>;
  assessments: number[];
  /** All assessments with one client, as in a page. */
  oneClient: Record<Mode, Record<PageName, Cost[]>>;
  /** One client, with something that hears its events. */
  telemetry: Record<Mode, Record<AttachmentName, TelemetryCost[]>>;
}

/** The compiler of the machine has seen everybody's code before anything is measured. */
const WARM_UP = 60;
/** One monitor is done in no time: many runs make a figure. */
const LEAST_ASSESSMENTS = 30;
const RUNS = 3;
/** Beside so many the rest of others is nothing, and a run takes minutes. */
const MOST_ASSESSMENTS = 3_000;
/** The number of assessments in the page that telemetry is attached to. */
const WITH_TELEMETRY = 50;

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const medianCost = (runs: readonly Cost[]): Cost => {
  const of = (read: (cost: Cost) => number) => median(runs.map(read));
  return {
    monitors: of((it) => it.monitors),
    cpuMsPerAssessment: of((it) => it.cpuMsPerAssessment),
    cpuMsPerRequest: of((it) => it.cpuMsPerRequest),
    // The most: a run that begins beside leftovers of another one reports too little, and never too much.
    heapPerMonitor: Math.max(...runs.map((it) => it.heapPerMonitor)),
    requestsPerAssessment: of((it) => it.requestsPerAssessment),
  };
};

const namesOf = <Name extends string>(of: Record<Name, unknown>): Name[] => Object.keys(of) as Name[];

interface Run extends Played {
  attachedMs: number;
}

/** Everybody in turn, round after round, each round beginning with another one: what slows the machine down slows all of them. */
async function playRounds<Name extends string>(
  those: Record<Name, Contestant>,
  rounds: number,
  mode: Mode,
  monitors: number,
  clients: Clients,
): Promise<Record<Name, Run[]>> {
  const names = namesOf(those);
  const played = Object.fromEntries(names.map((name) => [name, [] as Run[]])) as Record<Name, Run[]>;
  for (let round = 0; round < rounds; round += 1) {
    const first = round % names.length;
    const order = [...names.slice(first), ...names.slice(0, first)];
    for (const name of round % 2 === 0 ? order : order.toReversed()) {
      takeAttachedMs();
      const run = await playOverhead(those[name], mode, monitors, clients);
      played[name].push({ ...run, attachedMs: takeAttachedMs() });
    }
  }
  return played;
}

async function measureEach<Name extends string>(
  those: Record<Name, Contestant>,
  counts: readonly number[],
  clients: Clients,
): Promise<Record<Mode, Record<Name, Cost[]>>> {
  const table = emptyTable<Name, Cost>(those);
  for (const count of counts) {
    for (const mode of modes) {
      const atMost = Math.ceil(MOST_ASSESSMENTS / count);
      const atLeast = Math.max(RUNS, Math.ceil(LEAST_ASSESSMENTS / count));
      const played = await playRounds(those, Math.min(atLeast, atMost), mode, count, clients);
      for (const name of namesOf(those)) table[mode][name].push(medianCost(played[name]));
      process.stderr.write(`${count} monitors, ${clients === 'each' ? 'a client each' : 'one client'}, ${mode}\n`);
    }
  }
  return table;
}

async function measureTelemetry(rounds: number): Promise<OverheadReport['telemetry']> {
  const table = emptyTable<AttachmentName, TelemetryCost>(attachments);
  if (rounds === 0) return table;
  for (const mode of modes) {
    const played = await playRounds(attachments, rounds, mode, WITH_TELEMETRY, 'one');
    for (const name of namesOf(attachments)) {
      const ratios = played[name].map((cost, round) => {
        const alone = played.nothing[round]?.cpuMsPerAssessment ?? Number.NaN;
        return cost.cpuMsPerAssessment / alone;
      });
      const shares = played[name].map(({ attachedMs, elapsedMs }) => attachedMs / (elapsedMs - attachedMs));
      table[mode][name].push({ ...medianCost(played[name]), cpuRatio: median(ratios), addedShare: median(shares) });
    }
    process.stderr.write(`telemetry, ${mode}\n`);
  }
  return table;
}

const emptyTable = <Name extends string, Row>(those: Record<Name, unknown>): Record<Mode, Record<Name, Row[]>> =>
  Object.fromEntries(
    modes.map((mode) => [mode, Object.fromEntries(namesOf(those).map((name) => [name, [] as Row[]]))]),
  ) as Record<Mode, Record<Name, Row[]>>;

/** Everybody in turn, in one process. */
export async function measureOverhead({ monitors, assessments, rounds }: OverheadPlan): Promise<OverheadReport> {
  for (const mode of modes) {
    for (const contestant of Object.values({ ...rivals, ...(rounds > 0 && attachments) }))
      await playOverhead(contestant, mode, WARM_UP, 'each');
  }
  return {
    monitors,
    costs: await measureEach(rivals, monitors, 'each'),
    assessments,
    oneClient: await measureEach(pages, assessments, 'one'),
    telemetry: await measureTelemetry(rounds),
  };
}

const MAX_ADDED_SHARE = 0.05;

/** What the issue of overhead is about, each as a sentence where it is not so. */
export function overheadShortcomings(report: OverheadReport): string[] {
  const { costs, oneClient, telemetry } = report;
  return modes.flatMap((mode) => [
    ...beside(`${mode}, a client each`, mode, costs[mode].ours, costs[mode].assembled),
    ...beside(`${mode}, one client`, mode, oneClient[mode].ours, oneClient[mode].assembled),
    ...growth(mode, costs[mode].ours),
    ...namesOf(attachments).flatMap((name) =>
      telemetry[mode][name]
        .filter(({ addedShare }) => addedShare > MAX_ADDED_SHARE)
        .map(({ addedShare }) => `${mode}: ${name} adds ${(100 * addedShare).toFixed(1)} % to an assessment`),
    ),
  ]);
}

function beside(where: string, mode: Mode, ours: readonly Cost[], others: readonly Cost[]): string[] {
  const kilobytes = (bytes: number) => `${(bytes / 1_000).toFixed(1)} kB`;
  return ours.flatMap((mine, index) => {
    const theirs = others[index];
    if (!theirs) return [];
    const at = `${mine.monitors} monitors, ${where}`;
    const lines: string[] = [];
    if (mine.cpuMsPerAssessment > theirs.cpuMsPerAssessment)
      lines.push(
        `${at}: ours takes ${mine.cpuMsPerAssessment.toFixed(2)} ms of CPU an assessment, assembled ${theirs.cpuMsPerAssessment.toFixed(2)}`,
      );
    if (mine.heapPerMonitor > theirs.heapPerMonitor)
      lines.push(`${at}: ours holds ${kilobytes(mine.heapPerMonitor)}, assembled ${kilobytes(theirs.heapPerMonitor)}`);
    if (mode === 'socket' && mine.requestsPerAssessment > 16)
      lines.push(`${at}: ours makes ${mine.requestsPerAssessment.toFixed(1)} requests an assessment, more than 16`);
    return lines;
  });
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
