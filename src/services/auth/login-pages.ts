import type { Clock } from '../../lib/clock.ts';

/** Counts the login pages that answered in place of the API, with no good answer in between. */
export interface LoginPages {
  readonly count: number;
  /**
   * A page answered a protected call. Calls that were under way together meet the same page: only a call that left after the last page
   * adds to the count.
   *
   * @param sentAt when the call left, ms since the epoch
   */
  met(sentAt: number): void;
  /** A page answered a refresh. */
  metByRefresh(): void;
  /** The API answered. */
  reset(): void;
}

/** So many pages in a row are no hiccup of a proxy: the session is over. */
export const MAX_LOGIN_PAGES = 3;
/** With a refresh among them, fewer tell the same. */
export const MAX_LOGIN_PAGES_AT_REFRESH = 2;

/** @example const loginPages = createLoginPages(clock); */
export function createLoginPages(clock: Clock): LoginPages {
  let count = 0;
  let metAt = -Infinity;
  return {
    get count() {
      return count;
    },
    met(sentAt) {
      const now = clock.now();
      // After a clock that was set back the order is unknown.
      if (sentAt > metAt || metAt > now) count += 1;
      metAt = now;
    },
    metByRefresh() {
      count += 1;
      metAt = clock.now();
    },
    reset() {
      count = 0;
      metAt = -Infinity;
    },
  };
}
