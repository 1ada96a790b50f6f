import type { Clock } from '../../lib/clock.ts';

/** The clock of the server, as far as the `Date` headers of the API's own answers tell. */
export interface ServerClock {
  /** Server clock minus local clock, ms. 0 while nothing is known. */
  readonly skewMs: number;
  /** Whether answers have confirmed `skewMs`. Until then the local clock may be wrong by any amount. */
  readonly isKnown: boolean;
  /** @param serverNow the time of the server, ms since the epoch, from an answer that has just arrived */
  observe(serverNow: number): void;
  /** The local clock may have been set since the last answer: only the next one confirms `skewMs` again. */
  doubt(): void;
}

/** Observations that differ by more disagree, ms. */
const AGREEMENT_MS = 30_000;

/**
 * Learns the skew of the local clock. A large change is believed when two answers in a row agree on it: a single wrong `Date`, of a
 * cache or of one server among several, teaches nothing.
 *
 * @example
 * const server = createServerClock(clock);
 * server.observe(Date.parse(header));
 */
export function createServerClock(clock: Clock): ServerClock {
  let skewMs = 0;
  let isKnown = false;
  let candidateMs: number | null = null;
  return {
    get skewMs() {
      return skewMs;
    },
    get isKnown() {
      return isKnown;
    },
    observe(serverNow) {
      // Date headers have whole seconds, so the mean error is half a second.
      const observedMs = serverNow + 500 - clock.now();
      const isBelieved = [skewMs, candidateMs].some((it) => it !== null && Math.abs(observedMs - it) <= AGREEMENT_MS);
      candidateMs = isBelieved ? null : observedMs;
      if (!isBelieved) return;
      skewMs = observedMs;
      isKnown = true;
    },
    doubt() {
      isKnown = false;
    },
  };
}
