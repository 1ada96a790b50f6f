import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parityCases } from '../../e2e/scenarios/parity.ts';
import { runStory } from '../../e2e/scenarios/run-story.ts';

/* What the old client did with each case was measured; what ours does is played, for real over loopback, side by side. */

describe('no user is worse off than before when', () => {
  it.concurrent.each(parityCases.map((it) => [it.happens, it] as const))('%s', async (_, { story }) => {
    const report = await runStory(story);
    const unmet = Object.entries(report.expectations).filter(([, met]) => !met);
    expect(unmet, JSON.stringify(report.timeline, null, 1)).toEqual([]);
  });
});

it('the table in the documentation has every case', () => {
  const table = readFileSync(new URL('../../docs/parity.md', import.meta.url), 'utf8');
  const missing = parityCases.filter(({ happens, ours }) => !table.includes(happens) || !table.includes(ours));
  expect(
    missing.map(({ happens }) => happens),
    'run "npm run --silent parity"',
  ).toEqual([]);
});
