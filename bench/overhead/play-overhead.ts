import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seededRandom, virtualClock } from 'assessment-monitor/testing';
import type { Contestant } from '../contestants/contestant.ts';
import { openBrowser } from '../world/browser.ts';
import { createServer } from '../world/server.ts';
import { takeOverTime } from '../world/virtual-globals.ts';

export type Mode = 'socket' | 'poll-only';

/** What a number of monitors cost together, the world around them included: that is the same for everybody. */
export interface Cost {
  monitors: number;
  /** From the submission to the result on the screen, ms each. */
  cpuMsPerAssessment: number;
  /** While they wait, bytes each. */
  heapPerMonitor: number;
  /** All of them, refreshes and the submission included, each. */
  requestsPerAssessment: number;
}

/** Minutes and a half more than the token lives: 5.5. */
const JOB_MS = 330_000;
const TOKEN_LIFE_MS = 300_000;
const MID_JOB_MS = 150_000;
const END_MS = 420_000;
/** They come within this time, as users do. */
const ARRIVAL_MS = 10_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const cpuMs = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1_000;
};

/**
 * Lets so many assessments of five and a half minutes run side by side in one virtual world, in this process.
 *
 * @throws Error when one of them does not show its result: what was measured would not be the work
 */
export async function playOverhead(contestant: Contestant, mode: Mode, monitors: number): Promise<Cost> {
  const clock = virtualClock();
  const giveBack = takeOverTime(clock);
  try {
    let requests = 0;
    const server = createServer({
      clock,
      tokenLifeMs: TOKEN_LIFE_MS,
      jobMs: () => JOB_MS,
      onRequest: () => void (requests += 1),
    });
    const shown = new Set<number>();
    collect();
    const heapBefore = process.memoryUsage().heapUsed;
    const cpuBefore = process.cpuUsage();
    for (let number = 0; number < monitors; number += 1) {
      const dice = seededRandom(number);
      clock.setTimeout(() => begin(number, dice), dice() * ARRIVAL_MS, null);
    }
    const begin = (number: number, dice: () => number): void => {
      const roundTripMs = () => 100 + dice() * 400;
      const hasSockets = mode === 'socket';
      const browser = openBrowser({ clock, server, random: dice, loss: 0, roundTripMs, hasSockets });
      const page = browser.openPage();
      const { cookie, ...session } = server.signIn(`user-${number}`);
      browser.takeCookie(cookie);
      clock.as(page, () => {
        const app = contestant.open(page, ({ phase }) => void (phase === 'result' && shown.add(number)));
        app.signedIn(session);
        app.submit();
      });
    };
    await clock.run(MID_JOB_MS);
    let used = cpuMs(cpuBefore);
    collect();
    const heap = process.memoryUsage().heapUsed - heapBefore;
    const cpuMid = process.cpuUsage();
    await clock.run(END_MS - MID_JOB_MS);
    used += cpuMs(cpuMid);
    if (shown.size !== monitors)
      throw new Error(`${contestant.title}: ${shown.size} of ${monitors} results were shown`);
    return {
      monitors,
      cpuMsPerAssessment: used / monitors,
      heapPerMonitor: Math.round(heap / monitors),
      requestsPerAssessment: requests / monitors,
    };
  } finally {
    giveBack();
  }
}
