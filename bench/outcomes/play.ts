import { seededRandom, type VirtualClock, virtualClock } from 'assessment-monitor/testing';
import type { App, Contestant, Screen } from '../contestants/contestant.ts';
import { type Browser, openBrowser, type Page } from '../world/browser.ts';
import { createServer } from '../world/server.ts';
import { takeOverTime } from '../world/virtual-globals.ts';
import type { Health, OutcomeWorld } from './world.ts';

/** What came of one assessment: what the server saw, and what the user was shown. */
export interface Outcome {
  /** Whether the user is signed in at the end; only a signed-in user can be shown a result. */
  signedIn: boolean;
  shown: boolean;
  invalidTokenShown: boolean;
  requests: number;
  invalidTokenAnswers: number;
  refreshes: number;
  refreshesGranted: number;
  submissions: number;
  /** From done on the server to the result in hand; null where there was none. */
  msDoneToResult: number | null;
  /** From the later of done and the end of the outage to the result in hand; null where there was no outage, or no result. */
  msAfterBoth: number | null;
  /** How often the user was asked to sign in. */
  logouts: number;
}

const USER = 'user-1';
/** What is not shown this long after the job was done never will be. */
const PATIENCE_MS = 10 * 60_000;
/** A user who is asked to sign in, or to submit again, does so after a while. */
const SIGN_IN_MS = 20_000;
const SUBMIT_AGAIN_MS = 10_000;
const MAX_SUBMISSIONS = 3;
const BALANCE_MS = 60_000;

/** Plays one world with one contestant, in virtual time. */
export async function playOutcome(
  world: OutcomeWorld,
  contestant: Contestant,
  health: Health = 'honest',
): Promise<Outcome> {
  const clock = virtualClock();
  const giveBack = takeOverTime(clock);
  try {
    return await play(world, contestant, clock, health);
  } finally {
    giveBack();
  }
}

async function play(world: OutcomeWorld, contestant: Contestant, clock: VirtualClock, health: Health) {
  const random = seededRandom(world.seed + 1);
  const seen: Outcome = {
    signedIn: true,
    shown: false,
    invalidTokenShown: false,
    requests: 0,
    invalidTokenAnswers: 0,
    refreshes: 0,
    refreshesGranted: 0,
    submissions: 0,
    msDoneToResult: null,
    msAfterBoth: null,
    logouts: 0,
  };
  let secondTab: Page | null = null;
  const server = createServer({
    clock,
    tokenLifeMs: world.tokenLifeMs,
    jobMs: () => world.jobMs,
    health,
    onRequest({ route }, [status, body]) {
      const isRefused = status === 401 && (body as { error: unknown }).error === 'INVALID_TOKEN';
      seen.invalidTokenAnswers += Number(isRefused);
      seen.requests += 1;
      if (route !== 'refresh') return;
      seen.refreshes += 1;
      seen.refreshesGranted += Number(status === 200);
    },
  });
  const browser = openBrowser({ clock, server, random, loss: world.loss, roundTripMs: () => 100 + random() * 400 });

  // The user, who looks at the first tab, and signs in wherever it is asked for.
  let screen: Screen = { phase: 'waiting' };
  let isOver = false;
  let presses = 1;
  const user = (app: () => App) => {
    let isAsked = false;
    const signIn = (): void => {
      clock.setTimeout(
        () => {
          if (server.state.authOutage) return signIn();
          isAsked = false;
          clock.as(pageOf(app()), () => app().signedIn(signInTo(server, browser)));
        },
        SIGN_IN_MS,
        null,
      );
    };
    return (its: Screen): void => {
      if (its.phase !== 'sign-in' || isAsked) return;
      isAsked = true;
      seen.logouts += 1;
      signIn();
    };
  };
  const pages = new Map<App, Page>();
  const pageOf = (app: App) => pages.get(app) ?? null;

  const openFirst = (page: Page): App => {
    const app = contestant.open(page, (its) => {
      if (page.isGone || isOver) return;
      screen = its;
      onSignIn(its);
      if ('because' in its && its.because === 'INVALID_TOKEN') seen.invalidTokenShown = true;
      if (its.phase === 'result' || its.phase === 'failed') isOver = true;
      if (its.phase === 'not-submitted' && presses < MAX_SUBMISSIONS) {
        presses += 1;
        clock.setTimeout(() => app.submit(), SUBMIT_AGAIN_MS, page);
      }
    });
    pages.set(app, page);
    return app;
  };
  let page = browser.openPage();
  let app!: App;
  const onSignIn = user(() => app);
  const startedAt = clock.time();
  const story = (at: number, act: () => void) => clock.setTimeout(act, at, null);

  clock.as(page, () => {
    app = openFirst(page);
    app.signedIn(signInTo(server, browser, world.tokenAgeMs));
    app.submit();
  });
  for (const at of world.socketDropsAt) story(at, () => server.dropSockets());
  if (world.authOutage) {
    const { at, forMs, takesRefresh } = world.authOutage;
    server.state.outageTakesRefresh = takesRefresh;
    story(at, () => void (server.state.authOutage = true));
    story(at + forMs, () => void (server.state.authOutage = false));
  }
  if (world.reloadAt !== null) {
    story(world.reloadAt, () => {
      const before = page;
      before.close();
      page = browser.openPage(before.sessionStorage);
      clock.as(page, () => {
        app = openFirst(page);
        app.resume();
      });
    });
  }
  if (world.secondTabAt !== null) {
    story(world.secondTabAt, () => {
      const tab = (secondTab = browser.openPage());
      clock.as(tab, () => {
        let other!: App;
        const onAsked = user(() => other);
        other = contestant.open(tab, onAsked);
        pages.set(other, tab);
        const ask = (): void => {
          other.balance();
          clock.setTimeout(ask, BALANCE_MS, tab);
        };
        ask();
      });
    });
  }

  // When the job will be done is unknown until it was accepted.
  const latest = () => Math.max(startedAt, ...server.jobsOf(USER).map(({ doneAt }) => doneAt)) + PATIENCE_MS;
  const isEnded = () => isOver || clock.time() >= latest();
  while (!isEnded()) await clock.run(latest() - clock.time(), isEnded);

  const endedAt = clock.time();
  page.close();
  (secondTab as Page | null)?.close();
  const jobs = server.jobsOf(USER);
  const last = screen as Screen;
  const done = last.phase === 'result' ? jobs.find(({ jobId }) => jobId === last.of) : undefined;
  return {
    ...seen,
    signedIn: last.phase !== 'sign-in',
    shown: done !== undefined,
    submissions: jobs.length,
    msDoneToResult: done ? endedAt - done.doneAt : null,
    msAfterBoth: done && world.authOutage ? endedAt - Math.max(done.doneAt, startedAt + endOf(world.authOutage)) : null,
  };
}

const endOf = ({ at, forMs }: { at: number; forMs: number }): number => at + forMs;

function signInTo(server: ReturnType<typeof createServer>, browser: Browser, ageMs = 0) {
  const { cookie, ...session } = server.signIn(USER, ageMs);
  browser.takeCookie(cookie);
  return session;
}
