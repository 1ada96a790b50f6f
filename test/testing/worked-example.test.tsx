// @vitest-environment jsdom
import { AssessmentProvider, useAssessment } from 'assessment-monitor/react';
import { openTestWorld } from 'assessment-monitor/testing';
import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, describe, expect, it } from 'vitest';

/* The worked example of docs/testing.md: a component of your own, in a world where nothing waits. */

interface Answers {
  answers: number[];
}

function Page() {
  const assessment = useAssessment<Answers, { of: string }>();
  switch (assessment.phase) {
    case 'idle':
      return <button onClick={() => assessment.submit({ answers: [1, 2, 3] })}>Submit</button>;
    case 'completed':
      return <h1>Result of {assessment.result.of}</h1>;
    case 'sign-in-needed':
      return <p role="alert">{assessment.error.message.en}</p>;
    default:
      return <p>Please wait</p>;
  }
}

describe('given a page with an assessment', () => {
  afterEach(cleanup);

  const open = (world: Parameters<typeof openTestWorld>[0]) => {
    const opened = openTestWorld<Answers, { of: string }>(world);
    opened.signIn();
    render(
      <AssessmentProvider client={opened.client}>
        <Page />
      </AssessmentProvider>,
    );
    fireEvent.click(screen.getByRole('button', { name: 'Submit' }));
    return opened;
  };

  it('and a token that dies after 3 s, it shows the result of a job that takes 20 s', async () => {
    const world = open({ tokenTtlMs: 3_000, jobMs: 20_000 });
    await act(() => world.run(10_000));
    expect(screen.getByText('Please wait')).toBeTruthy();
    // The token was replaced several times, and the user saw nothing of it.
    await act(() => world.run(20_000));
    expect(screen.getByRole('heading').textContent).toMatch(/^Result of job-/);
    expect(world.backend.seen.refreshes.length).toBeGreaterThan(2);
    expect(world.backend.seen.submissionsAccepted).toBe(1);
    expect(world.backend.seen.expiredTokens).toBe(0);
  });

  it('and a session that is revoked, it asks for a sign-in and then shows the result', async () => {
    const world = open({ jobMs: 20_000 });
    await act(() => world.run(5_000));
    world.backend.revoke();
    await act(() => world.run(60_000));
    expect(screen.getByRole('alert').textContent).toMatch(/sign in again/i);
    world.signIn();
    await act(() => world.run(10_000));
    expect(screen.getByRole('heading')).toBeTruthy();
  });
});
