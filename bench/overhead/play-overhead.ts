import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seededRandom, virtualClock } from 'assessment-monitor/testing';
import type { App, Contestant } from '../contestants/contestant.ts';
import { openBrowser } from '../world/browser.ts';
import { createServer } from '../world/server.ts';
import { takeOverTime } from '../world/virtual-globals.ts';

export type Mode = 'socket' | 'poll-only';

/** How many clients the assessments have: one each, as if all were in different browsers, or one for all, as in a page. */
export type Clients = 'each' | 'one';

/** What a number of monitors cost together, the world around them included: that is the same for everybody. */
export interface Cost {
  /** Assessments side by side. */
  monitors: number;
  /** From the submission to the result on the screen, ms each. */
  cpuMsPerAssessment: number;
  /** The same, by the number of requests. */
  cpuMsPerRequest: number;
  /** While they wait, bytes each; the client and its connection are in it. */
  heapPerMonitor: number;
  /** All of them, refreshes and the submission included, each. */
  requestsPerAssessment: number;
}

/** One run. */
export interface Played extends Cost {
  /** The time that passed while the CPU was measured, ms: more than its own where the machine has other work. */
  elapsedMs: number;
}

/** Minutes and a half more than the token lives: 5.5. */
const JOB_MS = 330_000;
const TOKEN_LIFE_MS = 300_000;
const MID_JOB_MS = 150_000;
const END_MS = 420_000;
/** They come within this time, as users do. */
const ARRIVAL_MS = 10_000;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
/** Twice: the second one frees what only finalizers held. */
const collect = async (): Promise<void> => {
  gc();
  await setImmediate();
  gc();
};
const startStopwatch = () => {
  const [startedAt, cpu] = [performance.now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { cpuMs: (user + system) / 1_000, elapsedMs: performance.now() - startedAt };
  };
};

/**
 * Lets so many assessments of five and a half minutes run side by side in one virtual world, in this process.
 *
 * @throws Error when one of them does not show its result: what was measured would not be the work
 */
export async function playOverhead(
  contestant: Contestant,
  mode: Mode,
  monitors: number,
  clients: Clients = 'each',
): Promise<Played> {
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
    /** The jobs whose results are on a screen. */
    const shown = new Set<string>();
    const open = (user: number, dice: () => number): ((number: number) => void) => {
      const roundTripMs = () => 100 + dice() * 400;
      const hasSockets = mode === 'socket';
      const browser = openBrowser({ clock, server, random: dice, loss: 0, roundTripMs, hasSockets });
      const page = browser.openPage();
      const { cookie, ...session } = server.signIn(`user-${user}`);
      browser.takeCookie(cookie);
      let app: App | undefined;
      return (number) =>
        clock.as(page, () => {
          if (app === undefined) {
            app = contestant.open(page, (screen) => void (screen.phase === 'result' && shown.add(screen.of)));
            app.signedIn(session);
          }
          app.submit(number);
        });
    };
    await collect();
    const heapBefore = process.memoryUsage().heapUsed;
    let since = startStopwatch();
    const shared = clients === 'one' ? open(0, seededRandom(0)) : undefined;
    for (let number = 0; number < monitors; number += 1) {
      const dice = seededRandom(number);
      const arrive = (): void => (shared ?? open(number, dice))(number);
      clock.setTimeout(arrive, dice() * ARRIVAL_MS, null);
    }
    await clock.run(MID_JOB_MS);
    const first = since();
    await collect();
    const heap = process.memoryUsage().heapUsed - heapBefore;
    since = startStopwatch();
    await clock.run(END_MS - MID_JOB_MS);
    const second = since();
    const used = first.cpuMs + second.cpuMs;
    if (shown.size !== monitors)
      throw new Error(`${contestant.title}: ${shown.size} of ${monitors} results were shown`);
    return {
      monitors,
      cpuMsPerAssessment: used / monitors,
      cpuMsPerRequest: used / requests,
      heapPerMonitor: Math.round(heap / monitors),
      requestsPerAssessment: requests / monitors,
      elapsedMs: first.elapsedMs + second.elapsedMs,
    };
  } finally {
    giveBack();
  }
}
