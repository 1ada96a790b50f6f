import { availableParallelism } from 'node:os';
import { forkCrew } from '../crew.ts';
import { politeOmniscient } from './omniscient.ts';
import { type OutcomesReport, summarise } from './report.ts';
import { contestantNames, forEachContestant, type PlayedSlice, playSlice, type Slice } from './slice.ts';
import { type BucketName, buckets, type Health, type Shares, usualShares } from './world.ts';

export interface OutcomesOptions {
  /** In each bucket. */
  worlds: number;
  seed: number;
  shares?: Shares;
  /** What the health route says during an outage. Default: the truth. */
  health?: Health;
  /** 1 plays everything in this process. Default: as many as there are cores. */
  processes?: number;
  onProgress?: (line: string) => void;
}

/** How far the worlds of one bucket lie from those of the next. */
const SEEDS_PER_BUCKET = 1_000_000;
const SLICE = 25;

/** The same worlds for everybody, in one run. */
export async function runOutcomes({
  worlds,
  seed,
  shares = usualShares,
  health = 'honest',
  processes = availableParallelism(),
  onProgress = () => {},
}: OutcomesOptions): Promise<OutcomesReport> {
  const report: OutcomesReport = { seed, worlds, health, buckets: [] };
  const crew =
    processes > 1 ? forkCrew<Slice, PlayedSlice>(new URL('slice-worker.ts', import.meta.url), processes) : null;
  for (const [index, bucket] of (Object.keys(buckets) as BucketName[]).entries()) {
    const firstSeed = seed + index * SEEDS_PER_BUCKET;
    const slices = Array.from({ length: Math.ceil(worlds / SLICE) }, (_, number): Slice => {
      const done = number * SLICE;
      return { bucket, firstSeed: firstSeed + done, worlds: Math.min(SLICE, worlds - done), shares, health };
    });
    const played = await (crew?.play(slices) ?? playHere(slices));
    const summaries = forEachContestant((name) => summarise(played.flatMap(({ outcomes }) => outcomes[name])));
    const omniscient = politeOmniscient(bucket, firstSeed, worlds, shares);
    report.buckets.push({ name: bucket, contestants: summaries, omniscient });
    const costs = contestantNames.map((name) => {
      const cpuMs = played.reduce((total, its) => total + its.cpuMs[name], 0);
      return `${name} ${(cpuMs / worlds).toFixed(1)}`;
    });
    onProgress(`${bucket}: ${worlds} worlds; ms of CPU in each: ${costs.join(', ')}`);
  }
  crew?.dismiss();
  return report;
}

async function playHere(slices: readonly Slice[]): Promise<PlayedSlice[]> {
  const played: PlayedSlice[] = [];
  for (const slice of slices) played.push(await playSlice(slice));
  return played;
}
