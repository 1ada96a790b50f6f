import { expect, it } from 'vitest';
import { TransientError } from '../../../src/lib/errors.ts';
import { listInTurn } from '../../../src/services/api/list-in-turn.ts';
import { virtualClock } from '../../../src/testing/virtual-clock.ts';
import { deferred } from '../../support/deferred.ts';

const { signal } = new AbortController();

it('asks again only after the answer to the question before, and after the wait that it asked for', async () => {
  const clock = virtualClock();
  const first = deferred<never>();
  const askedAt: number[] = [];
  const jobs = listInTurn(() => {
    askedAt.push(clock.now());
    return askedAt.length === 1 ? first.promise : Promise.resolve([]);
  }, clock);
  const begun = clock.now();
  const answers = [jobs(signal), jobs(signal)] as const;
  const failed = answers[0].catch((error: unknown) => error);
  await clock.run(2_000);
  expect(askedAt).toEqual([begun]);
  first.reject(new TransientError('unavailable', 'busy', { retryAfterMs: 7_000 }));
  expect(await failed).toMatchObject({ message: 'busy' });
  await clock.run(10_000);
  expect([await answers[1], askedAt]).toEqual([[], [begun, begun + 9_000]]);
});

it('gives a question up whose caller has gone, and continues with the next', async () => {
  const clock = virtualClock();
  const gone = new AbortController();
  const jobs = listInTurn(() => Promise.resolve([]), clock);
  gone.abort(new Error('gone'));
  await expect(jobs(gone.signal)).rejects.toThrow('gone');
  expect(await jobs(signal)).toEqual([]);
});
