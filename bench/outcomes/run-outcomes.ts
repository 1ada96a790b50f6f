import { type ContestantName, contestants } from '../contestants/index.ts';
import { type Outcome, playOutcome } from './play.ts';
import { type OutcomesReport, summarise } from './report.ts';
import { anyWorld, type BucketName, buckets } from './world.ts';

/** How many worlds of a bucket lie beside one another before the next bucket's begin. */
const SEEDS_PER_BUCKET = 1_000_000;

/**
 * The same worlds for everybody, each contestant after the other in each world.
 *
 * @param worlds how many in each bucket
 */
export async function runOutcomes(
  worlds: number,
  seed: number,
  onProgress: (line: string) => void = () => {},
): Promise<OutcomesReport> {
  const names = Object.keys(contestants) as ContestantName[];
  const report: OutcomesReport = { seed, worlds, buckets: [] };
  for (const [index, bucket] of (Object.keys(buckets) as BucketName[]).entries()) {
    const outcomes = Object.fromEntries(names.map((name) => [name, [] as Outcome[]])) as Record<
      ContestantName,
      Outcome[]
    >;
    const startedAt = performance.now();
    const spent = Object.fromEntries(names.map((name) => [name, 0])) as Record<ContestantName, number>;
    for (let number = 0; number < worlds; number += 1) {
      const world = anyWorld(bucket, seed + index * SEEDS_PER_BUCKET + number);
      for (const name of names) {
        const before = performance.now();
        outcomes[name].push(await playOutcome(world, contestants[name]));
        spent[name] += performance.now() - before;
      }
    }
    const rates = names.map((name) => `${name} ${Math.round((worlds * 1_000) / spent[name])}`).join(', ');
    onProgress(`${bucket}: ${((performance.now() - startedAt) / 1_000).toFixed(1)} s; worlds a second: ${rates}`);
    const summaries = Object.fromEntries(names.map((name) => [name, summarise(outcomes[name])]));
    report.buckets.push({ name: bucket, contestants: summaries as Record<ContestantName, OutcomesReport['buckets'][number]['contestants'][ContestantName]> });
  }
  return report;
}
