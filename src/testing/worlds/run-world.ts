import type { Assessment } from '../../client/assessment.ts';
import { type AssessmentClient, createAssessmentClient } from '../../client/client.ts';
import type { MonitorEvent } from '../../lib/log.ts';
import type { PageTarget } from '../../services/page-signals.ts';
import { memoryStore } from '../../lib/storage.ts';
import { seededRandom } from '../seeded-random.ts';
import { fakeBackend } from './fake-backend.ts';
import { fakeTabs } from '../fake-tabs.ts';
import { type Deeds, judge, type Trial } from './judge.ts';
import { virtualClock } from '../virtual-clock.ts';
import { FOR_EVER_MS, type Incident, type World } from './world.ts';

/** What a world did to the promise. No violation: it was kept. */
export interface Verdict {
  /** Every rule by name, with the number of its invariant, and whether it was kept. */
  rules: Readonly<Record<string, boolean>>;
  /** The names of those that were not. */
  violations: string[];
  /** The phases in which the story may end, as far as the server's doings tell. Null where any may. */
  expected: readonly string[] | null;
  /** The phases that the user saw, in order. */
  phases: string[];
  events: (MonitorEvent & { at: number })[];
}

const USER = 'user-1';
/** Quiet time at the end, network up and user willing: what is not shown after it never will be. */
const QUIET_MS = 15 * 60_000;
/** A result that never can be read is given up after half an hour. */
const UNREADABLE_MS = 50 * 60_000;
/** A user who is asked something answers after a while. */
const USER_DELAY_MS = 20_000;
/** The answers, and the same answers with their keys in another order. */
const answers = { same: { answers: [1, 2, 3], name: 'a' }, reordered: { name: 'a', answers: [1, 2, 3] } };

/** The whole world around one user, whose pages run the real client. */
interface Stage extends Trial {
  page: ReturnType<typeof fakePage>;
  /** The page that the user looks at. */
  client: AssessmentClient;
  /** Which tab that page is in: a reload keeps it. */
  tabNumber: number;
  /** Other tabs that are still open. */
  others: AssessmentClient[];
  openPage(tab: ReturnType<typeof memoryStore>): AssessmentClient;
  /** The storage of this tab alone. */
  tab: ReturnType<typeof memoryStore>;
  deeds: Deeds & {
    /** The user signed out a moment ago. */
    signedOut: boolean;
    /** The user has signed out, and has not signed in again yet. */
    isAway: boolean;
  };
  watched: WeakSet<Assessment>;
}

/**
 * Plays a world in virtual time with the real client, and judges by what the server saw and the user was shown.
 *
 * @param createClient for tests of the judge: a client that is broken on purpose
 * @example
 * const { violations } = await runWorld({ ...calmWorld, tokenTtlMs: 300_000, jobMs: 360_000 });
 */
export async function runWorld(
  world: World,
  createClient: typeof createAssessmentClient = createAssessmentClient,
): Promise<Verdict> {
  const stage = setUp(world, createClient);
  const { clock, backend } = stage;
  stage.client.signedIn(backend.signIn(USER));
  watch(stage, stage.client.submit(answers.same));

  const steps = world.incidents.flatMap(toSteps).toSorted((a, b) => a.at - b.at);
  const startedAt = clock.time();
  for (const { at, act } of steps) {
    const wait = startedAt + at - clock.time();
    // What was to happen while the machine slept happens after it woke: first it does what is overdue.
    if (wait < 0) await clock.run(0);
    else await runWithUser(stage, wait);
    act(stage);
  }
  await runWithUser(stage, startedAt + (world.habits?.submitLimitMs ?? 0) - clock.time());
  const isUnreadable = world.incidents.some(
    (it) => it.do === 'garble' && it.route === 'result' && it.forMs === FOR_EVER_MS,
  );
  await runWithUser(stage, QUIET_MS);
  // What was accepted late has its time, too.
  const lateMs = (world.habits?.lateRowMs ?? 0) + (isUnreadable ? UNREADABLE_MS : 0);
  await runWithUser(
    stage,
    Math.max(0, ...backend.jobs().map(({ doneAt }) => doneAt + lateMs + QUIET_MS - clock.time())),
  );
  stage.endedAt = clock.time();
  for (const client of [stage.client, ...stage.others]) client.dispose();
  await clock.run(60_000);
  const { rules, expected } = judge(stage);
  return {
    rules,
    violations: Object.keys(rules).filter((name) => !rules[name]),
    expected,
    phases: collapse(stage.moments.map(({ view }) => view.phase)),
    events: stage.events,
  };
}

function setUp(world: World, createClient: typeof createAssessmentClient): Stage {
  const clock = virtualClock();
  clock.jump(world.habits?.clockAheadMs ?? 0);
  const backend = fakeBackend(world, clock);
  const page = fakePage();
  const storage = memoryStore();
  const events: Stage['events'] = [];
  // A page that is alone needs no locks: they have paths of their own, and half of the pages in the field have none.
  const tabs = world.incidents.some((it) => it.do === 'submitAgain' && it.where === 'tab') ? fakeTabs(clock) : null;
  let ids = 0;
  const openPage: Stage['openPage'] = (tab) => {
    const number = (backend.state.page += 1);
    const browserTab = tabs?.openTab();
    return createClient({
      baseUrl: 'http://world.test',
      clock,
      storage,
      tokenStorage: tab,
      page: page.target,
      fetch: backend.fetchOf(number),
      loadSocketIo: backend.load,
      locks: browserTab?.locks ?? null,
      channel: browserTab?.channel ?? null,
      random: seededRandom(world.seed + number),
      createId: () => `submission-${world.seed}-${(ids += 1)}`,
      onEvent: (event) => events.push(event),
    });
  };
  const tab = memoryStore();
  return {
    world,
    clock,
    backend,
    page,
    openPage,
    tab,
    client: openPage(tab),
    tabNumber: 1,
    others: [],
    events,
    moments: [],
    storage,
    listeners: page.listeners,
    startedAt: clock.time(),
    endedAt: clock.time(),
    deeds: {
      cancelled: false,
      otherUser: false,
      leftUnsent: false,
      signedOut: false,
      isAway: false,
      sentAgain: 0,
      patience: [clock.time()],
    },
    watched: new WeakSet(),
  };
}

function watch(stage: Stage, assessment: Assessment): void {
  if (stage.watched.has(assessment)) return;
  stage.watched.add(assessment);
  const tab = stage.tabNumber;
  const note = () => {
    const view = assessment.getSnapshot();
    // A sign-out takes the assessment off the page. That is no ending.
    if (stage.deeds.isAway && view.phase === 'cancelled') return;
    stage.moments.push({ at: stage.clock.time(), tab, view, hasSession: stage.backend.hasSession() });
  };
  note();
  assessment.subscribe(note);
}

/** What the page that the user looks at shows. */
const shownOn = ({ moments, tabNumber }: Stage) => moments.findLast(({ tab }) => tab === tabNumber)?.view;
const isOver = (phase: string | undefined) => ['completed', 'failed', 'cancelled', undefined].includes(phase);

/** Lets time pass; whenever the page asks the user something, the user takes a moment and answers. */
async function runWithUser(stage: Stage, ms: number): Promise<void> {
  const end = stage.clock.time() + Math.max(0, ms);
  while (stage.clock.time() < end) {
    await stage.clock.run(Math.min(USER_DELAY_MS, end - stage.clock.time()));
    answerThePage(stage);
    // A browser finishes the task of the sign-in, promises included, before anything else happens.
    await stage.clock.run(0);
    stage.deeds.signedOut = false;
  }
}

function answerThePage(stage: Stage): void {
  const { client, backend, deeds, clock } = stage;
  const view = shownOn(stage);
  const assessment = client.getSnapshot().assessments.find(({ id }) => id === view?.id);
  const mayReach = !backend.state.offline && !deeds.signedOut;
  if ((view?.phase === 'sign-in-needed' || deeds.isAway) && mayReach) {
    client.signedIn(backend.signIn(USER));
    deeds.isAway = false;
    // What a sign-out took off the page is there again.
    for (const resumed of client.getSnapshot().assessments) watch(stage, resumed);
  }
  if (view?.phase === 'delayed') {
    deeds.patience.push(clock.time());
    assessment?.keepWaiting();
  }
  // A careful user, who has asked the support whether the answers arrived.
  if (view?.phase === 'unconfirmed' && backend.seen.submissionsAccepted === 0) {
    deeds.sentAgain += 1;
    assessment?.sendAgain();
  }
}

type Step = { at: number; act: (stage: Stage) => void };

function reload(stage: Stage): void {
  stage.client.dispose();
  stage.client = stage.openPage(stage.tab);
  for (const assessment of stage.client.resume()) watch(stage, assessment);
}

/** The user submits the same answers while they are under way: on this page, on the next one, or in a second tab. */
function submitAgain(stage: Stage, { where, order }: Extract<Incident, { do: 'submitAgain' }>): void {
  const phase = shownOn(stage)?.phase;
  // After an ending it is a new assessment, and a user who is asked something answers first.
  if (stage.deeds.otherUser || isOver(phase) || phase === 'unconfirmed') return;
  if (where === 'reload') reload(stage);
  if (where === 'tab') {
    // A duplicated tab begins with a copy of the storage of the first.
    const copy = memoryStore();
    for (const key of stage.tab.keys()) copy.set(key, stage.tab.get(key) ?? '');
    stage.others.push(stage.client);
    stage.tabNumber += 1;
    stage.tab = copy;
    stage.client = stage.openPage(copy);
  }
  watch(stage, stage.client.submit(answers[order]));
}

function signOut(stage: Stage): void {
  const { client, deeds } = stage;
  // Answers that were not accepted yet are erased, as far as the page knows.
  deeds.leftUnsent ||= client.getSnapshot().assessments.some(({ actor }) => actor.getSnapshot().context.jobId === null);
  deeds.signedOut = deeds.isAway = true;
  client.signedOut();
}

/** What lasts has a beginning and an end. */
function toSteps(incident: Incident): Step[] {
  const { at } = incident;
  const flag = (name: 'offline' | 'outage' | 'down' | 'silent' | 'noSockets', forMs: number): Step[] => [
    { at, act: ({ backend }) => void (backend.state[name] = true) },
    { at: at + forMs, act: ({ backend }) => void (backend.state[name] = false) },
  ];
  switch (incident.do) {
    case 'outage':
      return flag('outage', incident.forMs);
    case 'serverDown':
      return flag('down', incident.forMs);
    case 'silence':
      return flag('silent', incident.forMs);
    case 'noSockets':
      return [...flag('noSockets', incident.forMs), { at, act: ({ backend }) => backend.dropSockets() }];
    case 'offline': {
      const [begin, end] = flag('offline', incident.forMs) as [Step, Step];
      const act = (stage: Stage) => (end.act(stage), stage.page.tell('window', 'online'));
      return [begin, { at, act: ({ backend }) => backend.dropSockets() }, { ...end, act }];
    }
    case 'sleep':
      return [
        {
          at,
          act({ clock, backend, page }) {
            clock.sleep(incident.forMs);
            backend.dropSockets();
            page.tell('document', 'resume');
          },
        },
      ];
    case 'jump':
      return [{ at, act: ({ clock }) => clock.jump(incident.byMs) }];
    case 'reload':
      return [
        {
          at,
          act(stage) {
            reload(stage);
          },
        },
      ];
    case 'cancel':
      return [
        {
          at,
          act(stage) {
            const { assessments } = stage.client.getSnapshot();
            const underWay = assessments.filter((it) => it.actor.getSnapshot().status === 'active');
            stage.deeds.cancelled ||= underWay.length > 0;
            for (const assessment of underWay) assessment.cancel();
          },
        },
      ];
    case 'signOut':
      return [{ at, act: signOut }];
    case 'revoke':
      return [{ at, act: ({ backend }) => backend.revoke() }];
    case 'signInAsOther':
      return [
        {
          at,
          act(stage) {
            stage.deeds.otherUser = true;
            stage.deeds.isAway = false;
            stage.client.signedIn(stage.backend.signIn('user-2'));
          },
        },
      ];
    case 'loseRefreshAnswer':
      return [{ at, act: ({ backend }) => void (backend.state.loseRefresh = 1) }];
    case 'loseSubmitAnswer':
      return [{ at, act: ({ backend }) => void (backend.state.loseSubmit = 1) }];
    case 'front':
      return [{ at, act: ({ backend }) => backend.putInFront(incident.route, incident.answer, incident.forMs) }];
    case 'garble':
      return [{ at, act: ({ backend }) => backend.garble(incident.route, incident.how, incident.forMs) }];
    case 'foreignRows':
      return [
        { at, act: ({ backend }) => void (backend.state.foreignRows = incident.of) },
        { at: at + incident.forMs, act: ({ backend }) => void (backend.state.foreignRows = null) },
      ];
    case 'submitAgain':
      return [{ at, act: (stage) => submitAgain(stage, incident) }];
    case 'dropSocket':
      return [{ at, act: ({ backend }) => backend.dropSockets() }];
    default: {
      const { do: what } = incident;
      return [{ at, act: ({ backend }) => backend[what]() }];
    }
  }
}

function collapse(phases: string[]): string[] {
  return phases.filter((phase, index) => phase !== phases[index - 1]);
}

/** A page whose signals the world gives, and that knows who listens. */
function fakePage() {
  const counted = () => {
    const listeners = new Map<string, Set<(event: Event) => void>>();
    return {
      visibilityState: 'visible',
      addEventListener: (type: string, listener: (event: Event) => void) =>
        void listeners.set(type, (listeners.get(type) ?? new Set()).add(listener)),
      removeEventListener: (type: string, listener: (event: Event) => void) =>
        void listeners.get(type)?.delete(listener),
      tell: (type: string) => listeners.get(type)?.forEach((listener) => listener(new Event(type))),
      count: () => [...listeners.values()].reduce((sum, set) => sum + set.size, 0),
    };
  };
  const [window, document] = [counted(), counted()];
  return {
    target: { window, document } as unknown as PageTarget,
    tell: (target: 'window' | 'document', type: string) => void (target === 'window' ? window : document).tell(type),
    listeners: () => window.count() + document.count(),
  };
}
