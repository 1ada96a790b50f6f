import { seededRandom } from 'assessment-monitor/testing';
import { quantile } from './quantile.ts';
import { anyWorld, type BucketName, type OutcomeWorld, type Shares } from './world.ts';

/** The times that no polite client beats, ms. Those after both are of the worlds with an outage, null where there is none. */
export interface Bound {
  medianMs: number;
  p99Ms: number;
  afterBothMedianMs: number | null;
  afterBothP99Ms: number | null;
}

/** A request takes 100 to 500 ms there and back. */
const ROUND_TRIP_MS = { least: 100, most: 500 };
/**
 * A healthy client asks once in 45 s. A fleet whose results wait for the end of an outage and that stays within three times this rate comes
 * back over a third of that time.
 */
const SPREAD_MS = 45_000 / 3;

/**
 * A client that knows everything: it asks for the result at the moment when the job is done, with a token that is good, and loses no request.
 * During an outage it waits for its end, and then for its turn among the clients that wait as well.
 */
export function politeOmniscient(bucket: BucketName, firstSeed: number, worlds: number, shares: Shares): Bound {
  const played = Array.from({ length: worlds }, (_, index) => politeTime(anyWorld(bucket, firstSeed + index, shares)));
  const sorted = (times: readonly number[]) => times.toSorted((a, b) => a - b);
  const all = sorted(played.map(({ ms }) => ms));
  const afterBoth = sorted(played.flatMap(({ afterBothMs }) => afterBothMs ?? []));
  return {
    medianMs: quantile(all, 0.5) ?? 0,
    p99Ms: quantile(all, 0.99) ?? 0,
    afterBothMedianMs: quantile(afterBoth, 0.5),
    afterBothP99Ms: quantile(afterBoth, 0.99),
  };
}

function politeTime({ seed, jobMs, authOutage }: OutcomeWorld): { ms: number; afterBothMs: number | null } {
  const random = seededRandom(seed + 1);
  const { least, most } = ROUND_TRIP_MS;
  const roundTripMs = () => least + random() * (most - least);
  // The submission arrives half a round trip after it was sent, and the job begins then.
  const doneAt = roundTripMs() / 2 + jobMs;
  const backAt = authOutage ? authOutage.at + authOutage.forMs : 0;
  const isHindered = authOutage !== null && authOutage.at < doneAt && backAt > doneAt;
  const readyAt = isHindered ? backAt + random() * SPREAD_MS : doneAt;
  const shownAt = readyAt + roundTripMs();
  return { ms: shownAt - doneAt, afterBothMs: authOutage && shownAt - Math.max(doneAt, backAt) };
}
