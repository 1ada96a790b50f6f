import type { Clock } from '../../lib/clock.ts';
import { TransientError } from '../../lib/errors.ts';
import { createPacer } from '../pacer.ts';
import type { AssessmentApi } from './assessment-api.ts';

/**
 * Several searches may ask for the list of jobs at once. They ask one after the other, so that each of them obeys what the server told the
 * one before.
 *
 * @example const jobs = listInTurn(api.jobs, systemClock);
 */
export function listInTurn(
  ask: AssessmentApi<unknown, unknown>['jobs'],
  clock: Clock,
): AssessmentApi<unknown, unknown>['jobs'] {
  const pacer = createPacer(clock);
  let latest: Promise<unknown> = Promise.resolve();
  return (signal) => {
    const turn = latest.then(async () => {
      await pacer.turn('jobs', 0, signal);
      return ask(signal).catch((error: unknown) => {
        if (error instanceof TransientError && error.retryAfterMs !== null) pacer.postpone('jobs', error.retryAfterMs);
        throw error;
      });
    });
    latest = turn.catch(() => {});
    return turn;
  };
}
