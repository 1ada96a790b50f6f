import { type Clock, sleep } from '../lib/clock.ts';

/**
 * Keeps the calls of one assessment apart, whoever asks for them and however often: the chart may have many reasons to
 * look at a job, and each of them goes through here. It is also where a server's Retry-After is obeyed.
 */
export interface Pacer {
  /**
   * Waits for this kind of call's turn; the next one comes `minDistanceMs` later.
   *
   * @returns null when it is its turn now: a call that need not wait leaves in the same moment
   * @throws the signal's reason when it aborts first; the turn is then not used up
   */
  turn(kind: string, minDistanceMs: number, signal: AbortSignal): Promise<void> | null;
  /** No turn for it before `ms` from now. */
  postpone(kind: string, ms: number): void;
}

export function createPacer(clock: Clock): Pacer {
  // Since when to wait how long, rather than until when: a clock that is set back must not hold a call for an hour.
  const waits: Record<string, { since: number; ms: number }> = {};
  const remaining = (kind: string): number => {
    const wait = waits[kind];
    if (!wait) return 0;
    wait.since = Math.min(wait.since, clock.now());
    return Math.max(0, wait.ms - (clock.now() - wait.since));
  };
  const postpone = (kind: string, ms: number): void => {
    if (ms > remaining(kind)) waits[kind] = { since: clock.now(), ms };
  };
  const take = (kind: string, minDistanceMs: number): null => {
    waits[kind] = { since: clock.now(), ms: minDistanceMs };
    return null;
  };
  const waitFor = async (kind: string, minDistanceMs: number, signal: AbortSignal): Promise<void> => {
    // Asked anew after each wait: somebody else may have taken the turn, or the server asked for more time.
    for (let wait = remaining(kind); wait > 0; wait = remaining(kind)) await sleep(clock, wait, signal);
    take(kind, minDistanceMs);
  };
  return {
    turn(kind, minDistanceMs, signal) {
      signal.throwIfAborted();
      return remaining(kind) > 0 ? waitFor(kind, minDistanceMs, signal) : take(kind, minDistanceMs);
    },
    postpone,
  };
}
