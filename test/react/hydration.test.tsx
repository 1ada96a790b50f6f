// @vitest-environment jsdom
import { cleanup, render } from '@testing-library/react';
import { AssessmentProvider, useAssessmentSelector, useAssessments, useBalance } from 'assessment-monitor/react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { describeEachMode } from './support/modes.ts';
import { Page, press, seen } from './support/page.tsx';
import { openWorld, type World } from './support/world.tsx';

/* A page that a server rendered is hydrated in the browser. React reports where the two differ. */

let world: World;
/** Errors from which React recovered by rendering again. */
let recovered: unknown[];
beforeEach(() => {
  recovered = [];
});
afterEach(() => {
  cleanup();
  world.client.dispose();
  expect(recovered).toEqual([]);
});

const Facts = () => (
  <p>
    {useAssessments().length} {useBalance() ?? '?'} {useAssessmentSelector((it) => it.phase)}
  </p>
);
const app = () => (
  <AssessmentProvider client={world.client}>
    <Page />
    <Facts />
  </AssessmentProvider>
);
const hydrate = (html: string) => {
  const container = document.body.appendChild(document.createElement('div'));
  container.innerHTML = html;
  return render(app(), { container, hydrate: true, onRecoverableError: (error) => recovered.push(error) });
};
const facts = () => document.querySelector('p')?.textContent;
const isPhase = (phase: string) => () => seen().phase === phase;
const served = () => {
  world = openWorld();
  return renderToString(app());
};

describeEachMode(() => {
  it('hydrates the idle view of the server and can submit', async () => {
    hydrate(served());
    expect(seen().phase).toBe('idle');
    await world.happens(() => press('submit'), isPhase('waiting'));
    expect(facts()).toBe('1 4 waiting');
    expect(world.count('submit')).toBe(1);
  });

  it('shows the assessment from before the reload right after hydration', async () => {
    const html = served();
    const { unmount } = hydrate(html);
    await world.happens(() => press('submit'), isPhase('waiting'));
    unmount();
    world.reload();
    hydrate(html);
    await world.happens(() => {}, isPhase('waiting'));
    expect(world.count('submit')).toBe(1);
  });

  it('shows an assessment that the client started before hydration', async () => {
    const html = served();
    world.client.submit(sampleAnswers);
    await world.until(() => world.client.getSnapshot().assessments[0]?.getSnapshot().phase === 'waiting');
    hydrate(html);
    expect(facts()).toBe('1 4 waiting');
    expect(world.count('submit')).toBe(1);
  });
});
