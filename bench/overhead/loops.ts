import { EMPTY, exhaustMap, first, fromEvent, merge, of, timer, type Observable } from 'rxjs';
import { type Contestant, paths } from '../contestants/contestant.ts';
import type { Page } from '../world/browser.ts';

/*
 * The least that can be done, for comparison: no retries, nothing kept for a reload, no other tabs. One written by hand, one with rxjs.
 * A refused token is refreshed once, so that they live through an expiry.
 */

const POLL_MS = 10_000;

interface Accepted {
  jobId: string;
  resultId: string;
}

function createCalls(page: Page) {
  let token = '';
  const send = async (method: 'GET' | 'POST', path: string): Promise<unknown> => {
    const ask = () => page.exchange({ method, path, headers: { Authorization: `Bearer ${token}` } });
    let answer = await ask();
    if (answer.status === 401) {
      const refreshed = await page.exchange({ method: 'POST', path: paths.refresh });
      token = (JSON.parse(refreshed.text) as { data: { idToken: string } }).data.idToken;
      answer = await ask();
    }
    return (JSON.parse(answer.text) as { data: unknown }).data;
  };
  return {
    signedIn: (accessToken: string) => void (token = accessToken),
    token: () => token,
    submit: () => send('POST', paths.submit) as Promise<Accepted>,
    isDone: async ({ jobId }: Accepted) =>
      ((await send('GET', paths.status(jobId))) as { status: string }).status === 'completed',
    result: async ({ resultId }: Accepted) =>
      ((await send('GET', paths.result(resultId))) as { test_result: { of: string } }).test_result,
  };
}

const nothing = { resume() {}, balance() {} };

export const byHand: Contestant = {
  title: 'a loop written by hand',
  open(page, show) {
    const calls = createCalls(page);
    const run = async (): Promise<void> => {
      show({ phase: 'waiting' });
      const job = await calls.submit();
      await new Promise<void>((done) => {
        const socket = page.openSocket();
        socket.on('connect', () => socket.emit('authenticate', { token: calls.token() }));
        let isOver = false;
        let timer: ReturnType<typeof setTimeout>;
        const finish = (): void => {
          isOver = true;
          clearTimeout(timer);
          socket.disconnect();
          done();
        };
        socket.on('analysis-complete', finish);
        const poll = async (): Promise<void> => {
          if (await calls.isDone(job)) finish();
          else if (!isOver && !socket.connected) timer = setTimeout(poll, POLL_MS);
        };
        timer = setTimeout(poll, POLL_MS);
      });
      show({ phase: 'result', of: (await calls.result(job)).of });
    };
    return { ...nothing, signedIn: (it) => calls.signedIn(it.accessToken), submit: () => void run() };
  },
};

export const withRxjs: Contestant = {
  title: 'a loop of rxjs',
  open(page, show) {
    const calls = createCalls(page);
    const watch = async (): Promise<void> => {
      show({ phase: 'waiting' });
      const job = await calls.submit();
      const socket = page.openSocket();
      socket.on('connect', () => socket.emit('authenticate', { token: calls.token() }));
      const told: Observable<unknown> = fromEvent(socket, 'analysis-complete');
      const polled = timer(POLL_MS, POLL_MS).pipe(
        exhaustMap(async () => !socket.connected && (await calls.isDone(job))),
        exhaustMap((isDone) => (isDone ? of(null) : EMPTY)),
      );
      merge(told, polled)
        .pipe(
          first(),
          exhaustMap(() => calls.result(job)),
        )
        .subscribe((result) => {
          socket.disconnect();
          show({ phase: 'result', of: result.of });
        });
    };
    return { ...nothing, signedIn: (it) => calls.signedIn(it.accessToken), submit: () => void watch() };
  },
};
