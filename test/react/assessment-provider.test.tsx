// @vitest-environment jsdom
import { act, cleanup, render } from '@testing-library/react';
import {
  AssessmentProvider,
  useAssessment,
  useAssessmentClient,
  useAssessmentSelector,
  useAssessments,
  useBalance,
} from 'assessment-monitor/react';
import { Component, type ReactNode } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { settle } from '../support/virtual-clock.ts';
import { describeEachMode } from './support/modes.ts';
import { Page, press, seen } from './support/page.tsx';
import { openWorld, type World } from './support/world.tsx';

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => {
  cleanup();
  world.client.dispose();
  expect(world.clock.timers).toBe(0);
});
const app = ({ resume }: { resume?: boolean } = {}) => (
  <AssessmentProvider client={world.client} {...(resume === undefined ? {} : { resume })}>
    <Page />
  </AssessmentProvider>
);
const isPhase = (phase: string) => () => seen().phase === phase;
const submitted = async () => {
  await world.happens(() => press('submit'), isPhase('waiting'));
  await world.goLive();
};
/** The tab is closed in the middle, and the page is opened anew. */
const reloaded = () => {
  cleanup();
  world.reload();
};

describeEachMode(() => {
  describe('after a reload', () => {
    it('goes on with what was under way, and submits nothing', async () => {
      render(app());
      await submitted();
      reloaded();
      render(app());
      await world.happens(() => {}, isPhase('waiting'));
      await world.goLive();
      await world.happens(() => world.complete(), isPhase('completed'));
      expect(seen().result).toBe('The Explorer');
      expect(world.calls.submit).toBe(1);
      expect(world.client.getSnapshot().assessments).toHaveLength(1);
    });

    it('goes on with a submission whose answer was never heard, under its old key', async () => {
      world.faults.submit = () => new Promise(() => {});
      render(app());
      await world.happens(
        () => press('submit'),
        () => world.calls.submit === 1,
      );
      reloaded();
      delete world.faults.submit;
      render(app());
      await world.happens(() => {}, isPhase('waiting'));
      expect(world.client.getSnapshot().assessments.map(({ id }) => id)).toEqual(['assessment-1']);
    });

    it('leaves it to the application where it is told so', async () => {
      render(app());
      await submitted();
      reloaded();
      render(app({ resume: false }));
      await act(settle);
      expect(seen().phase).toBe('idle');
      await world.happens(() => void world.client.resume(), isPhase('waiting'));
      expect(world.calls.submit).toBe(1);
    });

    it('goes on as soon as it is told that it may', async () => {
      render(app());
      await submitted();
      reloaded();
      const { rerender } = render(app({ resume: false }));
      expect(seen().phase).toBe('idle');
      rerender(app({ resume: true }));
      await world.happens(() => {}, isPhase('waiting'));
      expect(world.calls.submit).toBe(1);
    });

    it('still shows a result that came while nobody looked', async () => {
      const { rerender } = render(app());
      await submitted();
      rerender(<AssessmentProvider client={world.client}>elsewhere</AssessmentProvider>);
      await world.happens(
        () => world.complete(),
        () => world.client.getSnapshot().assessments[0]?.getSnapshot().phase === 'completed',
      );
      reloaded();
      render(app());
      await world.happens(() => {}, isPhase('completed'));
      expect(seen().result).toBe('The Explorer');
      expect(world.calls.submit).toBe(1);
    });

    it('does not bring back what was dismissed, although nobody had looked at its result', async () => {
      const { rerender } = render(app());
      await submitted();
      rerender(<AssessmentProvider client={world.client}>elsewhere</AssessmentProvider>);
      const [assessment] = world.client.getSnapshot().assessments;
      await world.happens(
        () => world.complete(),
        () => assessment?.getSnapshot().phase === 'completed',
      );
      world.client.dismiss('assessment-1');
      expect(world.client.resume()).toEqual([]);
      reloaded();
      render(app());
      await act(settle);
      expect(seen().phase).toBe('idle');
    });

    it('shows nothing of an assessment that was seen to its end', async () => {
      render(app());
      await submitted();
      await world.happens(() => world.complete(), isPhase('completed'));
      reloaded();
      render(app());
      await act(settle);
      expect(seen().phase).toBe('idle');
    });
  });

  it('mounted twice, in two roots of one page, resumes once', async () => {
    render(app());
    await submitted();
    reloaded();
    render(app());
    render(app());
    await world.happens(() => {}, isPhase('waiting'));
    expect(world.client.getSnapshot().assessments).toHaveLength(1);
    expect(world.calls.submit).toBe(1);
  });

  it('shows another client when it is given one', async () => {
    const { rerender } = render(app());
    await submitted();
    const first = world;
    world = openWorld();
    rerender(app());
    expect(seen().phase).toBe('idle');
    await world.happens(() => press('submit'), isPhase('waiting'));
    expect([first.calls.submit, world.calls.submit]).toEqual([1, 1]);
    first.client.dispose();
  });

  it('gives its client to whoever asks', () => {
    let client: unknown;
    const Asking = () => {
      client = useAssessmentClient();
      return null;
    };
    render(
      <AssessmentProvider client={world.client}>
        <Asking />
      </AssessmentProvider>,
    );
    expect(client).toBe(world.client);
  });
});

describe('without a provider', () => {
  class Boundary extends Component<{ children: ReactNode; onError: (error: Error) => void }> {
    override state = { failed: false };
    static getDerivedStateFromError = () => ({ failed: true });
    override componentDidCatch = (error: Error) => this.props.onError(error);
    override render = () => (this.state.failed ? null : this.props.children);
  }

  it.each<[string, () => unknown]>([
    ['useAssessment', () => useAssessment()],
    ['useAssessmentSelector', () => useAssessmentSelector((it) => it.phase)],
    ['useAssessments', () => useAssessments()],
    ['useBalance', () => useBalance()],
    ['useAssessmentClient', () => useAssessmentClient()],
  ])('%s says what is missing', (_, useHook) => {
    const console = vi.spyOn(globalThis.console, 'error').mockImplementation(() => {});
    // React 18 tells the window too, which would print it.
    const keepQuiet = (event: Event) => event.preventDefault();
    window.addEventListener('error', keepQuiet);
    const onError = vi.fn<(error: Error) => void>();
    const Lost = () => {
      useHook();
      return null;
    };
    render(
      <Boundary onError={onError}>
        <Lost />
      </Boundary>,
    );
    window.removeEventListener('error', keepQuiet);
    console.mockRestore();
    expect(onError.mock.calls[0]?.[0].message).toContain('<AssessmentProvider client={…}>');
  });

  it('the client does its work all the same: React is only one way to look at it', async () => {
    const assessment = world.client.submit(sampleAnswers);
    await world.until(() => assessment.getSnapshot().phase === 'waiting');
    expect(world.calls.submit).toBe(1);
  });
});
