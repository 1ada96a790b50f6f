// @vitest-environment jsdom
import { act, cleanup, render } from '@testing-library/react';
import { createAssessmentHooks } from 'assessment-monitor/react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { settle } from '../../src/testing/virtual-clock.ts';
import { describeEachMode } from './support/modes.ts';
import { openWorld, type World } from './support/world.tsx';

/* The hooks of one client, without a provider. */

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => {
  cleanup();
  world.client.dispose();
  expect(world.clock.armed()).toBe(0);
});

/** A page with the hooks of the current client, each in a component of its own. */
function createPage(options?: Parameters<typeof createAssessmentHooks>[1]) {
  const hooks = createAssessmentHooks(world.client, options);
  const Phase = ({ id }: { id?: string }) => {
    const assessment = hooks.useAssessment(id);
    return (
      <p>
        {assessment.phase} {assessment.phase === 'completed' && assessment.result.archetype}
        <button onClick={() => assessment.submit(sampleAnswers)} />
      </p>
    );
  };
  const Percent = () => hooks.useAssessmentSelector((it) => ('progress' in it ? it.progress.percent : '?'));
  const Ids = () => hooks.useAssessments().map(({ id }) => id);
  const Balance = () => hooks.useBalance() ?? '?';
  return (
    <>
      <Phase />|<Percent />|<Ids />|<Balance />
    </>
  );
}
const text = () => document.body.textContent?.replace(/ \|/, '|');
const newestPhase = () => world.client.getSnapshot().assessments.at(-1)?.getSnapshot().phase;
const submitted = async () => {
  await world.happens(
    () => document.querySelector('button')?.click(),
    () => newestPhase() === 'waiting',
  );
  await world.goLive();
};

describeEachMode(() => {
  it('shows an assessment from the click to the result without a provider', async () => {
    render(createPage());
    expect(text()).toBe('idle|?||?');
    await submitted();
    act(() => world.progress(40));
    expect(text()).toBe('waiting|40|assessment-1|4');
    await world.happens(
      () => world.complete(),
      () => newestPhase() === 'completed',
    );
    expect(text()).toBe('completed The Explorer|100|assessment-1|4');
    expect(world.count('submit')).toBe(1);
  });

  it('resumes the assessments from before a reload once, however many components mount', async () => {
    render(createPage());
    await submitted();
    cleanup();
    world.reload();
    const resume = vi.spyOn(world.client, 'resume');
    const page = createPage();
    render(page);
    render(page);
    await world.happens(
      () => {},
      () => newestPhase() === 'waiting',
    );
    expect(text()).toMatch(/^waiting\|.*\|assessment-1\|/);
    expect(resume).toHaveBeenCalledOnce();
    expect(world.count('submit')).toBe(1);
  });

  it('does not resume when `resume` is false', async () => {
    render(createPage());
    await submitted();
    cleanup();
    world.reload();
    render(createPage({ resume: false }));
    await act(settle);
    expect(text()).toBe('idle|?||?');
    expect(world.client.getSnapshot().assessments).toEqual([]);
  });

  it('keeps two clients on one page apart', async () => {
    const first = world;
    const pageOfFirst = createPage();
    world = openWorld();
    const { container } = render(createPage());
    render(pageOfFirst);
    await submitted();
    expect(container.textContent).toMatch(/^waiting/);
    expect(document.body.textContent).toMatch(/idle \|\?\|\|\?$/);
    expect([first.count('submit'), world.count('submit')]).toEqual([0, 1]);
    first.client.dispose();
  });

  it('renders the idle view on the server and hydrates without a mismatch', async () => {
    const html = renderToString(createPage());
    world.client.submit(sampleAnswers);
    await world.until(() => newestPhase() === 'waiting');
    const container = document.body.appendChild(document.createElement('div'));
    container.innerHTML = html;
    expect(text()).toBe('idle|?||?');
    const onRecoverableError = vi.fn<() => void>();
    render(createPage(), { container, hydrate: true, onRecoverableError });
    expect(text()).toBe('waiting|0|assessment-1|4');
    expect(onRecoverableError).not.toHaveBeenCalled();
  });
});
