import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createTabLock, type TabLocks } from '../../../src/services/auth/tab-lock.ts';
import { deferred } from '../../support/deferred.ts';
import { settle, virtualClock } from '../../../src/testing/virtual-clock.ts';

/** Locks in the hands of the test: who asks for which, who has one, and who has left. */
function openLocks() {
  const clock = virtualClock();
  const requests: {
    name: string;
    grant: () => Promise<unknown>;
    signal: AbortSignal | undefined;
    isReleased: boolean;
  }[] = [];
  const locks: TabLocks = {
    request: (name, { signal }, callback) =>
      new Promise((resolve, reject) => {
        const request = {
          name,
          signal,
          isReleased: false,
          grant: () =>
            callback().then((it) => {
              request.isReleased = true;
              resolve(it);
              return it;
            }),
        };
        requests.push(request);
        signal?.addEventListener('abort', () => reject(new DOMException('left', 'AbortError')));
      }),
  };
  const enough$ = new Subject<void>();
  const lock = createTabLock({ locks, name: 'refresh', clock, waitMs: 16_000 });
  return { clock, requests, lock, enough$ };
}

const never = () => false;

describe('the lock of the tabs', () => {
  it('is requested by its name, and the work begins when it is granted', async () => {
    const { lock, requests, enough$, clock } = openLocks();
    let began = 0;
    const done = lock.run(() => Promise.resolve((began += 1)), enough$, never);
    await settle();
    expect([began, requests.map(({ name }) => name)]).toEqual([0, ['refresh']]);
    await requests[0]?.grant();
    expect(await done).toEqual({ value: 1 });
    expect([clock.armed(), enough$.observed]).toEqual([0, false]);
  });

  it('is held for another moment when a message has to reach the other tabs first; the value is returned immediately', async () => {
    const { lock, requests, enough$, clock } = openLocks();
    const done = lock.run(
      () => Promise.resolve('news'),
      enough$,
      (value) => value === 'news',
    );
    void requests[0]?.grant();
    expect(await done).toEqual({ value: 'news' });
    await clock.run(499);
    expect(requests[0]?.isReleased).toBe(false);
    await clock.run(1);
    expect(requests[0]?.isReleased).toBe(true);
  });

  it('is released immediately when no message has to arrive first', async () => {
    const { lock, requests, enough$ } = openLocks();
    const done = lock.run(() => Promise.resolve('no news'), enough$, never);
    await requests[0]?.grant();
    await done;
    expect(requests[0]?.isReleased).toBe(true);
  });

  it('is no longer waited for when the work has become unnecessary', async () => {
    const { lock, requests, enough$, clock } = openLocks();
    let began = 0;
    const done = lock.run(() => Promise.resolve((began += 1)), enough$, never);
    enough$.next();
    expect(await done).toBe(null);
    expect(requests[0]?.signal?.aborted).toBe(true);
    expect(requests).toHaveLength(1);
    // Granted in the moment in which it left.
    await requests[0]?.grant();
    expect([began, clock.armed(), enough$.observed]).toEqual([0, 0, false]);
  });

  it('is kept by its holder when the work becomes unnecessary', async () => {
    const { lock, requests, enough$ } = openLocks();
    const work = deferred<string>();
    const done = lock.run(() => work.promise, enough$, never);
    void requests[0]?.grant();
    await settle();
    enough$.next();
    work.resolve('done');
    expect(await done).toEqual({ value: 'done' });
    expect(requests[0]?.signal?.aborted).toBe(false);
  });

  it('of a frozen tab is waited for 16 s, then a second lock as long; after that the work runs without one', async () => {
    const { lock, requests, enough$, clock } = openLocks();
    let began = 0;
    const done = lock.run(() => Promise.resolve((began += 1)), enough$, never);
    await clock.run(15_999);
    expect(requests).toHaveLength(1);
    await clock.run(1);
    expect(requests.map(({ name }) => name)).toEqual(['refresh', 'refresh:after-a-frozen-tab']);
    expect(requests[0]?.signal?.aborted).toBe(true);
    await clock.run(15_999);
    expect(began).toBe(0);
    await clock.run(1);
    expect(await done).toEqual({ value: 1 });
    expect(clock.armed()).toBe(0);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('SecurityError');
      },
    ],
    ['refuses', () => Promise.reject(new Error('SecurityError'))],
  ])('that %s is treated like a missing one', async (_how, request) => {
    const clock = virtualClock();
    const enough$ = new Subject<void>();
    const lock = createTabLock({ locks: { request }, name: 'refresh', clock, waitMs: 16_000 });
    expect(await lock.run(() => Promise.resolve(1), enough$, never)).toEqual({ value: 1 });
    expect([clock.armed(), enough$.observed]).toEqual([0, false]);
  });

  it('is not requested where the browser has none', async () => {
    const clock = virtualClock();
    const lock = createTabLock({ locks: null, name: 'refresh', clock, waitMs: 16_000 });
    expect(await lock.run(() => Promise.resolve(1), new Subject<void>(), never)).toEqual({ value: 1 });
  });

  it('rejects with the error of the work, and is released', async () => {
    const { lock, requests, enough$ } = openLocks();
    const done = lock.run(() => Promise.reject(new Error('broken')), enough$, never);
    await settle();
    void requests[0]?.grant();
    await expect(done).rejects.toThrow('broken');
    await settle();
    expect(requests[0]?.isReleased).toBe(true);
  });
});
