// Options that no other file has give it a worker of its own: the document of this file is there in all that it loads.
// @vitest-environment-options {"worker":"own"}
import './support/document.ts';
import { act, cleanup, fireEvent, render, within } from '@testing-library/react';
import { AssessmentProvider, useBalance } from 'assessment-monitor/react';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openStage, type Stage } from '../../e2e/scenarios/stage.ts';
import { describeEachMode } from './support/modes.ts';
import { Page } from './support/page.tsx';

/* End to end: components, client, sockets and HTTP. The reference backend counts what was sent. */

let stage: Stage;
beforeEach(async () => {
  stage = await openStage({ backend: { jobDurationMs: 600_000, accessTokenTtlMs: 600_000 } });
  await stage.signIn();
});
afterEach(async () => {
  cleanup();
  expect(await stage.close()).toEqual({ timers: 0, sockets: 0, requests: 0 });
});

const Credit = () => <var>{useBalance()}</var>;
const show = () =>
  render(
    <AssessmentProvider client={stage.client}>
      <Page />
      <Credit />
    </AssessmentProvider>,
  );
const text = (tag: string) => document.querySelector(tag)?.textContent;
const untilPhase = async (phase: string) => {
  const newest = () => stage.client.getSnapshot().assessments.at(-1);
  await act(() => stage.until(`it is ${phase}`, () => newest()?.getSnapshot().phase === phase));
  expect(text('output')).toBe(phase);
};
const press = (name: string) => fireEvent.click(within(document.body).getByRole('button', { name }));

describeEachMode(() => {
  it('shows an assessment from the click to the result over real HTTP with one submission and one socket', async () => {
    show();
    expect(text('output')).toBe('idle');
    press('submit');
    expect(text('output')).toBe('submitting');
    await untilPhase('waiting');
    expect(text('var')).toBe('4');
    await act(() => stage.until('it is watched', () => stage.states.at(-1) === 'ws-monitoring'));
    stage.backend.finishJobs();
    await untilPhase('completed');
    expect(text('article')).not.toBe('');
    expect(stage.backend.counts()).toMatchObject({ submitCalls: 1, submissionsAccepted: 1, socketsOpened: 1 });
  });
});
