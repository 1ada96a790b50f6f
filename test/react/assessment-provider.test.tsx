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
import { settle } from '../../src/testing/virtual-clock.ts';
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
  expect(world.clock.armed()).toBe(0);
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
/** Closes the tab during the job and opens the page again. */
const reloaded = () => {
  cleanup();
  world.reload();
};

describeEachMode(() => {
  describe('after a reload', () => {
    it('resumes the assessment that was under way and submits nothing', async () => {
      render(app());
      await submitted();
      reloaded();
      render(app());
      await world.happens(() => {}, isPhase('waiting'));
      await world.goLive();
      await world.happens(() => world.complete(), isPhase('completed'));
      expect(seen().result).toBe('The Explorer');
      expect(world.count('submit')).toBe(1);
      expect(world.client.getSnapshot().assessments).toHaveLength(1);
    });

    it('resumes a submission that got no answer under its original key', async () => {
      world.faults.submit = () => new Promise(() => {});
      render(app());
      await world.happens(
        () => press('submit'),
        () => world.count('submit') === 1,
      );
      reloaded();
      delete world.faults.submit;
      render(app());
      await world.happens(() => {}, isPhase('waiting'));
      expect(world.client.getSnapshot().assessments.map(({ id }) => id)).toEqual(['assessment-1']);
    });

    it('does not resume when `resume` is false, and the application can resume later', async () => {
      render(app());
      await submitted();
      reloaded();
      render(app({ resume: false }));
      await act(settle);
      expect(seen().phase).toBe('idle');
      await world.happens(() => void world.client.resume(), isPhase('waiting'));
      expect(world.count('submit')).toBe(1);
    });

    it('resumes as soon as `resume` becomes true', async () => {
      render(app());
      await submitted();
      reloaded();
      const { rerender } = render(app({ resume: false }));
      expect(seen().phase).toBe('idle');
      rerender(app({ resume: true }));
      await world.happens(() => {}, isPhase('waiting'));
      expect(world.count('submit')).toBe(1);
    });

    it('shows a result that arrived while no component was watching', async () => {
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
      expect(world.count('submit')).toBe(1);
    });

    it('does not bring back a dismissed assessment whose result was never shown', async () => {
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

    it('shows no assessment whose result was already shown', async () => {
      render(app());
      await submitted();
      await world.happens(() => world.complete(), isPhase('completed'));
      reloaded();
      render(app());
      await act(settle);
      expect(seen().phase).toBe('idle');
    });
  });

  it('resumes once when two roots of one page mount it', async () => {
    render(app());
    await submitted();
    reloaded();
    render(app());
    render(app());
    await world.happens(() => {}, isPhase('waiting'));
    expect(world.client.getSnapshot().assessments).toHaveLength(1);
    expect(world.count('submit')).toBe(1);
  });

  it('shows the assessments of another client when the `client` prop changes', async () => {
    const { rerender } = render(app());
    await submitted();
    const first = world;
    world = openWorld();
    rerender(app());
    expect(seen().phase).toBe('idle');
    await world.happens(() => press('submit'), isPhase('waiting'));
    expect([first.count('submit'), world.count('submit')]).toEqual([1, 1]);
    first.client.dispose();
  });

  it('gives its client to useAssessmentClient', () => {
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
  ])('%s throws an error that names the missing provider', (_, useHook) => {
    const console = vi.spyOn(globalThis.console, 'error').mockImplementation(() => {});
    // React 18 also reports the error to the window, which prints it.
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

  it('the client submits and monitors without any React component', async () => {
    const assessment = world.client.submit(sampleAnswers);
    await world.until(() => assessment.getSnapshot().phase === 'waiting');
    expect(world.count('submit')).toBe(1);
  });
});
