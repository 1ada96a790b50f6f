import { availableParallelism } from 'node:os';
import { type ContestantName, contestants } from '../contestants/index.ts';
import { forkCrew } from '../crew.ts';
import { type Fault, type FaultName, faults } from './faults.ts';
import { addUp, FAULT_AT_MS, type FleetRun, type FleetTask, type Line, playFleet, type Tally } from './play-fleet.ts';

/** Requests per second on one route, for the whole fleet. */
export interface Load {
  steady: number;
  mean: number;
  peak: number;
  /** peak / steady; null where no client calls in the steady state. */
  peakToSteady: number | null;
  /**
   * Of the seconds after the end of the fault, for the health route also of the fault: the peak, as a multiple of their mean, or of one request of
   * each client in that time where this is more: what few clients do is no herd. Null where there are no requests.
   */
  peakInRecovery: number | null;
}

export interface FaultSummary {
  /** How many of them were played. */
  clients: number;
  routes: Partial<Record<Line, Load>>;
  servedAfterS: number | null;
  lost: number;
}

export type Played = Partial<Record<ContestantName, FaultSummary>> & { ours: FaultSummary };

export interface FleetReport {
  seed: number;
  clients: number;
  /** Of each fault: ours, and the other contestants that were played. */
  faults: { name: FaultName; contestants: Played }[];
}

const contestantNames = Object.keys(contestants) as ContestantName[];
const faultNames = Object.keys(faults) as FaultName[];

export interface FleetOptions {
  clients: number;
  seed: number;
  /** Who is played besides ours. Default: everybody. */
  others?: readonly ContestantName[];
  /** How many clients of each of the others. Default: as many as of ours. */
  otherClients?: number;
  onProgress?: (line: string) => void;
  /** 1 plays everything in this process. Default: as many as there are cores. */
  processes?: number;
}

/** Every fault with every contestant. The runs are for the plots. */
export async function runFleet({
  clients,
  seed,
  others = contestantNames,
  otherClients = clients,
  onProgress = () => {},
  processes = availableParallelism(),
}: FleetOptions): Promise<{ report: FleetReport; runs: FleetRun[] }> {
  const who = contestantNames.filter((name) => name === 'ours' || others.includes(name));
  const tasks = faultNames.flatMap((fault) =>
    who.map((contestant): FleetTask => ({
      contestant,
      fault,
      clients: contestant === 'ours' ? clients : otherClients,
      seed,
    })),
  );
  const startedAt = performance.now();
  const runs = await playAll(tasks, processes);
  onProgress(`fleet: ${tasks.length} runs in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`);
  const runOf = (fault: FaultName, contestant: ContestantName) =>
    runs.find((run) => run.fault === fault && run.contestant === contestant) as FleetRun;
  const report: FleetReport = {
    seed,
    clients,
    faults: faultNames.map((name) => ({
      name,
      contestants: Object.fromEntries(
        who.map((its) => [its, summarise(runOf(name, its), runOf('calm', its))]),
      ) as Played,
    })),
  };
  return { report, runs };
}

async function playAll(tasks: readonly FleetTask[], processes: number): Promise<FleetRun[]> {
  const parts = tasks.flatMap(partsOf);
  const tallies = await playParts(parts, processes);
  return tasks.map((task) => ({
    ...task,
    ...addUp(
      tallies.filter((_, index) => parts[index]?.fault === task.fault && parts[index]?.contestant === task.contestant),
    ),
  }));
}

/** Clients share nothing but the server, and that has no limit: so many at a time keep the memory small, and all cores busy. */
const PART = 500;
const partsOf = (task: FleetTask): FleetTask[] =>
  Array.from({ length: Math.ceil(task.clients / PART) }, (_, number) => {
    const first = number * PART;
    return { ...task, first, clients: Math.min(PART, task.clients - first) };
  });

async function playParts(parts: readonly FleetTask[], processes: number): Promise<Tally[]> {
  if (processes > 1) {
    const crew = forkCrew<FleetTask, Tally>(new URL('fleet-worker.ts', import.meta.url), processes);
    const tallies = await crew.play(parts);
    crew.dismiss();
    return tallies;
  }
  const tallies: Tally[] = [];
  for (const part of parts) tallies.push(await playFleet(part));
  return tallies;
}

/** What came of a fault, from its beginning to the end. */
function summarise(run: FleetRun, calm: FleetRun): FaultSummary {
  const routes: FaultSummary['routes'] = {};
  for (const line of new Set([...Object.keys(run.perSecond), ...Object.keys(calm.perSecond)]) as Set<Line>) {
    const its = afterTheFault(run.perSecond[line]);
    const steady = mean(afterTheFault(calm.perSecond[line]));
    const peak = Math.max(0, ...its);
    const recovery = inRecovery(run.fault, line, run.perSecond[line]);
    const usual = Math.max(mean(recovery), run.clients / RECOVERY_S);
    const peakInRecovery = mean(recovery) > 0 ? Math.max(...recovery) / usual : null;
    routes[line] = { steady, mean: mean(its), peak, peakToSteady: steady > 0 ? peak / steady : null, peakInRecovery };
  }
  return { clients: run.clients, routes, servedAfterS: run.servedAfterS, lost: run.lost };
}

const afterTheFault = (perSecond: readonly number[] = []) => perSecond.slice(FAULT_AT_MS / 1_000);
/**
 * The recovery, s: the time in which a server that is back should have all its clients back. It is the same for every fleet: the time until
 * the last client is back would be as short as a burst, whose peak is its own mean.
 */
const RECOVERY_S = 75;
/** The health route is asked during the fault, and no more often after it: its seconds are those of both. */
const inRecovery = (fault: FaultName, line: Line, perSecond: readonly number[] = []) => {
  const end = (FAULT_AT_MS + faults[fault].forMs) / 1_000;
  return perSecond.slice(line === 'health' ? FAULT_AT_MS / 1_000 : end, end + RECOVERY_S);
};
const mean = (values: readonly number[]) =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

const MAX_PEAK = 3;
const MAX_SERVED_S = 100;
/** The peak on these is held against the promise: what is rare in the steady state has no steady state. */
const promised: readonly Line[] = ['status', 'refresh'];
/** These have no steady state: the peak after the fault is held against the mean of the recovery. */
const promisedInRecovery: readonly Line[] = ['connect', 'health'];

/** Where ours breaks its promise, one line each. */
export function fleetShortcomings({ faults: each, clients }: FleetReport): string[] {
  return each
    .filter(({ name }) => name !== 'calm')
    .flatMap(({ name, contestants: { ours } }) => [
      ...promised.flatMap((line) => {
        const ratio = ours.routes[line]?.peakToSteady ?? 0;
        return ratio > MAX_PEAK ? [`${name}: the peak of ${line} is ${ratio.toFixed(1)} x its steady state`] : [];
      }),
      ...promisedInRecovery.flatMap((line) => {
        const ratio = ours.routes[line]?.peakInRecovery ?? 0;
        const { looksLonely = false }: Fault = faults[name];
        return ratio > MAX_PEAK && !(looksLonely && line === 'connect')
          ? [`${name}: the peak of ${line} is ${ratio.toFixed(1)} x the mean of the recovery`]
          : [];
      }),
      ...(ours.lost > 0 ? [`${name}: ${ours.lost} of ${clients} clients are lost`] : []),
      ...((ours.servedAfterS ?? Infinity) > MAX_SERVED_S
        ? [`${name}: all are served after ${ours.servedAfterS?.toFixed(0) ?? 'never'} s`]
        : []),
    ]);
}

const AT_SCALE = 100_000;
const lines: readonly Line[] = ['status', 'refresh', 'connect', 'health'];

/** One Markdown table for each fault; rates are those of 100,000 clients. */
export function fleetTables({ faults: each }: FleetReport): { name: FaultName; title: string; table: string[] }[] {
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const cells = (load: Load | undefined, clients: number) => {
    if (load === undefined) return '–';
    const [steady, mean, peak] = [load.steady, load.mean, load.peak].map((perSecond) =>
      Math.round((perSecond * AT_SCALE) / clients).toLocaleString('en'),
    );
    const ratio = load.peakToSteady === null ? '' : ` (${load.peakToSteady.toFixed(1)} x)`;
    return `${steady} / ${mean} / ${peak}${ratio}`;
  };
  return each.map(({ name, contestants: summaries }) => ({
    name,
    title: faults[name].title,
    table: [
      row(['who', ...lines.map((line) => `${line}: steady / mean / peak`), 'all served after', 'clients lost']),
      row(['---', ...lines.map(() => '---:'), '---:', '---:']),
      ...(Object.entries(summaries) as [ContestantName, FaultSummary][]).map(
        ([its, { clients, routes, servedAfterS, lost }]) =>
          row([
            its,
            ...lines.map((line) => cells(routes[line], clients)),
            servedAfterS === null ? 'never' : `${servedAfterS.toFixed(0)} s`,
            `${((lost / clients) * 100).toFixed(1)} %`,
          ]),
      ),
    ],
  }));
}
