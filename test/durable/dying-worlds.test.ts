import { afterAll, expect, it } from 'vitest';
import { liveAndDie } from '../../scripts/durable/dying-journal.ts';
import { dieInWorld } from '../../scripts/durable/dying-world.ts';

/* `npm run durable` plays 3,000 of these worlds. */

const limit = Error.stackTraceLimit;
afterAll(() => void (Error.stackTraceLimit = limit));

const WORLDS = Number(process.env.DURABLE_WORLDS ?? 100);

it('submits once and ends rightly, although the process dies before each step is stored', async () => {
  const wrong: object[] = [];
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= WORLDS; seed += 1) {
    const verdict = await dieInWorld(seed);
    outcomes.add(verdict.outcome);
    if (verdict.wrong.length > 0) wrong.push(verdict);
  }
  expect(wrong).toStrictEqual([]);
  expect([...outcomes].sort()).toStrictEqual(['auth-failed', 'completed', 'failed', 'timed-out', 'unconfirmed']);
});

it('finds a watch that names its steps by a clock', async () => {
  let now = 0;
  const time = { now: () => now, sleepUntil: () => {}, die: () => {} };
  const { differences } = await liveAndDie(async (engine) => {
    now += 1;
    await engine.step('first', async () => 1);
    return engine.step(`at-${now}`, async () => 2);
  }, time);
  expect(differences).not.toStrictEqual([]);
});

it('finds a watch that sleeps differently in a replay', async () => {
  let lives = 0;
  const time = { now: () => 0, sleepUntil: () => {}, die: () => {} };
  const { differences } = await liveAndDie(async (engine) => {
    lives += 1;
    await engine.sleep('sleep', 1_000 + lives);
    return engine.step('last', async () => 2);
  }, time);
  expect(differences).not.toStrictEqual([]);
});
