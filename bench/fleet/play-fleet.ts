import { seededRandom } from '../../src/testing/worlds/fake-backend.ts';
import { type ContestantName, contestants } from '../contestants/index.ts';
import type { Screen } from '../contestants/contestant.ts';
import { openBrowser } from '../world/browser.ts';
import { eventClock } from '../world/event-clock.ts';
import { createServer, type Route } from '../world/server.ts';
import { takeOverTime } from '../world/virtual-globals.ts';
import { type Fault, type FaultName, faults, type FleetWorld } from './faults.ts';

/** HTTP routes, and attempts to open a socket. */
export type Line = Route | 'connect';

export interface FleetTask {
  contestant: ContestantName;
  fault: FaultName;
  clients: number;
  seed: number;
}

export interface FleetRun extends FleetTask {
  /** Requests of each second from the first submission on, by route. */
  perSecond: Partial<Record<Line, number[]>>;
  /** From the end of the fault until each client had been told of its job again, s; null when some never were. */
  servedAfterS: number | null;
  /** Clients that gave up, or ask their users to sign in. */
  lost: number;
}

/** The fleet comes in one minute; from then on it is in mid-job. */
const ARRIVAL_MS = 60_000;
export const FAULT_AT_MS = 180_000;
/** The old client gives up after ten minutes, whatever happens. */
export const END_MS = 600_000;
const TOKEN_LIFE_MS = 300_000;

/** Plays one fault with one contestant: so many browsers, one server, virtual time. */
export async function playFleet(task: FleetTask): Promise<FleetRun> {
  const clock = eventClock();
  const giveBack = takeOverTime(clock);
  try {
    return await play(task, clock);
  } finally {
    giveBack();
  }
}

async function play(task: FleetTask, clock: ReturnType<typeof eventClock>): Promise<FleetRun> {
  const fault: Fault = faults[task.fault];
  const random = seededRandom(task.seed);
  const startedAt = clock.time();
  const perSecond: FleetRun['perSecond'] = {};
  const count = (line: Line): void => {
    const second = Math.floor((clock.time() - startedAt) / 1_000);
    const counts = (perSecond[line] ??= Array.from({ length: END_MS / 1_000 }, () => 0));
    counts[second] = (counts[second] ?? 0) + 1;
  };

  const recoveredAt = startedAt + FAULT_AT_MS + fault.forMs;
  const servedAt = new Map<string, number>();
  const server = createServer({
    clock,
    tokenLifeMs: TOKEN_LIFE_MS,
    // Nobody is done before the end.
    jobMs: () => 2 * END_MS,
    onRequest({ route, id }, { status }) {
      if (route !== 'status' || status !== 200 || clock.time() < recoveredAt || servedAt.has(id)) return;
      servedAt.set(id, clock.time());
    },
  });
  const world: FleetWorld = { server, isThere: true };
  clock.setTimeout(() => fault.begin(world), FAULT_AT_MS, null);
  if (fault.forMs > 0) clock.setTimeout(() => fault.end(world), FAULT_AT_MS + fault.forMs, null);

  const screens: Screen[] = [];
  for (let number = 0; number < task.clients; number += 1) {
    clock.setTimeout(() => arrive(number), random() * ARRIVAL_MS, null);
  }
  const arrive = (number: number): void => {
    const userId = `user-${number}`;
    const dice = seededRandom(task.seed * 1_000_003 + number);
    const browser = openBrowser({
      clock,
      server,
      random: dice,
      loss: 0,
      roundTripMs: () => 100 + dice() * 400,
      isReachable: () => world.isThere,
      onSent: count,
    });
    const page = browser.openPage();
    const { cookie, ...session } = server.signIn(userId, fault.tokensOfOneMinute ? 0 : dice() * TOKEN_LIFE_MS);
    browser.takeCookie(cookie);
    clock.as(page, () => {
      const app = contestants[task.contestant].open(page, (screen) => void (screens[number] = screen));
      app.signedIn(session);
      app.submit();
    });
  };
  await clock.run(startedAt + END_MS);

  const latest = Math.max(recoveredAt, ...servedAt.values());
  return {
    ...task,
    perSecond,
    servedAfterS: servedAt.size < task.clients ? null : (latest - recoveredAt) / 1_000,
    lost: screens.filter(({ phase }) => phase !== 'waiting' && phase !== 'trouble').length,
  };
}
