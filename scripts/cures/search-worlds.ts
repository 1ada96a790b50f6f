/*
 * Plays random worlds and reports each one that breaks a rule. Runs in a copy of the sources, with one cure taken out; its parent says
 * when to stop.
 */
import fc from 'fast-check';
import { anyWorld, families } from '../../src/testing/worlds/any-world.ts';
import { runWorld } from '../../src/testing/worlds/run-world.ts';
import type { World } from '../../src/testing/worlds/world.ts';

/** What the search tells its parent. `playing`: a sign of life. */
export type Report =
  | { type: 'playing' }
  | { type: 'broken'; played: number; world: World; violations: readonly string[] }
  | { type: 'over'; played: number };

const [worlds, seed] = process.argv.slice(2).map(Number) as [number, number];
const answered = () => new Promise((resolve) => process.once('message', resolve));
const say = (report: Report) => process.send?.(report);

let played = 0;
for (const world of fc.sample(anyWorld(fc, { families }), { numRuns: worlds, seed })) {
  played += 1;
  say({ type: 'playing' });
  const { violations } = await runWorld(world);
  if (violations.length === 0) continue;
  say({ type: 'broken', played, world, violations });
  await answered();
}
say({ type: 'over', played });
process.disconnect();
