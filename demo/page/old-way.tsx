import { useRef, useState } from 'react';
import { sampleAnswers } from '../sample-answers.ts';
import { signInCall } from './session.ts';
import type { Say } from './words.ts';

/**
 * The old way: the token is read once, the status is asked for every second, and no code handles expiry. The same server,
 * a session of its own.
 */
async function runTheOldWay(show: (line: string) => void, signal: AbortSignal): Promise<void> {
  // Without cookies: this session must not take the place of the other one.
  const { idToken } = await signInCall({ credentials: 'omit', signal });
  const call = async (path: string, init: RequestInit = {}) => {
    const headers = { Authorization: `Bearer ${idToken}`, 'Content-Type': 'application/json' };
    const response = await fetch(path, { credentials: 'omit', signal, ...init, headers });
    const answer = (await response.json()) as { error?: unknown; message?: string; data: Record<string, string> };
    if (response.ok) return answer.data;
    const { error, message } = answer;
    throw new Error(typeof error === 'string' ? `${error}: ${message}` : JSON.stringify(error));
  };
  const { jobId } = await call('/api/assessment/submit', { method: 'POST', body: JSON.stringify(sampleAnswers) });
  for (;;) {
    const { status } = await call(`/api/assessment/status/${jobId}`);
    show(status ?? '');
    if (status === 'completed') return;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** The failure beside its cure. */
export function OldWay({ say }: { say: Say }) {
  const [line, setLine] = useState('');
  const [failure, setFailure] = useState('');
  const running = useRef<AbortController>(null);
  const run = () => {
    running.current?.abort();
    const { signal } = (running.current = new AbortController());
    setFailure('');
    runTheOldWay(setLine, signal).catch((error: Error) => {
      if (!signal.aborted) setFailure(error.message);
    });
  };
  return (
    <section className="card old-way" aria-label={say('oldWay')}>
      <h2>{say('oldWay')}</h2>
      <p className="hint">{say('oldWayHint')}</p>
      {failure ? <p role="alert">{failure}</p> : <p aria-live="polite">{line}</p>}
      {failure && <p>{say('oldWayLost')}</p>}
      <button type="button" className="quiet" onClick={run}>
        {say('oldWayRun')}
      </button>
    </section>
  );
}
