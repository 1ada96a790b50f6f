import { explore, modelInputs, stateClass, stateKey } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';
import { mistakes } from './mistakes.ts';
import { type Rule, rules } from './rules.ts';

/* A rule that never fails says nothing. Each is held against a chart with a mistake in it. */

describe('it is noticed when', () => {
  for (const [id, { name, check, isBrokenBy }] of Object.entries<Rule>(rules)) {
    const { what, machine, start = 'a resumed job', counts } = mistakes[id as keyof typeof rules];
    it(`${what}, because ${name}`, () => {
      const inputs = { [start]: modelInputs[start] };
      const until = isBrokenBy && { until: isBrokenBy };
      const map = explore(machine(), { inputs, keyOf: counts ? stateKey : stateClass, ...until });
      expect(check(map)).not.toEqual([]);
    });
  }
});
