import type { Assessment } from '../../client/assessment.ts';
import { type AssessmentClient, createAssessmentClient } from '../../client/client.ts';
import { defaultTimings } from '../../client/options.ts';
import type { MonitorEvent } from '../../lib/log.ts';
import type { PageTarget } from '../../services/page-signals.ts';
import { memoryStore } from '../../lib/storage.ts';
import type { AssessmentView } from '../../client/view.ts';
import { type FakeBackend, fakeBackend, REFRESH_INTERVAL_MS, seededRandom } from './fake-backend.ts';
import { type VirtualClock, virtualClock } from './virtual-clock.ts';
import type { Incident, World } from './world.ts';

/** What a world did to the promise. No violation: it was kept. */
export interface Verdict {
  /** Every rule by name, with the number of its invariant, and whether it was kept. */
  rules: Readonly<Record<string, boolean>>;
  /** The names of those that were not. */
  violations: string[];
  /** The phases that the user saw, in order. */
  phases: string[];
  events: (MonitorEvent & { at: number })[];
}

const USER = 'user-1';
/** Quiet time at the end, network up and user willing: what is not shown after it never will be. */
const QUIET_MS = 15 * 60_000;
/** A user who is asked to sign in does so after a while. */
const USER_DELAY_MS = 20_000;

/** The whole world around one real client. */
interface Stage {
  world: World;
  clock: VirtualClock;
  backend: FakeBackend;
  page: ReturnType<typeof fakePage>;
  client: AssessmentClient;
  openPage(): AssessmentClient;
  events: Verdict['events'];
  views: AssessmentView[];
  storage: ReturnType<typeof memoryStore>;
  ended: { cancelled: boolean; otherUser: boolean; signedOut: boolean };
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
  watch(stage, stage.client.submit({ answers: [1, 2, 3] }));

  const steps = world.incidents.flatMap(toSteps).toSorted((a, b) => a.at - b.at);
  const startedAt = clock.time();
  for (const { at, act } of steps) {
    const wait = startedAt + at - clock.time();
    // What was to happen while the machine slept happens after it woke: first it does what is overdue.
    if (wait < 0) await clock.run(0);
    else await runWithUser(stage, wait);
    act(stage);
  }
  await runWithUser(stage, QUIET_MS);
  // What was accepted late has its time, too.
  await runWithUser(stage, Math.max(0, ...backend.jobs().map(({ doneAt }) => doneAt + QUIET_MS - clock.time())));
  const isShown = stage.views.at(-1);
  stage.client.dispose();
  await clock.run(60_000);
  const rules = judge(stage, isShown);
  return {
    rules,
    violations: Object.keys(rules).filter((name) => !rules[name]),
    phases: collapse(stage.views.map(({ phase }) => phase)),
    events: stage.events,
  };
}

function setUp(world: World, createClient: typeof createAssessmentClient): Stage {
  const clock = virtualClock();
  const backend = fakeBackend(world, clock);
  const page = fakePage();
  const storage = memoryStore();
  const tokenStorage = memoryStore();
  const events: Stage['events'] = [];
  const openPage = (): AssessmentClient => {
    backend.state.page += 1;
    return createClient({
      baseUrl: 'http://world.test',
      clock,
      storage,
      tokenStorage,
      page: page.target,
      fetch: backend.fetch,
      loadSocketIo: backend.load,
      // One tab, whose messages would come in real time.
      locks: null,
      channel: null,
      random: seededRandom(world.seed + backend.state.page),
      createId: () => `submission-${world.seed}-${backend.state.page}`,
      onEvent: (event) => events.push(event),
    });
  };
  const ended = { cancelled: false, otherUser: false, signedOut: false };
  return { world, clock, backend, page, openPage, client: openPage(), events, views: [], storage, ended };
}

function watch(stage: Stage, assessment: Assessment): void {
  stage.views.push(assessment.getSnapshot());
  assessment.subscribe(() => stage.views.push(assessment.getSnapshot()));
}

/** Lets time pass; whenever a sign-in is asked for, the user takes a moment and signs in. */
async function runWithUser(stage: Stage, ms: number): Promise<void> {
  const end = stage.clock.time() + Math.max(0, ms);
  while (stage.clock.time() < end) {
    await stage.clock.run(Math.min(USER_DELAY_MS, end - stage.clock.time()));
    const isAsked = stage.views.at(-1)?.phase === 'sign-in-needed';
    if (isAsked && !stage.backend.state.offline && !stage.ended.signedOut)
      stage.client.signedIn(stage.backend.signIn(USER));
    // A browser finishes the task of the sign-in, promises included, before anything else happens.
    await stage.clock.run(0);
    stage.ended.signedOut = false;
  }
}

type Step = { at: number; act: (stage: Stage) => void };

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
            stage.client.dispose();
            stage.client = stage.openPage();
            for (const assessment of stage.client.resume()) watch(stage, assessment);
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
            stage.ended.cancelled ||= underWay.length > 0;
            for (const assessment of underWay) assessment.cancel();
          },
        },
      ];
    case 'signOut':
      return [{ at, act: (stage) => ((stage.ended.signedOut = true), stage.client.signedOut()) }];
    case 'revoke':
      return [{ at, act: ({ backend }) => backend.revoke() }];
    case 'signInAsOther':
      return [
        { at, act: (stage) => ((stage.ended.otherUser = true), stage.client.signedIn(stage.backend.signIn('user-2'))) },
      ];
    case 'loseRefreshAnswer':
      return [{ at, act: ({ backend }) => void (backend.state.loseRefresh = 1) }];
    case 'loseSubmitAnswer':
      return [{ at, act: ({ backend }) => void (backend.state.loseSubmit = 1) }];
    case 'dropSocket':
      return [{ at, act: ({ backend }) => backend.dropSockets() }];
    default: {
      const { do: what } = incident;
      return [{ at, act: ({ backend }) => backend[what]() }];
    }
  }
}

/** Rules that do not come from the machine: what the server saw, what the user was shown, what is left. */
function judge(
  { world, clock, backend, page, views, events, storage, ended }: Stage,
  last: AssessmentView | undefined,
): Record<string, boolean> {
  const { seen } = backend;
  // A device whose clock is set cannot know how much time has passed.
  const hasJump = world.incidents.some((it) => it.do === 'jump');
  const rules: Record<string, boolean> = {};
  const rule = (name: string, isKept: boolean) => void (rules[name] = isKept);

  rule('1 one accepted submission per assessment', seen.submissionsAccepted <= 1);
  rule('2 no request carries a token that its sender knows to be expired', hasJump || seen.expiredTokens === 0);
  rule('3 one refresh at a time', seen.concurrentRefreshes <= 1);
  const gaps = seen.refreshes.slice(1).map((at, index) => at - (seen.refreshes[index] ?? 0));
  rule('3 at most one refresh a minute', hasJump || gaps.every((gap) => gap >= REFRESH_INTERVAL_MS));
  rule('3 no refresh token is used twice', seen.reuses === 0 || world.loss > 0 || world.incidents.some(losesAnswers));
  rule('4 no credential trouble fails an assessment', world.jobFails || views.every(({ phase }) => phase !== 'failed'));
  rule('5 INVALID_TOKEN is never shown', !/INVALID_TOKEN|invalid or expired/i.test(JSON.stringify(views)));
  rule(
    '7 nothing is left open',
    clock.armed() === 0 &&
      Object.values({ ...backend.open(), listeners: page.listeners() }).every((count) => count === 0),
  );
  rule(
    '8 completed once, with the result of its own job',
    completions(views).every((result) => result === backend.jobs()[0]?.jobId) &&
      events.filter((it) => it.type === 'assessment.settled').length <= 1 + Number(wasReloaded(world)),
  );
  rule('9 a job that is known is never submitted again', seen.submittedAgain === 0);
  const out = JSON.stringify([views, events, storage.keys().map((key) => storage.get(key))]);
  rule(
    '10 no secret leaves',
    backend.secrets().every((secret) => !out.includes(secret)),
  );
  rule(
    '11 status calls keep their distance',
    hasJump || distances(seen.requests).every((ms) => ms >= defaultTimings.minDistanceMs - 1),
  );
  rule(
    '11 Retry-After is obeyed',
    hasJump ||
      seen.requests.every((request, index) => isObeyed(request, seen.requests.slice(index + 1), world.latencyMs)),
  );

  const isWanted = !ended.cancelled && !ended.otherUser;
  const expected = world.jobFails ? 'failed' : 'completed';
  rule('promise: every job that the server finishes is shown', !isWanted || last?.phase === expected);
  return rules;
}

const losesAnswers = ({ do: what }: Incident) =>
  ['offline', 'sleep', 'reload', 'loseRefreshAnswer', 'serverDown'].includes(what);
const wasReloaded = (world: World) => world.incidents.some((it) => it.do === 'reload');

const completions = (views: AssessmentView[]): unknown[] =>
  views.flatMap((view) => (view.phase === 'completed' ? [(view.result as { of?: unknown }).of] : []));

/** Between two status calls of one page. */
function distances(requests: FakeBackend['seen']['requests']): number[] {
  const calls = requests.filter(({ route }) => route === 'status');
  return calls
    .slice(1)
    .flatMap((call, index) => (call.page === calls[index]?.page ? [call.at - (calls[index]?.at ?? 0)] : []));
}

/** The next call of the same kind by the same page comes no sooner than the server asked. */
function isObeyed(
  request: FakeBackend['seen']['requests'][number],
  later: FakeBackend['seen']['requests'],
  latencyMs: number,
): boolean {
  if (request.retryAfter === undefined || request.route === 'refresh') return true;
  const next = later.find(({ route, page }) => route === request.route && page === request.page);
  // The client counts from the answer, which came a little after the request.
  return !next || next.at - request.at >= request.retryAfter * 1_000 - latencyMs * 2;
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
