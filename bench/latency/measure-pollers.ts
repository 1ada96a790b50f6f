import { setTimeout } from 'node:timers/promises';
import { createAssessmentClient } from 'assessment-monitor';
import { sampleAnswers } from '@assessment-monitor/demo/sample-answers';
import { after } from '../contestants/after.ts';
import { before } from '../contestants/before.ts';
import type { Contestant, SignedIn } from '../contestants/contestant.ts';
import { coreLro } from '../contestants/core-lro.ts';
import { openLoopbackPage } from './loopback-page.ts';
import { type LatencyServer, now } from './server.ts';

/* Those who learn of the end by asking need seconds, not milliseconds: many of them wait side by side for the same moment. */

/** From done on the server to the result in hand, ms. */
interface Waits {
  median: number;
  max: number;
}

export type Pollers = Record<'before' | 'after' | 'coreLro' | 'oursPolling', Waits> & {
  /** No two polls of ours are further apart, the jitter included. */
  longestIntervalMs: number;
};

const EACH = 20;
/** They come within one of the longest intervals, so that the end meets them anywhere between two polls. */
const ARRIVAL_MS = 10_000;
/** The old client begins to poll after 45 s. */
const DONE_AFTER_MS = 65_000;
const LONGEST_INTERVAL_MS = 12_000;

export async function measurePollers(backend: LatencyServer, session: SignedIn): Promise<Pollers> {
  const contestants = { before, after, coreLro, oursPolling: { open: openOurs(backend) } };
  const closings: (() => void)[] = [];
  const shownAt = async (contestant: Pick<Contestant, 'open'>, arrival: number): Promise<number> => {
    await setTimeout(arrival * ARRIVAL_MS);
    const page = openLoopbackPage(backend.url);
    closings.push(() => page.close());
    return new Promise((resolve) => {
      const app = contestant.open(page, ({ phase }) => phase === 'result' && resolve(now()));
      app.signedIn(session);
      app.submit();
    });
  };
  const waiting = Object.entries(contestants).map(
    async ([name, contestant]) =>
      [name, await Promise.all(Array.from({ length: EACH }, (_, index) => shownAt(contestant, index / EACH)))] as const,
  );
  await setTimeout(DONE_AFTER_MS);
  const finishedAt = await backend.finishJobs();
  const shown = await Promise.all(waiting);
  for (const close of closings) close();
  const waits = shown.map(([name, times]) => [name, summary(times.map((at) => at - finishedAt))]);
  return {
    ...(Object.fromEntries(waits) as Omit<Pollers, 'longestIntervalMs'>),
    longestIntervalMs: LONGEST_INTERVAL_MS,
  };
}

/** Ours where sockets are blocked, with the platform's own fetch. */
const openOurs =
  (backend: LatencyServer): Contestant['open'] =>
  (_page, show) => {
    const client = createAssessmentClient({ baseUrl: backend.url, socket: false });
    return {
      signedIn: ({ accessToken, lifeMs }) => client.signedIn({ accessToken, expiresIn: lifeMs / 1_000 }),
      submit: () =>
        void client
          .submit(sampleAnswers)
          .settled()
          .then((view) => view.phase === 'completed' && show({ phase: 'result', of: '' }))
          .then(client.dispose),
      resume() {},
      balance() {},
    };
  };

function summary(samples: number[]): Waits {
  const sorted = samples.toSorted((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}
