import type { Assessment } from '../../client/assessment.ts';
import { createAssessmentClient } from '../../client/client.ts';
import type { MonitorEvent } from '../../lib/log.ts';
import type { PageTarget } from '../../services/page-signals.ts';
import { type KeyValueStore, memoryStore } from '../../lib/storage.ts';
import { seededRandom } from '../seeded-random.ts';
import { fakeBackend } from './fake-backend.ts';
import { fakeTabs } from '../fake-tabs.ts';
import { type Deeds, judge, type Trial } from './judge.ts';
import { virtualClock } from '../virtual-clock.ts';
import { beginTurn, createLedger, type Ledger, look, markOf, type OpenPage, wake } from './whose.ts';
import { FOR_EVER_MS, type Incident, namesUsers, type World, type WorldUser } from './world.ts';

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

const FIRST: WorldUser = 'user-1';
/** Quiet time at the end, network up and user willing: what is not shown after it never will be. */
const QUIET_MS = 15 * 60_000;
/** A result that never can be read is given up after half an hour. */
const UNREADABLE_MS = 50 * 60_000;
/** A user who is asked something answers after a while. */
const USER_DELAY_MS = 20_000;
/** The answers, and the same answers with their keys in another order. */
const answersOf = (user: WorldUser, order: 'same' | 'reordered') => {
  const name = markOf(user);
  return order === 'same' ? { answers: [1, 2, 3], name } : { name, answers: [1, 2, 3] };
};

/** A page, and the number of its tab: a reload keeps that. */
interface TabPage extends OpenPage {
  tabNumber: number;
}

/** The whole world around one user, whose pages run the real client. */
interface Stage extends Omit<Trial, 'tabNumber'> {
  page: ReturnType<typeof fakePage>;
  /** The page that the user looks at. */
  shown: TabPage;
  /** The page in which the last sign-in or sign-out happened. */
  acting: TabPage;
  /** The pages of other tabs that are still open. */
  others: TabPage[];
  /** The user at the computer, signed in or not. */
  user: WorldUser;
  ledger: Ledger;
  /** The user's next submission, which waits for the sign-in. */
  intent: Extract<Incident, { do: 'handOver' }>['submits'];
  /** Whether several users take turns, or one without a name: then every page is looked at all the time. */
  hasTurns: boolean;
  quota: Quota;
  openPage(tab: KeyValueStore, tabNumber: number): TabPage;
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
  signIn(stage);
  submit(stage, 'own');

  const steps = world.incidents.flatMap(toSteps).toSorted((a, b) => a.at - b.at);
  const startedAt = clock.time();
  for (const { at, act } of steps) {
    const wait = startedAt + at - clock.time();
    // What was to happen while the machine slept happens after it woke: first it does what is overdue. And a browser finishes a task,
    // promises included, before anything else happens.
    if (wait <= 0) await clock.run(0);
    else await runWithUser(stage, wait);
    act(stage);
    inspect(stage);
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
  // Each user comes back for the job that was not shown yet.
  for (const user of stage.hasTurns ? (['user-2', FIRST] as const) : []) {
    if (!isAwaited(stage, user)) continue;
    signOut(stage);
    stage.user = user;
    await runWithUser(stage, QUIET_MS + lateMs);
  }
  stage.endedAt = clock.time();
  for (const { client } of pagesOf(stage)) client.dispose();
  await clock.run(60_000);
  const { rules, expected } = judge({ ...stage, tabNumber: stage.shown.tabNumber });
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
  const ledger = createLedger();
  const quota = createQuota();
  const events: Stage['events'] = [];
  // A page that is alone needs no locks: they have paths of their own, and half of the pages in the field have none.
  const opensTab = (it: Incident) => (it.do === 'submitAgain' || it.do === 'handOver') && it.where === 'tab';
  const tabs = world.incidents.some(opensTab) ? fakeTabs(clock) : null;
  let ids = 0;
  const openPage: Stage['openPage'] = (tab, tabNumber) => {
    const number = (backend.state.page += 1);
    const browserTab = tabs?.openTab();
    const client = createClient({
      baseUrl: 'http://world.test',
      clock,
      storage: quota.limit(storage),
      tokenStorage: quota.limit(tab),
      page: page.target,
      fetch: backend.fetchOf(number),
      loadSocketIo: backend.load,
      locks: browserTab?.locks ?? null,
      channel: browserTab?.channel ?? null,
      random: seededRandom(world.seed + number),
      createId() {
        const id = `submission-${world.seed}-${(ids += 1)}`;
        ledger.submissions.set(id, stage.user);
        return id;
      },
      onEvent: (event) => events.push(event),
    });
    const opened: TabPage = { client, tab, tabNumber, held: new Set() };
    // Some assessments join the page by themselves, such as one whose job was found in the list after a sign-in.
    client.subscribe(() => {
      for (const assessment of client.getSnapshot().assessments) watch(stage, assessment, opened);
      inspect(stage);
    });
    return opened;
  };
  // A user without a name is another one at each sign-in, until the API tells whose the job is.
  const isNameless = ['none', 'sometimes'].includes(world.habits?.names ?? 'id');
  const hasTurns = isNameless || world.incidents.some(({ do: it }) => it === 'handOver' || it === 'signInAsOther');
  const first = openPage(memoryStore(), 1);
  const stage: Stage = {
    world,
    clock,
    backend,
    page,
    openPage,
    shown: first,
    acting: first,
    others: [],
    user: FIRST,
    ledger,
    intent: 'nothing',
    hasTurns,
    quota,
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
  return stage;
}

const pagesOf = ({ shown, others }: Stage): TabPage[] => [shown, ...others];

function inspect(stage: Stage): void {
  if (!stage.hasTurns) return;
  const { ledger, backend, storage, clock, acting } = stage;
  look({ ledger, backend, storage, pages: pagesOf(stage), acting, at: clock.time() });
}

function watch(stage: Stage, assessment: Assessment, page = stage.shown): void {
  if (stage.watched.has(assessment)) return;
  stage.watched.add(assessment);
  page.held.add(assessment);
  const tab = page.tabNumber;
  const note = () => {
    const view = assessment.getSnapshot();
    // A sign-out, or the sign-in of another user, takes the assessment off the page. That is no ending.
    if (!stage.deeds.cancelled && view.phase === 'cancelled') return;
    stage.moments.push({ at: stage.clock.time(), tab, view, hasSession: stage.backend.hasSession() });
  };
  note();
  assessment.subscribe(note);
}

/** What the page that the user looks at shows. */
const viewOn = ({ moments, shown, hasTurns }: Stage) =>
  hasTurns
    ? shown.client.getSnapshot().assessments.at(-1)?.getSnapshot()
    : moments.findLast(({ tab }) => tab === shown.tabNumber)?.view;
const isOver = (phase: string | undefined) => ['completed', 'failed', 'cancelled', undefined].includes(phase);

/** Lets time pass; whenever the page asks the user something, the user takes a moment and answers. */
async function runWithUser(stage: Stage, ms: number): Promise<void> {
  const end = stage.clock.time() + Math.max(0, ms);
  while (stage.clock.time() < end) {
    await stage.clock.run(Math.min(USER_DELAY_MS, end - stage.clock.time()));
    answerThePage(stage);
    // A browser finishes the task of the sign-in, promises included, before anything else happens.
    await stage.clock.run(0);
    inspect(stage);
    stage.deeds.signedOut = false;
  }
}

function answerThePage(stage: Stage): void {
  const { backend, deeds, clock, user } = stage;
  const { client } = stage.shown;
  const view = viewOn(stage);
  const assessment = client.getSnapshot().assessments.find(({ id }) => id === view?.id);
  const mayReach = !backend.state.offline && !deeds.signedOut;
  if ((view?.phase === 'sign-in-needed' || deeds.isAway) && mayReach) {
    signIn(stage);
    submit(stage, stage.intent);
  }
  if (view?.phase === 'delayed') {
    deeds.patience.push(clock.time());
    assessment?.keepWaiting();
  }
  if (view?.phase !== 'unconfirmed') return;
  // Where browsers do not report changes of the storage, a tab learns of the job of another one when the user wants to continue.
  const isInOtherTab = stage.others.some((page) =>
    page.client.getSnapshot().assessments.some((it) => {
      const { id, phase, jobId } = it.getSnapshot();
      return id === view.id && typeof jobId === 'string' && !isOver(phase);
    }),
  );
  // A careful user, who has asked the support whether the answers arrived.
  const isAccepted = backend.seen.accepted.some(({ userId }) => userId === user);
  if (!isAccepted) deeds.sentAgain += 1;
  if (!isAccepted || isInOtherTab) assessment?.sendAgain();
}

type Step = { at: number; act: (stage: Stage) => void };

function reload(stage: Stage): void {
  const { shown } = stage;
  shown.client.dispose();
  stage.shown = stage.openPage(shown.tab, shown.tabNumber);
  if (stage.acting === shown) stage.acting = stage.shown;
  for (const assessment of stage.shown.client.resume()) watch(stage, assessment);
}

/** @param tab the storage that the new tab begins with */
function openTab(stage: Stage, tab: KeyValueStore): void {
  const number = Math.max(...pagesOf(stage).map(({ tabNumber }) => tabNumber)) + 1;
  stage.others.push(stage.shown);
  stage.shown = stage.openPage(tab, number);
}

function signIn(stage: Stage): void {
  const { world, shown, ledger, user, clock, deeds, backend } = stage;
  if (!namesUsers(world)) deeds.leftUnsent ||= hasUnsent(shown);
  beginTurn(ledger, user, clock.time());
  deeds.isAway = false;
  stage.acting = shown;
  shown.client.signedIn(backend.signIn(user));
  // What a sign-out took off the page is there again.
  for (const resumed of shown.client.getSnapshot().assessments) watch(stage, resumed);
}

/** The user submits answers, once in a story: own ones, or the same as the first user. */
function submit(stage: Stage, which: Stage['intent']): void {
  const { shown, ledger, user } = stage;
  stage.intent = 'nothing';
  if (which === 'nothing' || [...ledger.submissions.values()].includes(user)) return;
  const owner = which === 'own' ? user : FIRST;
  ledger.marks.get(markOf(owner))?.add(user);
  watch(stage, shown.client.submit(answersOf(owner, 'same')));
}

/** Whether the server has finished a job of this user that was not shown yet. */
const isAwaited = ({ backend, moments, ledger }: Stage, user: WorldUser): boolean =>
  backend.jobs().some((job) => job.userId === user && job.lostAt === null) &&
  !moments.some(({ view }) => ledger.submissions.get(view.id) === user && ['completed', 'failed'].includes(view.phase));

/** The next user takes the seat. */
function handOver(
  stage: Stage,
  { to, by, where, submits }: Omit<Extract<Incident, { do: 'handOver' }>, 'at' | 'do'>,
): void {
  const { deeds, backend, others } = stage;
  // There is no sign-in without a network.
  if (by === 'signIn' && backend.state.offline) return;
  deeds.otherUser = true;
  if (by === 'signOut') signOut(stage);
  stage.user = to;
  stage.intent = submits;
  if (where === 'reload') reload(stage);
  if (where === 'tab') {
    openTab(stage, memoryStore());
    for (const assessment of stage.shown.client.resume()) watch(stage, assessment);
  }
  const [other] = others;
  if (where === 'other-tab' && other) {
    others.splice(0, 1, stage.shown);
    stage.shown = other;
  }
  if (by === 'signOut') return;
  signIn(stage);
  submit(stage, submits);
}

/** The user submits the same answers while they are under way: on this page, on the next one, or in a second tab. */
function submitAgain(stage: Stage, { where, order }: Extract<Incident, { do: 'submitAgain' }>): void {
  const phase = viewOn(stage)?.phase;
  // After an ending it is a new assessment, and a user who is asked something answers first.
  if (stage.deeds.otherUser || isOver(phase) || phase === 'unconfirmed') return;
  if (where === 'reload') reload(stage);
  if (where === 'tab') {
    // A duplicated tab begins with a copy of the storage of the first.
    const copy = memoryStore();
    const { tab } = stage.shown;
    for (const key of tab.keys()) copy.set(key, tab.get(key) ?? '');
    openTab(stage, copy);
  }
  watch(stage, stage.shown.client.submit(answersOf(stage.user, order)));
}

/** Whether answers were not accepted yet, as far as the page knows: they are erased when their user is gone. */
const hasUnsent = ({ client }: OpenPage): boolean =>
  client.getSnapshot().assessments.some(({ actor }) => actor.getSnapshot().context.jobId === null);

function signOut(stage: Stage): void {
  const { deeds, ledger, clock } = stage;
  const { client } = stage.shown;
  deeds.leftUnsent ||= hasUnsent(stage.shown);
  deeds.signedOut = deeds.isAway = true;
  beginTurn(ledger, null, clock.time());
  stage.acting = stage.shown;
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
          act({ clock, backend, page, ledger }) {
            const sleptAt = clock.time();
            clock.sleep(incident.forMs);
            wake(ledger, sleptAt, clock.time());
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
            const { assessments } = stage.shown.client.getSnapshot();
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
        { at, act: (stage) => handOver(stage, { to: 'user-2', by: 'signIn', where: 'page', submits: 'nothing' }) },
      ];
    case 'handOver':
      return [{ at, act: (stage) => handOver(stage, incident) }];
    case 'fullStorage':
      return [
        { at, act: ({ quota }) => quota.fill() },
        { at: at + incident.forMs, act: ({ quota }) => quota.free() },
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
      // Half of them in order, without dice of their own: all other draws stay as they were.
      return [{ at, act: ({ backend }) => backend.dropSockets(at % 2 === 0) }];
    default: {
      const { do: what } = incident;
      return [{ at, act: ({ backend }) => backend[what]() }];
    }
  }
}

function collapse(phases: string[]): string[] {
  return phases.filter((phase, index) => phase !== phases[index - 1]);
}

interface Quota {
  /** The same store, which throws where it is full. */
  limit(store: KeyValueStore): KeyValueStore;
  /** From now on no store grows. */
  fill(): void;
  free(): void;
}

const sizeOf = (store: KeyValueStore): number =>
  store.keys().reduce((sum, key) => sum + key.length + (store.get(key) ?? '').length, 0);

function createQuota(): Quota {
  let isFull = false;
  /** The largest size of each store while it is full. */
  const limits = new Map<KeyValueStore, number>();
  return {
    limit(store) {
      limits.set(store, sizeOf(store));
      return {
        ...store,
        set(key, value) {
          const before = store.get(key);
          const grown = before === null ? key.length + value.length : value.length - before.length;
          if (isFull && sizeOf(store) + grown > (limits.get(store) ?? 0)) throw new Error('QuotaExceededError');
          store.set(key, value);
        },
      };
    },
    fill() {
      isFull = true;
      for (const store of limits.keys()) limits.set(store, sizeOf(store));
    },
    free: () => void (isFull = false),
  };
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
