import { createAssessmentClient } from 'assessment-monitor';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/lib/storage.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';

/* What random worlds found in this package, each in as few lines as show it. */

type Fetch = typeof globalThis.fetch;

const answer = (status: number, body: unknown): Response =>
  ({ status, headers: { get: () => null }, text: async () => JSON.stringify(body) }) as unknown as Response;
/** The API has no such route, and says so itself. */
const unknown = { success: false, error: 'NOT_FOUND', message: 'no' };
const never = new Promise<Response>(() => {});

describe('a server that knows no idempotency keys', () => {
  const openPage = (storage = memoryStore(), calls: string[] = []) => {
    const clock = virtualClock();
    const client = createAssessmentClient({
      baseUrl: 'https://world.test',
      socket: false,
      idempotencyHeader: null,
      clock,
      storage,
      tokenStorage: memoryStore(),
      // Another tab sends what this one has left.
      unsentAnswers: 'local',
      fetch: ((url: string) => {
        const route = url.split('/').at(-1) ?? '';
        calls.push(route);
        return route === 'jobs' ? Promise.resolve(answer(404, unknown)) : never;
      }) as unknown as Fetch,
    });
    client.signedIn({ accessToken: 'a', expiresIn: 3_600, userId: 'user-1' });
    return { client, storage, calls, settle: (ms = 0) => clock.run(ms) };
  };

  it('is not sent the answers a second time when the page died while they were sent: the user is asked', async () => {
    const { client, storage, calls, settle } = openPage();
    client.submit({ answers: [1] });
    await settle();
    expect(calls).toEqual(['submit']);

    const next = openPage(storage, calls);
    const [resumed] = next.client.resume();
    await next.settle(6_000);
    expect(resumed?.getSnapshot().phase).toBe('unconfirmed');
    expect(calls).toEqual(['submit', 'jobs']);
    resumed?.sendAgain();
    await next.settle(6_000);
    expect(calls.filter((call) => call === 'submit')).toHaveLength(2);
    client.dispose();
    next.client.dispose();
  });

  it('is sent them by the next page when they had not been sent yet', async () => {
    const { client, storage, calls, settle } = openPage();
    client.signedOut();
    client.submit({ answers: [1] });
    await settle();
    client.dispose();

    const next = openPage(storage, calls);
    next.client.resume();
    await next.settle();
    expect(calls).toEqual(['submit']);
    next.client.dispose();
  });
});

describe('a clock that is set back while a refresh is under way', () => {
  it('does not make the new token live longer than it does', async () => {
    const clock = virtualClock();
    let arrive: (response: Response) => void = () => {};
    const client = createAssessmentClient({
      baseUrl: 'https://world.test',
      clock,
      storage: memoryStore(),
      tokenStorage: memoryStore(),
      fetch: (() => new Promise<Response>((resolve) => (arrive = resolve))) as unknown as Fetch,
    });
    client.signedIn({ accessToken: 'first', expiresIn: 60 });
    const token = client.ensureValidToken(true);
    await clock.run(1_000);
    clock.jump(-3_600_000);
    arrive(answer(200, { data: { idToken: 'second', expiresIn: '60' } }));
    expect(await token).toBe('second');

    await clock.run(61_000);
    const later = client.ensureValidToken();
    await clock.run(0);
    arrive(answer(200, { data: { idToken: 'third', expiresIn: '60' } }));
    expect(await later).toBe('third');
    client.dispose();
  });
});
