import {
  type AssessmentSnapshot,
  explore,
  liveStage,
  type ModelMap,
  pathsOver,
  stateClass,
  walk,
} from 'assessment-monitor/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';
import { type Rule, rules } from './rules.ts';

/* The rules, held against every state that can be reached and every step that can be taken; and the same paths on live actors. */

/** Facts that decide where an assessment goes, and not what is open while it is there. They triple the number of steps. */
const decisive = { feedLive: false, unhurried: false, refusedGeneration: null, retryAfterMs: null };
const classOf = (snapshot: AssessmentSnapshot) =>
  stateClass({ ...snapshot, context: { ...snapshot.context, ...decisive } } as AssessmentSnapshot);

describe('wherever an assessment can get to', () => {
  let map: ModelMap;
  // Explored once for all of them, because it takes 13 s of CPU.
  beforeAll(() => {
    map = explore(assessmentMachine);
  }, 480_000);

  const named = Object.values<Rule>(rules).map(({ name, check }) => [name, check] as const);
  it.each(named)('%s', (_, check) => {
    expect(check(map).slice(0, 5)).toEqual([]);
  });

  it('does at every step what it says, leaves nothing open, and has no transition that is never taken', async () => {
    const stage = liveStage(assessmentMachine);
    for (const path of pathsOver(map, { classOf })) await walk(stage, path);
    const untaken = stage
      .untaken()
      .map(({ from, event, guard, target }) => `${from}: ${event} [${guard}] -> ${target}`);
    expect(untaken).toEqual([]);
  }, 480_000);
});
