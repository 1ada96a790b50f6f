// @vitest-environment jsdom
import { act, cleanup } from '@testing-library/react';
import { useAssessment, useAssessmentSelector } from 'assessment-monitor/react';
import { startTransition, Suspense, useEffect, useLayoutEffect, useState, useTransition } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { describeEachMode } from './support/modes.ts';
import { press } from './support/page.tsx';
import { openWorld, renderWith, type World } from './support/world.tsx';

/* Progress arrives during a concurrent render. All parts of a page must show the same moment. */

let world: World;
/** What the whole page showed at each commit. */
let painted: (string | null)[][];
beforeEach(async () => {
  painted = [];
  world = openWorld();
  world.client.submit(sampleAnswers);
  await world.until(() => world.client.getSnapshot().assessments[0]?.getSnapshot().phase === 'waiting');
  await world.goLive();
  world.progress(10);
});
afterEach(() => {
  cleanup();
  world.client.dispose();
});

const usePercent = () => useAssessmentSelector((it) => ('progress' in it ? it.progress.percent : null));
const Percent = () => {
  const assessment = useAssessment();
  return <b>{'progress' in assessment ? assessment.progress.percent : null}</b>;
};
const SelectedPercent = () => <b>{usePercent()}</b>;
const texts = () => [...document.querySelectorAll('b')].map((it) => it.textContent);

describeEachMode(() => {
  it('shows the same progress everywhere when an event arrives between the renders of two components', () => {
    const report = vi.fn<() => void>().mockImplementationOnce(() => world.progress(60));
    /** Renders after the first reader and before the others; progress arrives during this render. */
    const Middle = () => {
      report();
      useLayoutEffect(() => void painted.push(texts()));
      return null;
    };
    const App = () => {
      const [isOpen, setOpen] = useState(false);
      return (
        <>
          <button onClick={() => startTransition(() => setOpen(true))}>open</button>
          {isOpen && [<Percent key={1} />, <Middle key={2} />, <Percent key={3} />, <SelectedPercent key={4} />]}
        </>
      );
    };
    renderWith(world.client, <App />);
    press('open');
    expect(report).toHaveBeenCalled();
    expect(painted.length).toBeGreaterThan(0);
    for (const moment of painted) expect(new Set(moment).size).toBe(1);
    expect(texts()).toEqual(['60', '60', '60']);
  });

  it('shows the same progress everywhere while events arrive during a transition', async () => {
    const Watch = () => {
      usePercent();
      useLayoutEffect(() => void painted.push(texts()));
      return null;
    };
    const App = () => {
      const [rows, setRows] = useState(1);
      const [isPending, start] = useTransition();
      return (
        <>
          <Watch />
          {isPending && <p>pending</p>}
          <button onClick={() => start(() => setRows(200))}>open</button>
          {Array.from({ length: rows }, (_, row) => (
            <Percent key={row} />
          ))}
        </>
      );
    };
    renderWith(world.client, <App />);
    await act(async () => {
      press('open');
      for (const percent of [20, 30, 40]) {
        await Promise.resolve();
        world.progress(percent);
      }
    });
    expect(painted.length).toBeGreaterThan(1);
    for (const moment of painted) expect(new Set(moment).size).toBe(1);
    expect(texts()).toEqual(Array.from({ length: 200 }, () => '40'));
  });

  it('returns the same snapshot object between two changes', () => {
    const assessment = world.client.getSnapshot().assessments[0]!;
    const before = assessment.getSnapshot();
    expect(assessment.getSnapshot()).toBe(before);
    world.progress(10);
    expect(assessment.getSnapshot()).toBe(before);
    world.progress(11);
    expect(assessment.getSnapshot()).not.toBe(before);
    expect(before).toMatchObject({ progress: { percent: 10 } });
    expect(world.client.getSnapshot()).toBe(world.client.getSnapshot());
  });

  it('does not render for unselected changes while a transition is suspended', () => {
    const forever = new Promise<void>(() => {});
    const Page = ({ number }: { number: number }) => {
      if (number > 0) throw forever; // like a component that is loading
      return null;
    };
    const news: string[] = [];
    const App = () => {
      const [number, setNumber] = useState(0);
      const title = useAssessmentSelector((it) => ({ text: `${number} ${it.phase}` }), {
        isEqual: (one, other) => one.text === other.text,
      });
      useEffect(() => void news.push(title.text), [title]);
      return (
        <>
          <button onClick={() => startTransition(() => setNumber(1))}>turn the page</button>
          <Page number={number} />
        </>
      );
    };
    renderWith(
      world.client,
      <Suspense fallback={null}>
        <App />
      </Suspense>,
    );
    press('turn the page');
    const before = news.length;
    for (let percent = 11; percent <= 30; percent += 1) act(() => world.progress(percent));
    expect(news.slice(before)).toEqual([]);
    expect(news.at(-1)).toBe('0 waiting');
  });
});
