// @vitest-environment jsdom
import { act, cleanup } from '@testing-library/react';
import { useSelector } from '@xstate/react';
import type { Assessment } from 'assessment-monitor';
import {
  useAssessment,
  type UseAssessment,
  useAssessmentSelector,
  useAssessments,
  useBalance,
} from 'assessment-monitor/react';
import { Profiler, useState } from 'react';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { describeEachMode } from './support/modes.ts';
import { openWorld, renderWith, type World } from './support/world.tsx';

/* A component that selects a part renders only when that part changes. */

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => {
  cleanup();
  world.client.dispose();
});

/** Shows what the hook reads, and returns what was committed each time: the render that StrictMode adds is not counted. */
function show<T>(useRead: () => T): T[] {
  const committed: T[] = [];
  let last: T;
  const Component = () => {
    last = useRead();
    return null;
  };
  renderWith(
    world.client,
    <Profiler id="" onRender={() => committed.push(last)}>
      <Component />
    </Profiler>,
  );
  return committed;
}
const phase = () => world.client.getSnapshot().assessments.at(-1)?.getSnapshot().phase;
const submitted = async () => {
  await world.happens(
    () => void world.client.submit(sampleAnswers),
    () => phase() === 'waiting',
  );
  await world.goLive();
};
const completed = () =>
  world.happens(
    () => world.complete(),
    () => phase() === 'completed',
  );
/** Steps of progress, each rendered before the next. */
const progresses = (steps = 1_000) => {
  for (let step = 1; step <= steps; step += 1) act(() => world.progress((step / steps) * 99));
};

describeEachMode(() => {
  it('renders once per phase during 1,000 progress events when the phase is selected', async () => {
    const phases = show(() => useAssessmentSelector((it) => it.phase));
    const everything = show(() => useAssessment());
    await submitted();
    const before = everything.length;
    progresses();
    // Progress is shown in whole percents.
    expect(everything).toHaveLength(before + 99);
    await completed();
    expect(phases).toEqual(['idle', 'submitting', 'waiting', 'completed']);
  });

  it('renders once per assessment when an action is selected, and the action still works at the end', async () => {
    const actions = show(() => useAssessmentSelector((it) => it.submit));
    await submitted();
    progresses(10);
    await completed();
    expect(actions).toEqual([actions[0], actions[0]]);
    act(() => void actions[0]?.(sampleAnswers));
    expect(phase()).toBe('submitting');
  });

  it('does not render the list or the balance on progress', async () => {
    const ids = show(() => useAssessments().map(({ id }) => id));
    const balances = show(() => useBalance());
    await submitted();
    const [lists, numbers] = [ids.length, balances.length];
    progresses(10);
    await completed();
    expect(ids).toHaveLength(lists);
    expect(balances).toHaveLength(numbers);
    expect(ids.at(-1)).toEqual(['assessment-1']);
    expect(balances.at(-1)).toBe(4);
  });

  it('compares selections with isEqual', async () => {
    const percentOf = (it: UseAssessment) => ({ tens: 'progress' in it ? Math.floor(it.progress.percent / 10) : -1 });
    const tens = show(() => useAssessmentSelector(percentOf, { isEqual: (a, b) => a.tens === b.tens }));
    await submitted();
    progresses(200);
    expect(tens.map((it) => it.tens)).toEqual([-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('compares with the isEqual of the latest render', async () => {
    let setPaused: (isPaused: boolean) => void = () => {};
    const percentOf = (it: UseAssessment) => ('progress' in it ? it.progress.percent : -1);
    const percents = show(() => {
      const [isPaused, set] = useState(false);
      setPaused = set;
      return useAssessmentSelector(percentOf, { isEqual: isPaused ? () => true : Object.is });
    });
    await submitted();
    act(() => setPaused(true));
    act(() => world.progress(50));
    expect(percents.at(-1)).toBe(0);
    act(() => setPaused(false));
    expect(percents.at(-1)).toBe(50);
  });

  it('renders once per change, never endlessly, with a selector that builds an object', async () => {
    const built = show(() => useAssessmentSelector(({ phase }) => ({ phase })));
    await submitted();
    const before = built.length;
    progresses(10);
    expect(built).toHaveLength(before + 10);
  });

  it('uses the selector of the latest render', async () => {
    let choose: (key: 'phase' | 'id') => void = () => {};
    const chosen = show(() => {
      const [key, setKey] = useState<'phase' | 'id'>('phase');
      choose = setKey;
      return useAssessmentSelector((it) => (key === 'id' && it.phase !== 'idle' ? it.id : it.phase));
    });
    await submitted();
    act(() => choose('id'));
    expect(chosen.at(-1)).toBe('assessment-1');
  });

  it('lets XState users read the actor with useSelector of @xstate/react', async () => {
    const Row = ({ actor }: Pick<Assessment, 'actor'>) =>
      useSelector(actor, (snapshot) => (snapshot.hasTag('monitoring') ? 'is watched' : 'is not watched yet'));
    const List = () => useAssessments().map(({ id, actor }) => <Row key={id} actor={actor} />);
    const { container } = renderWith(world.client, <List />);
    await submitted();
    expect(container.textContent).toBe('is watched');
  });

  it('reads the assessment with the given id when another one is newer', async () => {
    const first = show(() => useAssessmentSelector((it) => ('jobId' in it ? it.jobId : null), { id: 'assessment-1' }));
    await submitted();
    await world.happens(
      () => void world.client.submit({ ...sampleAnswers, assessment_name: 'Another one' }),
      () => phase() === 'waiting',
    );
    expect(first.filter((it) => it !== null)).toEqual(['job-1']);
  });

  it('returns the same object until something changes', async () => {
    let again = () => {};
    const seen = show(() => {
      const [, render] = useState(0);
      again = () => render((times) => times + 1);
      return useAssessment();
    });
    await submitted();
    const before = seen.at(-1);
    act(() => again());
    act(() => again());
    expect(seen.at(-1)).toBe(before);
    // The server repeats its last report.
    act(() => world.progress(30));
    const after = seen.at(-1);
    const renders = seen.length;
    act(() => world.progress(30));
    expect(seen).toHaveLength(renders);
    expect(after).not.toBe(before);
  });
});
