// @vitest-environment jsdom
import { AssessmentProvider } from 'assessment-monitor/react';
import { cleanup, render } from '@testing-library/react';
import { Activity } from 'react';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeEachMode } from './support/modes.ts';
import { Page, press, seen } from './support/page.tsx';
import { openWorld, type World } from './support/world.tsx';

/* React 19's Activity hides a part of a page and keeps its state: effects are cleaned up, and run again when the part is shown. */

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => {
  cleanup();
  world.client.dispose();
  expect(world.clock.armed()).toBe(0);
});
const isPhase = (phase: string) => () => seen().phase === phase;

const pageInActivity = (mode: 'visible' | 'hidden') => (
  <AssessmentProvider client={world.client}>
    <Activity mode={mode}>
      <Page />
    </Activity>
  </AssessmentProvider>
);
const allInActivity = (mode: 'visible' | 'hidden') => (
  <Activity mode={mode}>
    <AssessmentProvider client={world.client}>
      <Page />
    </AssessmentProvider>
  </Activity>
);

describeEachMode(() => {
  describe.each([
    ['a page', pageInActivity],
    ['a page and its provider', allInActivity],
  ])('%s', (_, app) => {
    it('shows the latest progress after it was hidden during the job, and sends nothing again', async () => {
      const { rerender } = render(app('visible'));
      await world.happens(() => press('submit'), isPhase('waiting'));
      await world.goLive();
      rerender(app('hidden'));
      await world.happens(() => world.progress(65));
      rerender(app('visible'));
      expect(seen()).toMatchObject({ phase: 'waiting', percent: 65 });
      await world.happens(() => world.complete(), isPhase('completed'));
      expect([world.count('submit'), world.count('result')]).toEqual([1, 1]);
      expect(world.sockets.sockets.length).toBe(1);
    });

    it('keeps its submission when it is hidden right after the click', async () => {
      const { rerender } = render(app('visible'));
      press('submit');
      rerender(app('hidden'));
      await world.happens(
        () => {},
        () => world.client.getSnapshot().assessments[0]?.getSnapshot().phase === 'waiting',
      );
      rerender(app('visible'));
      expect(seen().phase).toBe('waiting');
      expect(world.count('submit')).toBe(1);
    });

    it('shows the result that arrived while it was hidden', async () => {
      const { rerender } = render(app('visible'));
      await world.happens(() => press('submit'), isPhase('waiting'));
      await world.goLive();
      rerender(app('hidden'));
      await world.happens(
        () => world.complete(),
        () => world.client.getSnapshot().assessments[0]?.getSnapshot().phase === 'completed',
      );
      rerender(app('visible'));
      expect(seen()).toMatchObject({ phase: 'completed', result: 'The Explorer' });
    });

    it('submits once it is shown when it was first rendered hidden', async () => {
      const { rerender } = render(app('hidden'));
      rerender(app('visible'));
      await world.happens(() => press('submit'), isPhase('waiting'));
      expect(world.count('submit')).toBe(1);
    });
  });
});
