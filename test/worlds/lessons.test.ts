import { type AssessmentClient, type AssessmentClientOptions, createAssessmentClient } from 'assessment-monitor';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/lib/storage.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { sleep } from '../../src/lib/clock.ts';

/* What random worlds found in this package, each in as few lines as show it. */

const answer = (status: number, body: unknown): Response =>
  ({ status, headers: { get: () => null }, text: async () => JSON.stringify(body) }) as unknown as Response;
/** The API has no such route, and says so itself. */
const unknown = { success: false, error: 'NOT_FOUND', message: 'no' };
const never = new Promise<Response>(() => {});

type Serve = (url: string, init: { headers: Record<string, string> }) => Promise<Response>;
/** A page without a socket on a server that answers by this function. Its answers are the part of a `Response` that the client reads. */
const openPageOn = (serve: Serve, options: Partial<AssessmentClientOptions>): AssessmentClient =>
  createAssessmentClient({
    baseUrl: 'https://world.test',
    socket: false,
    storage: memoryStore(),
    tokenStorage: memoryStore(),
    fetch: serve as unknown as typeof globalThis.fetch,
    ...options,
  });

describe('a server that knows no idempotency keys', () => {
  const openPage = (storage = memoryStore(), calls: string[] = []) => {
    const clock = virtualClock();
    const client = openPageOn(
      (url: string) => {
        const route = url.split('/').at(-1) ?? '';
        calls.push(route);
        return route === 'jobs' ? Promise.resolve(answer(404, unknown)) : never;
      },
      {
        idempotencyHeader: null,
        clock,
        storage,
        // Another tab sends what this one has left.
        unsentAnswers: 'local',
      },
    );
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

describe('a storage that is full at a sign-out', () => {
  const fullStore = () => {
    const store = memoryStore();
    const size = () => store.keys().reduce((sum, key) => sum + key.length + (store.get(key) ?? '').length, 0);
    let limit = Number.POSITIVE_INFINITY;
    return {
      ...store,
      set(key: string, value: string) {
        const before = store.get(key);
        const grown = before === null ? key.length + value.length : value.length - before.length;
        if (size() + grown > limit) throw new Error('QuotaExceededError');
        store.set(key, value);
      },
      fill: () => void (limit = size()),
    };
  };

  it('shows the next page no job of the user who has left, and begins no session for it', async () => {
    const clock = virtualClock();
    const storage = fullStore();
    const calls: string[] = [];
    const openPage = () =>
      openPageOn(
        (url: string) => {
          calls.push(url.split('/').at(-1) ?? '');
          return url.endsWith('submit')
            ? Promise.resolve(answer(202, { data: { jobId: 'job-1', resultId: 'result-1', status: 'queued' } }))
            : never;
        },
        { clock, storage },
      );
    const client = openPage();
    client.signedIn({ accessToken: 'a', expiresIn: 3_600, userId: 'user-1' });
    client.submit({ answers: [1] });
    await clock.run(1_000);
    storage.fill();
    client.signedOut();
    client.dispose();

    calls.length = 0;
    const next = openPage();
    expect(next.resume()).toEqual([]);
    await clock.run(60_000);
    expect(calls).toEqual([]);
    next.signedIn({ accessToken: 'b', expiresIn: 3_600, userId: 'user-1' });
    expect(next.getSnapshot().assessments).toHaveLength(1);
    next.dispose();
  });
});

describe('a list of jobs that does not answer when a user comes back', () => {
  it('is asked again, until it tells whose the submission is that was left in flight', async () => {
    const clock = virtualClock();
    const startedAt = clock.time();
    let lists = 0;
    const client = openPageOn(
      async (url: string) => {
        if (url.endsWith('submit')) return never;
        if (!url.endsWith('/jobs')) return answer(200, { data: { jobId: 'job-1', status: 'processing' } });
        lists += 1;
        if (lists === 1) throw new TypeError('fetch failed');
        const row = { job_id: 'job-1', status: 'processing', created_at: new Date(startedAt).toISOString() };
        return answer(200, { data: { jobs: [row] } });
      },
      { clock },
    );
    client.signedIn({ accessToken: 'a', expiresIn: 3_600, userId: 'user-1' });
    client.submit({ answers: [1] });
    await clock.run(1_000);
    client.signedOut();
    await clock.run(60_000);
    client.signedIn({ accessToken: 'b', expiresIn: 3_600, userId: 'user-1' });
    await clock.run(60_000);
    expect(lists).toBe(2);
    expect(client.getSnapshot().assessments.map((it) => it.getSnapshot().jobId)).toEqual(['job-1']);
    client.dispose();
    expect(clock.armed()).toBe(0);
  });
});

describe('a failed job that is looked at again while the next user signs in', () => {
  it('is not asked for with the token of that user', async () => {
    const clock = virtualClock();
    const storage = memoryStore();
    const calls: string[] = [];
    const openPage = () =>
      openPageOn(
        async (url: string, { headers }: { headers: Record<string, string> }) => {
          calls.push(`${headers.Authorization} ${url.split('/').slice(-2).join('/')}`);
          // The way of an answer, in virtual time.
          await sleep(clock, 100);
          if (url.endsWith('submit'))
            return answer(202, { data: { jobId: 'job-1', resultId: 'result-1', status: 'queued' } });
          return answer(200, { data: { jobId: 'job-1', job_id: 'job-1', status: 'failed' } });
        },
        { clock, storage },
      );
    const client = openPage();
    client.signedIn({ accessToken: 'a', expiresIn: 3_600, userId: 'user-1' });
    client.submit({ answers: [1] });
    await clock.run(600_000);
    client.dispose();

    calls.length = 0;
    const next = openPage();
    next.resume();
    next.signedIn({ accessToken: 'a', expiresIn: 3_600, userId: 'user-1' });
    await clock.run(50);
    expect(calls).toContain('Bearer a status/job-1');
    next.signedIn({ accessToken: 'b', expiresIn: 3_600, userId: 'user-2' });
    await clock.run(10_000);
    expect(calls.filter((call) => call.startsWith('Bearer b') && call.includes('job-1'))).toEqual([]);
    next.dispose();
  });
});

describe('a clock that is set back while a refresh is under way', () => {
  it('does not make the new token live longer than it does', async () => {
    const clock = virtualClock();
    let arrive: (response: Response) => void = () => {};
    const client = openPageOn(() => new Promise<Response>((resolve) => (arrive = resolve)), { clock });
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
