/* One process of many that play worlds: see bench/crew.ts. */
import { serveTasks } from '../../bench/crew.ts';
import { dieInWorld } from './dying-world.ts';

serveTasks(async ({ first, count }: { first: number; count: number }) => {
  const verdicts = [];
  for (let seed = first; seed < first + count; seed += 1) verdicts.push(await dieInWorld(seed));
  return verdicts;
});
