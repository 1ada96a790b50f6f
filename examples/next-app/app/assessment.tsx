'use client';

import { createAssessmentClient } from 'assessment-monitor';
import { createAssessmentHooks } from 'assessment-monitor/react';

// Also created while the server renders, where it sends nothing. Rewrites pass on no WebSocket, so this page polls.
const client = createAssessmentClient({ baseUrl: '', socket: false });
const { useAssessment } = createAssessmentHooks(client);

/** Your own sign-in. */
async function signIn() {
  const answer = await fetch('/api/auth/v2/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email: 'user@example.test', password: 'correct-horse' }),
  });
  const { data } = (await answer.json()) as { data: { idToken: string; expiresIn: string } };
  client.signedIn({ accessToken: data.idToken, expiresIn: data.expiresIn });
}

export function Assessment({ answers }: { answers: object }) {
  const assessment = useAssessment();
  switch (assessment.phase) {
    case 'idle':
      return <button onClick={() => void signIn().then(() => assessment.submit(answers))}>Sign in and submit</button>;
    case 'submitting':
    case 'waiting':
      return <progress aria-label="Analysis" max={100} value={assessment.progress.percent} />;
    case 'sign-in-needed':
      return <button onClick={() => void signIn()}>{assessment.error.message.en}</button>;
    case 'delayed':
      return <button onClick={assessment.keepWaiting}>{assessment.error.message.en}</button>;
    case 'unconfirmed':
      return <button onClick={assessment.sendAgain}>{assessment.error.message.en}</button>;
    case 'failed':
      return <p role="alert">{assessment.error.message.en}</p>;
    case 'cancelled':
      return <button onClick={assessment.reset}>Start again</button>;
    case 'completed':
      return <pre>{JSON.stringify(assessment.result, null, 2)}</pre>;
  }
}
