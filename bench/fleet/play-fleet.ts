import type { Random } from 'assessment-monitor';
import { seededRandom, type VirtualClock, virtualClock, type WireRoute } from 'assessment-monitor/testing';
import { type ContestantName, contestants } from '../contestants/index.ts';
import type { Screen } from '../contestants/contestant.ts';
import { openBrowser } from '../world/browser.ts';
import { createServer } from '../world/server.ts';
import { takeOverTime } from '../world/virtual-globals.ts';
import { type Fault, type FaultName, faults, type FleetWorld } from './faults.ts';

/** HTTP routes, and attempts to open a socket. */
export type Line = WireRoute | 'connect';

export interface FleetTask {
  contestant: ContestantName;
  fault: FaultName;
  clients: number;
  seed: number;
  /** Number of its first client in the whole fleet. Default 0. */
  first?: number;
}

/** What a fleet, or a part of one, did to the server. */
export interface Tally {
  /** Requests of each second from the first submission on, by route. */
  perSecond: Partial<Record<Line, number[]>>;
  /** From the end of the fault until each client had heard about its job again, s; null when some never were. */
  servedAfterS: number | null;
  /** Clients that gave up, or ask their users to sign in. */
  lost: number;
}

export interface FleetRun extends FleetTask, Tally {}

/** The fleet comes in one minute; from then on it is in mid-job. */
const ARRIVAL_MS = 60_000;
export const FAULT_AT_MS = 180_000;
/** The old client gives up after ten minutes, whatever happens. */
export const END_MS = 600_000;
const TOKEN_LIFE_MS = 300_000;

/**
 * Plays one fault with one contestant: so many browsers, one server, virtual time. A client with the same number does the same, independent of the others
 * beside it, so that a large fleet can be played in parts.
 */
export async function playFleet(task: FleetTask): Promise<Tally> {
  const clock = virtualClock();
  const giveBack = takeOverTime(clock);
  try {
    return await play(task, clock);
  } finally {
    giveBack();
  }
}

async function play(task: FleetTask, clock: VirtualClock): Promise<Tally> {
  const fault: Fault = faults[task.fault];
  const startedAt = clock.time();
  const perSecond: Tally['perSecond'] = {};
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
    // No job is done before the end.
    jobMs: () => 2 * END_MS,
    onRequest({ route, id }, [status]) {
      if (route !== 'status' || status !== 200 || clock.time() < recoveredAt || servedAt.has(id)) return;
      servedAt.set(id, clock.time());
    },
  });
  const world: FleetWorld = { server, isThere: true };
  clock.setTimeout(() => fault.begin(world), FAULT_AT_MS, null);
  if (fault.forMs > 0) clock.setTimeout(() => fault.end(world), FAULT_AT_MS + fault.forMs, null);

  const screens: Screen[] = [];
  const arrive = (index: number, dice: Random): void => {
    const userId = `user-${index}`;
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
      const app = contestants[task.contestant].open(page, (screen) => void (screens[index] = screen));
      app.signedIn(session);
      app.submit();
    });
  };
  for (let index = 0; index < task.clients; index += 1) {
    const dice = seededRandom(task.seed * 1_000_003 + (task.first ?? 0) + index);
    clock.setTimeout(() => arrive(index, dice), dice() * ARRIVAL_MS, null);
  }
  await clock.run(END_MS);

  const latest = Math.max(recoveredAt, ...servedAt.values());
  return {
    perSecond,
    servedAfterS: servedAt.size < task.clients ? null : (latest - recoveredAt) / 1_000,
    lost: screens.filter(({ phase }) => phase !== 'waiting' && phase !== 'trouble').length,
  };
}

/** The parts of a fleet as one. */
export function addUp(tallies: readonly Tally[]): Tally {
  const perSecond: Tally['perSecond'] = {};
  for (const tally of tallies) {
    for (const [line, counts] of Object.entries(tally.perSecond) as [Line, number[]][]) {
      const sum = perSecond[line];
      perSecond[line] = sum ? sum.map((count, second) => count + (counts[second] ?? 0)) : counts;
    }
  }
  const served = tallies.map(({ servedAfterS }) => servedAfterS ?? Infinity);
  const servedAfterS = Math.max(...served);
  return {
    perSecond,
    servedAfterS: Number.isFinite(servedAfterS) ? servedAfterS : null,
    lost: tallies.reduce((sum, { lost }) => sum + lost, 0),
  };
}
