import { explore, type ModelMap } from 'assessment-monitor/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';
import { type Rule, rules } from './rules.ts';

/* The rules, held against every state that can be reached and every step that can be taken. */

describe('wherever an assessment can get to', () => {
  let map: ModelMap;
  beforeAll(() => {
    map = explore(assessmentMachine);
  }, 480_000);

  const named = Object.values<Rule>(rules).map(({ name, check }) => [name, check] as const);
  it.each(named)('%s', (_, check) => {
    expect(check(map).slice(0, 5)).toEqual([]);
  });
});
