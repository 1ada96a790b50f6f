import { throwIfAborted } from '../lib/abort.ts';
import { type Clock, sleep } from '../lib/clock.ts';

/**
 * Spaces out the calls of one assessment. The chart has many reasons to make a call; all of them take a turn here first, so
 * calls of one kind keep their distance and obey the server's Retry-After.
 */
export interface Pacer {
  /**
   * Resolves when a call of this kind may leave. The next turn of the kind comes `minDistanceMs` later.
   *
   * @throws the signal's reason if it aborts first; the turn then remains free for another caller
   *
   * @example
   * await pacer.turn('status', 2_000, signal);
   * const answer = await api.status(jobId, signal);
   */
  turn(kind: string, minDistanceMs: number, signal: AbortSignal): Promise<void>;
  /** How long the next turn of this kind is away, ms. */
  remaining(kind: string): number;
  /** Delays the next turn of this kind until `ms` from now. A shorter delay never replaces a longer one. */
  postpone(kind: string, ms: number): void;
}

/** @example const pacer = createPacer(systemClock); */
export function createPacer(clock: Clock): Pacer {
  // A start and a length instead of an end: a clock that is set back by an hour must not hold up a call for an hour.
  const waits: Record<string, { since: number; ms: number }> = {};
  const remaining = (kind: string): number => {
    const wait = waits[kind];
    if (!wait) return 0;
    wait.since = Math.min(wait.since, clock.now());
    return Math.max(0, wait.ms - (clock.now() - wait.since));
  };
  return {
    remaining,
    async turn(kind, minDistanceMs, signal) {
      // Checked again after each wait: another caller may have taken the turn, or the server asked for more time.
      for (let wait = remaining(kind); wait > 0; wait = remaining(kind)) await sleep(clock, wait, signal);
      throwIfAborted(signal);
      waits[kind] = { since: clock.now(), ms: minDistanceMs };
    },
    postpone(kind, ms) {
      if (ms > remaining(kind)) waits[kind] = { since: clock.now(), ms };
    },
  };
}
