/*
 * npm run --silent durable -- [--json] [--worlds 3000] [--seed 1]
 *
 * The proof of `assessment-monitor/durable` without an engine: in each world the process of a watch dies before the journal can note a step,
 * at each step in turn, and loses its token with its memory; the server is flaky. The server's counts judge. Exit 1 when a world is wrong.
 */
import { parseArgs } from 'node:util';
import { forkCrew } from '../bench/crew.ts';
import type { Verdict } from './durable/dying-world.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    worlds: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
  },
});
const [worlds, seed] = [Number(values.worlds), Number(values.seed)];
if (![worlds, seed].every((it) => Number.isInteger(it) && it > 0)) {
  process.stderr.write('usage: npm run --silent durable -- [--json] [--worlds N] [--seed S]\n');
  process.exit(2);
}

const SLICE = 50;
const startedAt = performance.now();
const crew = forkCrew<{ first: number; count: number }, Verdict[]>(new URL('durable/world-worker.ts', import.meta.url));
const slices = Array.from({ length: Math.ceil(worlds / SLICE) }, (_, index) => ({
  first: seed + index * SLICE,
  count: Math.min(SLICE, worlds - index * SLICE),
}));
const verdicts = (await crew.play(slices)).flat();
crew.dismiss();
const seconds = Math.round((performance.now() - startedAt) / 100) / 10;

const wrong = verdicts.filter((it) => it.wrong.length > 0);
for (const { seed: at, outcome, wrong: reasons } of wrong.slice(0, 10))
  process.stderr.write(`world ${at} ends as ${outcome}: ${reasons.join('; ')}\n`);
const deaths = verdicts.reduce((sum, it) => sum + it.deaths, 0);
const ends: Record<string, number> = {};
for (const { outcome } of verdicts) ends[outcome] = (ends[outcome] ?? 0) + 1;
process.stdout.write(
  values.json
    ? `${JSON.stringify({ worlds, deaths, wrong: wrong.length, ends, seconds })}\n`
    : `${worlds} worlds, ${deaths} deaths, ${wrong.length} wrong, ${seconds} s: ${JSON.stringify(ends)}\n`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;
