// @vitest-environment jsdom
import { cleanup, render } from '@testing-library/react';
import { AssessmentProvider, useAssessments } from 'assessment-monitor/react';
import { Suspense } from 'react';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { deferred } from '../support/deferred.ts';
import { describeEachMode } from './support/modes.ts';
import { Page, press, seen } from './support/page.tsx';
import { openWorld, renderWith, type World } from './support/world.tsx';

/* Components mount and unmount; the assessment lives in the client. */

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
const submitted = async () => {
  await world.happens(() => press('submit'), isPhase('waiting'));
  await world.goLive();
};
const otherAnswers = { ...sampleAnswers, assessment_name: 'Another one' };

describeEachMode(() => {
  it('goes from the click to the result with one submission and one socket', async () => {
    renderWith(world.client, <Page />);
    expect(seen().phase).toBe('idle');
    await submitted();
    await world.happens(() => world.progress(40));
    expect(seen()).toMatchObject({ phase: 'waiting', percent: 40 });
    await world.happens(() => world.complete(), isPhase('completed'));
    expect(seen()).toMatchObject({ percent: 100, result: 'The Explorer' });
    expect([world.count('submit'), world.count('result')]).toEqual([1, 1]);
    expect(world.sockets.sockets.length).toBe(1);
  });

  describe('without its component', () => {
    it('continues, and a component that mounts later shows its latest progress', async () => {
      const { rerender } = renderWith(world.client, <Page />);
      await submitted();
      rerender(<p>elsewhere</p>);
      await world.happens(() => world.progress(70));
      rerender(<Page />);
      expect(seen()).toMatchObject({ phase: 'waiting', percent: 70 });
      expect(world.count('submit')).toBe(1);
      expect(world.sockets.sockets.length).toBe(1);
    });

    it('completes, and a component that mounts later shows the result', async () => {
      const { unmount } = renderWith(world.client, <Page />);
      await submitted();
      unmount();
      world.complete();
      await world.until(() => world.client.getSnapshot().assessments[0]?.getSnapshot().phase === 'completed');
      renderWith(world.client, <Page />);
      expect(seen()).toMatchObject({ phase: 'completed', result: 'The Explorer' });
      expect([world.count('submit'), world.count('result')]).toEqual([1, 1]);
    });

    it('keeps its submission when the component unmounts right after the click', async () => {
      const { unmount } = renderWith(world.client, <Page />);
      press('submit');
      unmount();
      await world.until(() => world.client.getSnapshot().assessments[0]?.getSnapshot().phase === 'waiting');
      renderWith(world.client, <Page />);
      expect(seen().phase).toBe('waiting');
      expect(world.count('submit')).toBe(1);
    });
  });

  describe('several components', () => {
    it('show the same assessment, and each can act on it', async () => {
      const { container } = renderWith(
        world.client,
        <>
          <Page />
          <Page />
        </>,
      );
      const [one, other] = container.querySelectorAll('section');
      await submitted();
      await world.happens(() => world.progress(55));
      expect(seen(one)).toEqual(seen(other));
      expect(seen(other)).toMatchObject({ phase: 'waiting', percent: 55 });
      await world.happens(() => press('cancel', other));
      expect([seen(one).phase, seen(other).phase]).toEqual(['cancelled', 'cancelled']);
      expect(world.count('submit')).toBe(1);
    });

    it('show several assessments at once by their ids', async () => {
      const List = () => useAssessments().map(({ id }) => <Page key={id} id={id} />);
      const { container } = renderWith(world.client, <List />);
      await world.happens(
        () => {
          world.client.submit(sampleAnswers);
          world.client.submit(otherAnswers);
        },
        () => container.querySelectorAll('section').length === 2,
      );
      const [first, second] = container.querySelectorAll('section');
      await world.goLive();
      await world.happens(() => {
        world.progress(20, 'job-1');
        world.progress(60, 'job-2');
      });
      expect([seen(first).percent, seen(second).percent]).toEqual([20, 60]);
      await world.happens(
        () => world.complete('job-1'),
        () => seen(first).phase === 'completed',
      );
      expect(seen(second)).toMatchObject({ phase: 'waiting', percent: 60 });
      expect(world.count('submit')).toBe(2);
      expect(world.sockets.sockets.length).toBe(1);
    });

    it('show the newest assessment when they give no id', async () => {
      renderWith(world.client, <Page />);
      await submitted();
      await world.happens(() => world.progress(90));
      await world.happens(() => void world.client.submit(otherAnswers), isPhase('waiting'));
      expect(seen().percent).toBe(0);
      const { container } = renderWith(world.client, <Page id="assessment-1" />);
      expect(seen(container).percent).toBe(90);
    });

    it('show the idle view for an unknown id', () => {
      renderWith(world.client, <Page id="unheard-of" />);
      expect(seen().phase).toBe('idle');
    });
  });

  describe('Suspense', () => {
    /** Suspends while a promise is given that has not settled yet, in the way that React 18 understands as well. */
    function Slow({ for: loading }: { for: { promise: Promise<void>; done: boolean } | null }) {
      if (loading && !loading.done) throw loading.promise;
      return null;
    }
    const loading = () => {
      const { promise, resolve } = deferred<void>();
      const it = { promise, done: false, finish: () => ((it.done = true), resolve()) };
      return it;
    };
    const app = (slow: ReturnType<typeof loading> | null) => (
      <AssessmentProvider client={world.client}>
        <Suspense fallback={<p>loading</p>}>
          <Page />
          <Slow for={slow} />
        </Suspense>
      </AssessmentProvider>
    );

    it('shows an assessment that started while the page was suspended', async () => {
      const slow = loading();
      render(app(slow));
      expect(document.body.textContent).toContain('loading');
      world.client.submit(sampleAnswers);
      await world.until(() => world.count('submit') === 1);
      await world.happens(slow.finish, isPhase('waiting'));
      expect(world.count('submit')).toBe(1);
    });

    it('hides a page and shows it again with the latest progress', async () => {
      const { rerender } = render(app(null));
      await submitted();
      const slow = loading();
      rerender(app(slow));
      expect(document.querySelector('section')?.style.display).toBe('none');
      await world.happens(() => world.progress(80));
      await world.happens(slow.finish, () => document.querySelector('section')?.style.display !== 'none');
      expect(seen()).toMatchObject({ phase: 'waiting', percent: 80 });
      expect(world.count('submit')).toBe(1);
      expect(world.sockets.sockets.length).toBe(1);
    });
  });
});
