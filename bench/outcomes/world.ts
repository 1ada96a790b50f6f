import { seededRandom } from 'assessment-monitor/testing';

/** How long the server works on an assessment, ms. */
export const buckets = {
  short: [0, 120_000],
  medium: [120_000, 240_000],
  long: [240_000, 360_000],
  longest: [360_000, 600_000],
} as const;

export type BucketName = keyof typeof buckets;

/** The incidents of one assessment; times in ms from its submission. Plain data: the same for every contestant. */
export interface OutcomeWorld {
  seed: number;
  jobMs: number;
  tokenLifeMs: number;
  /** Age of the token when the answers are submitted. */
  tokenAgeMs: number;
  /** Share of requests that the network loses. */
  loss: number;
  socketDropsAt: number[];
  /** The auth service is down: every token is refused, over HTTP and on sockets. `takesRefresh`: nothing is refreshed either. */
  authOutage: { at: number; forMs: number; takesRefresh: boolean } | null;
  reloadAt: number | null;
  /** Another page of the site is opened: it asks for the balance now and then. */
  secondTabAt: number | null;
}

/** How often the rare things happen to an assessment. */
export interface Shares {
  authOutage: number;
  reload: number;
  secondTab: number;
}

/** What the health route says during an outage: the truth, always 200, or 404. */
export type Health = 'honest' | 'lying' | 'missing';
export const healths: readonly Health[] = ['honest', 'lying', 'missing'];

/** An auth service that is there for 99.9 % of the time: one assessment in 250 meets an outage. Pages are reloaded more often. */
export const usualShares: Shares = { authOutage: 0.004, reload: 0.15, secondTab: 0.3 };

const MINUTE = 60_000;
const LOSS = 0.02;

/** The world of this number: always the same one. */
export function anyWorld(bucket: BucketName, seed: number, shares: Shares = usualShares): OutcomeWorld {
  const random = seededRandom(seed);
  const between = (min: number, max: number) => min + random() * (max - min);
  const [min, max] = buckets[bucket];
  const jobMs = between(min, max);
  const tokenLifeMs = random() < 0.5 ? 5 * MINUTE : 60 * MINUTE;
  const drops = Math.floor(random() * 3);
  const maybe = <T>(share: number, its: () => T): T | null => (random() < share ? its() : null);
  return {
    seed,
    jobMs,
    tokenLifeMs,
    tokenAgeMs: between(0, tokenLifeMs),
    loss: LOSS,
    socketDropsAt: Array.from({ length: drops }, () => between(0, jobMs)).toSorted((a, b) => a - b),
    authOutage: maybe(shares.authOutage, () => ({
      at: between(0, jobMs),
      forMs: between(0.5 * MINUTE, 3 * MINUTE),
      // Of its own dice, so that the draws of all else stay as they were.
      takesRefresh: seededRandom(seed + 77_777_777)() < 0.5,
    })),
    reloadAt: maybe(shares.reload, () => between(Math.min(5_000, jobMs), jobMs)),
    secondTabAt: maybe(shares.secondTab, () => between(0, jobMs)),
  };
}

/** Nothing goes wrong and nothing ends: what everybody must get through. */
export const calmWorld: OutcomeWorld = {
  seed: 1,
  jobMs: 90_000,
  tokenLifeMs: 60 * MINUTE,
  tokenAgeMs: 0,
  loss: 0,
  socketDropsAt: [],
  authOutage: null,
  reloadAt: null,
  secondTabAt: null,
};
