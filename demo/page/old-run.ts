import { type Answers, signInCall } from './session.ts';

/*
 * The old way: the token is read once, the status is asked for every second, and no code handles expiry. The same server, a session and
 * an account of its own.
 */

export interface OldRun {
  phase: 'idle' | 'running' | 'completed' | 'failed';
  percent: number;
  /** What its user reads: the words of the server. */
  message: string;
}

const EVERY_MS = 1_000;
const idle: OldRun = { phase: 'idle', percent: 0, message: '' };

/** The old way, for `useSyncExternalStore`. */
export function createOldRun() {
  let state = idle;
  let running: AbortController | null = null;
  const listeners = new Set<() => void>();
  const show = (next: OldRun): void => {
    state = next;
    for (const listener of listeners) listener();
  };
  return {
    /** Begins again; a run that is under way ends. */
    run(answers: Answers): void {
      running?.abort();
      const { signal } = (running = new AbortController());
      show({ ...idle, phase: 'running' });
      runTheOldWay(answers, (percent) => show({ ...idle, phase: 'running', percent }), signal).then(
        () => show({ ...idle, phase: 'completed', percent: 100 }),
        (error: unknown) => {
          if (signal.aborted) return;
          show({ ...state, phase: 'failed', message: error instanceof Error ? error.message : String(error) });
        },
      );
    },
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    getSnapshot: () => state,
  };
}

async function runTheOldWay(answers: Answers, show: (percent: number) => void, signal: AbortSignal): Promise<void> {
  // Without cookies: this session must not take the place of the other one.
  const { idToken } = await signInCall({ credentials: 'omit', signal }, 'old-way@example.test');
  const call = async (path: string, init: RequestInit = {}) => {
    const headers = { Authorization: `Bearer ${idToken}`, 'Content-Type': 'application/json' };
    const response = await fetch(path, { credentials: 'omit', signal, ...init, headers });
    const answer = (await response.json()) as {
      error?: unknown;
      message?: string;
      data: { jobId?: string; status?: string; progress?: number };
    };
    if (response.ok) return answer.data;
    const { error, message } = answer;
    throw new Error(typeof error === 'string' ? `${error}: ${message}` : JSON.stringify(error));
  };
  const { jobId } = await call('/api/assessment/submit', { method: 'POST', body: JSON.stringify(answers) });
  for (;;) {
    const { status, progress = 0 } = await call(`/api/assessment/status/${jobId}`);
    show(progress);
    if (status === 'completed') return;
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    signal.throwIfAborted();
  }
}

export type OldRunStore = ReturnType<typeof createOldRun>;
