import { createAssessmentClient } from 'assessment-monitor';
import { AssessmentProvider } from 'assessment-monitor/react';
import { StrictMode, version } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { memoryStore } from '../../src/lib/storage.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { Page } from './support/page.tsx';

/* Plain Node: no window, no document. */

beforeEach(() => {
  vi.spyOn(console, 'error');
});
afterEach(() => {
  expect(console.error).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

const nothingIsSent: typeof fetch = () => Promise.reject(new Error('a server sends nothing while it renders'));

it('runs without window and document in the intended React version', () => {
  expect(version.split('.')[0]).toBe(process.env.REACT_MAJOR ?? '19');
  expect([typeof window, typeof document]).toEqual(['undefined', 'undefined']);
});

it('renders the idle view, does nothing, and leaves no timer', () => {
  const clock = virtualClock();
  const fetch = vi.fn<typeof globalThis.fetch>(nothingIsSent);
  const client = createAssessmentClient({ baseUrl: 'https://api.example.test', clock, fetch });
  const html = renderToString(
    <StrictMode>
      <AssessmentProvider client={client}>
        <Page />
      </AssessmentProvider>
    </StrictMode>,
  );
  expect(html).toContain('<output>idle</output>');
  expect(client.getSnapshot().assessments).toEqual([]);
  expect(fetch).not.toHaveBeenCalled();
  expect(clock.armed()).toBe(0);
});

it('renders the idle view even when the client has an assessment, so that hydration matches', () => {
  const client = createAssessmentClient({
    baseUrl: 'https://api.example.test',
    clock: virtualClock(),
    fetch: nothingIsSent,
    storage: memoryStore(),
  });
  client.submit(sampleAnswers);
  const html = renderToString(
    <AssessmentProvider client={client}>
      <Page />
    </AssessmentProvider>,
  );
  expect(html).toContain('<output>idle</output>');
  client.dispose();
});
