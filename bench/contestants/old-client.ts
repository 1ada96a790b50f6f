import type { Page } from '../world/browser.ts';
import { type App, codeOf, paths, type Screen, type SignedIn } from './contestant.ts';

/*
 * The client that this package replaces, in its own limits and waits: the WebSocket first, whose events it cannot match, since they
 * name no job; polling from 45 s on; five tries for an error and none after the fifth poll; ten seconds of waiting before the result.
 */

const LIMIT_MS = 600_000;
const FALLBACK_MS = 45_000;
const POLL_MS = 3_000;
const BEFORE_RESULT_MS = 10_000;
const MAX_ATTEMPTS = 5;
const RESULT_WAITS_MS = [1_500, 3_000, 6_000, 10_000, 10_000, 10_000, 10_000, 10_000];
const TIMEOUTS_MS = { submit: 30_000, status: 15_000, refresh: 15_000, result: 300_000 } as const;

/** An answer that is an error, by the code that the server gave it. */
export class AnswerError extends Error {
  readonly code: string;
  readonly status: number | null;
  constructor(code: string, status: number | null) {
    super(code);
    this.code = code;
    this.status = status;
  }
}

/** Where the old client gets its tokens from: the only thing that its repair changed. */
export interface OldTokens {
  /** Before the submission, each poll and each connection. Rejects when the session is over. */
  valid(): Promise<string>;
  /** After a 401 of the calls that go through axios, which are the result and the balance. Null: nothing to be done. */
  renewed(): Promise<string | null>;
}

/** One call with the client's own timeout. Every answer but a success is an error. */
export async function ask<T>(page: Page, path: string, timeoutMs: number, token: string | null): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new AnswerError('TIMEOUT', null)), timeoutMs);
  try {
    const method = path === paths.submit || path === paths.refresh ? 'POST' : 'GET';
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    const { status, text } = await page.exchange({ method, path, headers, signal: controller.signal });
    const body: unknown = JSON.parse(text);
    if (status >= 400) throw new AnswerError(codeOf(body), status);
    return (body as { data: T }).data;
  } catch (error) {
    throw error instanceof AnswerError ? error : new AnswerError('NETWORK', null);
  } finally {
    clearTimeout(timer);
  }
}

export const ACCESS_TOKEN = 'token';

/** The application around it. */
export function oldApp(page: Page, show: (screen: Screen) => void, tokens: OldTokens): App {
  /** Calls of the old client's axios instance: a 401 is repeated once with a better token, if there is one. */
  const askWithAxios = async <T>(path: string): Promise<T> => {
    try {
      return await ask<T>(page, path, TIMEOUTS_MS.result, page.localStorage.get(ACCESS_TOKEN));
    } catch (error) {
      if ((error as AnswerError).status !== 401) throw error;
      const token = await tokens.renewed();
      if (token === null) throw error;
      return ask<T>(page, path, TIMEOUTS_MS.result, token);
    }
  };

  const fetchResult = async (resultId: string): Promise<Screen> => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const { test_result: result } = await askWithAxios<{ test_result: { of: string } }>(paths.result(resultId));
        return { phase: 'result', of: result.of };
      } catch (error) {
        const wait = RESULT_WAITS_MS[attempt];
        if ((error as AnswerError).status !== 404 || wait === undefined) throw error;
        await delay(wait);
      }
    }
  };

  const poll = async (jobId: string): Promise<Screen> => {
    let consecutive = 0;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const token = await tokens.valid();
        const job = await ask<{ status: string; resultId: string | null }>(
          page,
          paths.status(jobId),
          TIMEOUTS_MS.status,
          token,
        );
        consecutive = 0;
        if (job.status === 'completed' && job.resultId) {
          await delay(BEFORE_RESULT_MS);
          return await fetchResult(job.resultId);
        }
        await delay(POLL_MS);
      } catch (error) {
        consecutive += 1;
        if (consecutive >= MAX_ATTEMPTS || attempt >= MAX_ATTEMPTS) throw error;
        await delay(1_000 * 2 ** (attempt - 1));
      }
    }
  };

  /** Opens the socket and waits; that nothing comes of it is known after 45 s, or at once when it does not open. */
  const listen = async (): Promise<void> => {
    const token = await tokens.valid().catch(() => null);
    if (token === null) return;
    const socket = page.openSocket({ reconnectionAttempts: 5, reconnectionDelay: 3_000, timeout: 10_000 });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FALLBACK_MS);
      const giveUp = () => {
        clearTimeout(timer);
        resolve();
      };
      socket.on('connect', () => void socket.emit('authenticate', { token }));
      socket.on('connect_error', giveUp);
      socket.on('auth_error', giveUp);
    });
  };

  const monitor = async (jobId: string): Promise<Screen> => {
    await listen();
    return poll(jobId);
  };
  const because = (error: unknown) => (error as AnswerError).code;

  return {
    signedIn() {},
    resume() {
      // Only the page that is gone knew the job.
    },
    async submit() {
      show({ phase: 'waiting' });
      let jobId: string;
      try {
        const token = await tokens.valid();
        ({ jobId } = await ask<{ jobId: string }>(page, paths.submit, TIMEOUTS_MS.submit, token));
        // The balance comes before the monitoring, and what goes wrong with it does not matter.
        await askWithAxios(paths.balance).catch(() => {});
      } catch (error) {
        return show({ phase: 'not-submitted', because: because(error) });
      }
      const limit = delay(LIMIT_MS).then((): Screen => ({ phase: 'failed', because: 'TIMEOUT' }));
      const outcome = monitor(jobId).catch((error: unknown): Screen => ({ phase: 'failed', because: because(error) }));
      show(await Promise.race([outcome, limit]));
    },
    balance: () => void askWithAxios(paths.balance).catch(() => {}),
  };
}

const delay = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

/** Nothing else is known of a session that this client began. */
export const remember = (page: Page, { accessToken }: SignedIn) => page.localStorage.set(ACCESS_TOKEN, accessToken);
