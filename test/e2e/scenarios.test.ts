import { describe, expect, it } from 'vitest';
import { runStory } from '../../e2e/scenarios/run-story.ts';
import { stories } from '../../e2e/scenarios/stories.ts';

/* Every story for real over loopback, side by side: each has a backend of its own. */
describe('every scenario ends as it should', () => {
  it.concurrent.each(stories.map((story) => [story.name, story] as const))('%s', async (_, story) => {
    const report = await runStory(story);
    const unmet = Object.entries(report.expectations).filter(([, met]) => !met);
    expect(unmet, JSON.stringify(report.timeline, null, 1)).toEqual([]);
    expect(report.ok).toBe(true);
    expect(JSON.stringify(report)).not.toMatch(/eyJ[A-Za-z0-9_-]{10}/);
  });

  it('has the stories that the documentation names', () => {
    expect(stories.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'happy',
        'expiry-during-poll',
        'auth-outage',
        'refresh-rejected-then-sign-in',
        'reload-mid-job',
      ]),
    );
  });
});
