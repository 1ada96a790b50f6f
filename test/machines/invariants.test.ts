import { readFileSync } from 'node:fs';
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
import { chartDocuments, REGENERATE } from '../../scripts/chart-documents.ts';
import { type Rule, rules } from './rules.ts';

/*
 * The rules, held against every state that can be reached and every step that can be taken; the same paths on live actors; and the
 * documents that count them. In one file, because the exploration takes 10 s of CPU.
 */

/** Facts that decide where an assessment goes, and not what is open while it is there. They triple the number of steps. */
const decisive = { feedLive: false, unhurried: false, refusedGeneration: null, retryAfterMs: null };
const classOf = (snapshot: AssessmentSnapshot) =>
  stateClass({ ...snapshot, context: { ...snapshot.context, ...decisive } } as AssessmentSnapshot);

describe('wherever an assessment can get to', () => {
  let map: ModelMap;
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

  describe('the generated documents of the chart', () => {
    let documents: Readonly<Record<string, string>>;
    beforeAll(() => {
      documents = chartDocuments(map);
    }, 480_000);

    it.each(['docs/assessment.mmd', 'docs/overview.mmd', 'docs/chart.md', 'README.md'])(
      '%s shows the chart as it is',
      (path) => {
        expect(
          readFileSync(path, 'utf8'),
          `the chart has changed: run "${REGENERATE}" and look at what is different`,
        ).toBe(documents[path]);
      },
    );
  });
});
