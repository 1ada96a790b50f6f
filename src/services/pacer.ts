import { type Clock, sleep } from './clock.ts';

/**
 * Keeps the calls of one assessment apart, whoever asks for them and however often: the chart may have many reasons to
 * look at a job, and each of them goes through here. It is also where a server's Retry-After is obeyed.
 */
export interface Pacer {
  /**
   * Waits for this kind of call's turn; the next one comes `minDistanceMs` later.
   *
   * @throws the signal's reason when it aborts first; the turn is then not used up
   */
  turn(kind: string, minDistanceMs: number, signal: AbortSignal): Promise<void>;
  /** No turn for it before `ms` from now. */
  postpone(kind: string, ms: number): void;
}

export function createPacer(clock: Clock): Pacer {
  // Since when to wait how long, rather than until when: a clock that is set back must not hold a call for an hour.
  const waits = new Map<string, { since: number; ms: number }>();
  const remaining = (kind: string): number => {
    const { since, ms } = waits.get(kind) ?? { since: 0, ms: 0 };
    return Math.max(0, ms - Math.max(0, clock.now() - since));
  };
  const postpone = (kind: string, ms: number): void => {
    if (ms > remaining(kind)) waits.set(kind, { since: clock.now(), ms });
  };
  return {
    async turn(kind, minDistanceMs, signal) {
      signal.throwIfAborted();
      const wait = remaining(kind);
      if (wait > 0) await sleep(clock, wait, signal);
      waits.set(kind, { since: clock.now(), ms: minDistanceMs });
    },
    postpone,
  };
}
