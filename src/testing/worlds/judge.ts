import { defaultTimings } from '../../client/options.ts';
import type { AssessmentView } from '../../client/view.ts';
import type { MonitorEvent } from '../../lib/log.ts';
import type { KeyValueStore } from '../../lib/storage.ts';
import { REFRESH_INTERVAL_MS } from '../wire/contract.ts';
import type { FakeBackend, SeenRequest } from './fake-backend.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import { dependsOnTabs, type Ledger, rulesOfUsers } from './whose.ts';
import { FOR_EVER_MS, type Incident, namesUsers, type World } from './world.ts';

/** What the user did that decides about the ending. */
export interface Deeds {
  cancelled: boolean;
  /** Another user has taken over the computer, see {@link rulesOfUsers}. */
  otherUser: boolean;
  /** The user signed out before the page knew of the acceptance: the answers were erased. */
  leftUnsent: boolean;
  /** How often the user sent the answers again, when asked. */
  sentAgain: number;
  /** True times at which the user began to wait: at the submission, and after each question whether to wait longer. */
  patience: number[];
}

/** What a tab showed, and when. */
interface Moment {
  /** True time. */
  at: number;
  tab: number;
  view: AssessmentView;
  /** Whether the browser could have refreshed its token: its cookie was the one that the server knows. */
  hasSession: boolean;
}

/** Everything that is known of a story when it is over. */
export interface Trial {
  world: World;
  clock: VirtualClock;
  backend: FakeBackend;
  moments: Moment[];
  events: (MonitorEvent & { at: number })[];
  storage: Pick<KeyValueStore, 'get' | 'keys'>;
  /** Listeners that are still on the page. */
  listeners(): number;
  startedAt: number;
  /** The tab that the user looks at. */
  tabNumber: number;
  /** What belongs to whom. */
  ledger: Ledger;
  /** When the story ended: the pages are closed after that. */
  endedAt: number;
  deeds: Deeds;
}

const HOUR_MS = 3_600_000;
/** The most calls of each route in an hour. Polling alone makes 400 of a job that runs so long. */
const MOST_CALLS_AN_HOUR: Readonly<Record<string, number>> = {
  submit: 260,
  status: 1_300,
  result: 400,
  job: 400,
  jobs: 130,
  balance: 130,
  refresh: 61,
  // Every 12 s while a finished result waits for the end of an outage.
  health: 420,
};
/** A result that cannot be read is downloaded again a few times by each page, and after each sign-in that follows a sign-out. */
const MOST_UNREADABLE_RESULTS_AN_HOUR = 12;
/** … and not given up before so many downloads, and so much time: what answers may not be the API. */
const LEAST_UNREADABLE_RESULTS = 10;
const LEAST_UNREADABLE_MS = 15 * 60_000;
/** A call may wait this long for the token of another tab before it leaves, ms. */
const TAB_ANSWER_MS = 301;
/** The monitoring timeout, and one status call and its retries. */
const LONGEST_SILENCE_MS = 33 * 60_000;

/** Rules that do not come from the machine: what the server saw, what the user was shown, what is left. */
export function judge(trial: Trial): { rules: Record<string, boolean>; expected: readonly string[] | null } {
  const { world, clock, backend, moments, events, storage, deeds } = trial;
  const { seen } = backend;
  const views = moments.map(({ view }) => view);
  const last = moments.findLast(({ tab }) => tab === trial.tabNumber)?.view;
  // A page whose clock is set again cannot tell how much time has passed.
  const hasJump = world.incidents.some((it) => it.do === 'jump');
  const hasSleep = world.incidents.some((it) => it.do === 'sleep');
  const sessions = 1 + returns(world);
  const opensTab = (it: Incident) => 'where' in it && it.where === 'tab';
  const tabs = 1 + world.incidents.filter(opensTab).length;
  const rules: Record<string, boolean> = {};
  const rule = (name: string, isKept: boolean) => void (rules[name] = isKept);

  const submitters = new Set(seen.accepted.map(({ userId }) => userId)).size;
  // Nothing tells a client of a job that the server forgets before its answer has arrived.
  const unheardOf = backend.jobs().filter(({ lostAt, isTold }) => lostAt !== null && !isTold).length;
  const accepted = seen.submissionsAccepted - unheardOf;
  rule('1 one accepted submission per assessment', accepted <= Math.max(1, submitters));
  rule('2 no request carries a token that its sender knows to be expired', hasJump || seen.expiredTokens === 0);
  rule('3 one refresh at a time', seen.concurrentRefreshes <= 1);
  const gaps = seen.refreshes.slice(1).map((at, index) => at - (seen.refreshes[index] ?? 0));
  // What was not written is not known to the next page.
  const hasForgotten = world.incidents.some((it) => it.do === 'fullStorage') && reopenings(world) > 0;
  rule('3 at most one refresh a minute', hasJump || hasForgotten || gaps.every((gap) => gap >= REFRESH_INTERVAL_MS));
  rule('3 no refresh token is used twice', seen.reuses === 0 || world.loss > 0 || world.incidents.some(losesAnswers));
  const failures = moments.filter(({ view }) => view.phase === 'failed');
  rule(
    '4 no credential trouble fails an assessment',
    failures.every(({ at }) => mayFail(trial, at)),
  );
  rule('5 INVALID_TOKEN is never shown', !/INVALID_TOKEN|invalid or expired/i.test(JSON.stringify(views)));
  rule(
    '7 nothing is left open',
    clock.armed() === 0 &&
      Object.values({ ...backend.open(), listeners: trial.listeners() }).every((count) => count === 0),
  );
  const settled = events.filter((it) => it.type === 'assessment.settled').length;
  rule(
    '8 completed once, with the result of its own job',
    views.every((view) => isOwnResult(trial, view)) &&
      settled <= (1 + reopenings(world)) * (1 + returns(world)) * (deeds.otherUser ? 2 + returns(world) : 1),
  );
  rule('9 a job that is known is never submitted again', hasForgotten || seen.submittedAgain === 0);
  const out = JSON.stringify([views, events, storage.keys().map((key) => storage.get(key))]);
  rule(
    '10 no secret leaves',
    backend.secrets().every((secret) => !out.includes(secret)),
  );
  rule(
    '11 status calls keep their distance',
    hasJump || distances(trial).every((ms) => ms >= defaultTimings.minDistanceMs - (tabs > 1 ? TAB_ANSWER_MS : 1)),
  );
  rule(
    '11 Retry-After is obeyed',
    hasJump ||
      deeds.sentAgain > 0 ||
      seen.requests.every((request, index) => isObeyed(request, seen.requests.slice(index + 1), world.latencyMs)),
  );
  rule(
    '13 an assessment fails only on the word of the API',
    failures.every(({ at }) => mayFail(trial, at)),
  );
  rule(
    '13 a sign-in is asked for only when the session is over',
    moments.every((it) => isSignInDue(trial, it)),
  );
  // A storage that is full keeps no note of a sign-in or sign-out for a tab that opens, or wakes, in that moment.
  const isUnnoted = world.incidents.some((it) => it.do === 'fullStorage') && tabs > 1;
  for (const [name, isKept] of Object.entries(rulesOfUsers(trial.ledger, backend)))
    rule(name, isKept || (isUnnoted && dependsOnTabs(name)));
  const isOpen = last !== undefined && !['completed', 'failed', 'cancelled'].includes(last.phase);
  rule(
    '13 what has not ended keeps its record',
    !isOpen || deeds.otherUser || deeds.leftUnsent || storage.keys().some((key) => key.includes(':job:')),
  );
  rule('16 the same answers of one user while under way are one accepted job', doublesOf(trial) <= unheardOf);
  // An incident may cut off one download, which then does not count for the page.
  const mostUnreadable = MOST_UNREADABLE_RESULTS_AN_HOUR * sessions + world.incidents.length;
  rule(
    '18 a result that cannot be read is not fetched without end',
    [...byPage(seen.unreadableResults).values()].every((times) => mostWithin(times, HOUR_MS) <= mostUnreadable),
  );
  rule(
    '18 a submission whose answer cannot be read is repeated by the user alone',
    world.habits?.keys !== 'off' ||
      seen.unreadableSubmissions.length <= Math.max(1, trial.ledger.submissions.size) + deeds.sentAgain,
  );
  rule(
    '18 no route is called without end',
    Object.entries(MOST_CALLS_AN_HOUR).every(([route, most]) => {
      const calls = seen.requests.filter((request) => request.route === route).map(({ at }) => at);
      return mostWithin(calls, HOUR_MS) <= most * tabs;
    }),
  );
  rule(
    '18 a user who waits longer than the deadline sees why',
    hasJump || hasSleep || deeds.otherUser || longestSilence(trial) <= LONGEST_SILENCE_MS,
  );
  rule(
    '18 a user whose submission has to wait long sees why',
    hasJump || hasSleep || seen.requests.every((request) => isToldOfTheWait(trial, request)),
  );
  // A status route that is broken for good does not say that it has forgotten the job: then the deadline counts.
  const isMute = world.incidents.some((it) => it.do === 'front' && it.forMs === FOR_EVER_MS);
  // The list of jobs has nothing to say to a user without a name.
  const isNameless = ['none', 'sometimes'].includes(world.habits?.names ?? 'id');
  const isForgotten =
    backend.jobs().length > 0 &&
    backend.jobs().every(({ lostAt, doneAt }) => lostAt !== null && lostAt < doneAt) &&
    !isMute;
  rule(
    '18 a user whose job the server has forgotten sees so',
    !isForgotten || deeds.otherUser || deeds.leftUnsent || isNameless || isToldLately(trial),
  );
  rule('promise: the job of each user waits for that user, and is shown', isShownToEach(trial));
  rule('promise: a result that the feed reports is shown soon', isShownSoon(trial));

  const expected = expectedEndings(trial);
  rule(
    'promise: every job that the server finishes is shown',
    expected === null || (last !== undefined && expected.includes(last.phase)),
  );
  return { rules, expected };
}

/** How the story may end, by what the server did. Null: in any phase. */
function expectedEndings(trial: Trial): readonly string[] | null {
  const { world, backend, deeds, endedAt } = trial;
  const { seen } = backend;
  if (deeds.cancelled || deeds.otherUser || deeds.leftUnsent || backend.jobs().some(({ lostAt }) => lostAt !== null))
    return null;
  if (seen.refused.length > 0) return ['failed'];
  const ending = world.jobFails ? 'failed' : 'completed';
  // Whose clock is wrong cannot tell which job of the list is the one whose submission was not answered: the user is asked.
  const isAsked = backend.jobs().some(({ isTold }) => !isTold) && (isClockWrong(world) || isListLate(world));
  if (isAsked) return [ending, 'failed', 'unconfirmed'];
  if (world.jobFails) return ['failed'];
  const isUnreadable = isUnreadableForLong(trial, endedAt);
  const garblesForEver = world.incidents.some(
    (it) => it.do === 'garble' && it.route === 'result' && it.forMs > HOUR_MS,
  );
  if (garblesForEver && seen.unreadableResults.some(({ at }) => at > endedAt - HOUR_MS)) return ['failed'];
  return isUnreadable ? ['completed', 'failed'] : ['completed'];
}

/** Whether a page that asked for a sign-in had a reason to. Of tokens that stay refused, and of login pages, the client cannot know. */
function isSignInDue({ world, deeds }: Trial, { view, hasSession }: Moment): boolean {
  if (view.phase !== 'sign-in-needed' || !hasSession || deeds.otherUser) return true;
  return world.incidents.some(
    (it) =>
      it.do === 'signOut' ||
      it.do === 'outage' ||
      (it.do === 'front' && (it.answer === 'html-401' || it.answer.startsWith('login-'))),
  );
}

/** Whether the API itself has said by now that it will not become anything. */
function mayFail(trial: Trial, now: number): boolean {
  const { world, backend } = trial;
  const { seen } = backend;
  if (seen.refused.some((at) => at <= now) && seen.submissionsAccepted === 0) return true;
  if (isUnreadableForLong(trial, now)) return true;
  return world.jobFails && backend.jobs().some(({ doneAt }) => doneAt <= now);
}

/** Whether one page has been sent results that cannot be read often and for long enough to give up. */
function isUnreadableForLong({ backend }: Trial, now: number): boolean {
  return [...byPage(backend.seen.unreadableResults).values()].some((times) => {
    const until = times.filter((at) => at <= now);
    return until.length >= LEAST_UNREADABLE_RESULTS && now - (until[0] ?? now) >= LEAST_UNREADABLE_MS;
  });
}

/** The times of each page. */
function byPage(seen: readonly { at: number; page: number }[]): Map<number, number[]> {
  const times = new Map<number, number[]>();
  for (const { at, page } of seen) times.set(page, [...(times.get(page) ?? []), at]);
  return times;
}

/** So long before and after the end of a job nothing else happens in a world that tells how soon it is shown, ms. */
const CALM_MS = { before: 180_000, after: 60_000 };
/** A heartbeat finds most results later, ms. */
const SOON_MS = 20_000;

/** What happens once happens whenever the next request comes, a session that is over is noticed late, and a changed clock stays. */
const LASTING = new Set<Incident['do']>(['jump', 'forgetAll', 'revoke', 'loseRefreshAnswer', 'loseSubmitAnswer']);
function lengthOf(incident: Incident): number {
  if (LASTING.has(incident.do)) return Number.POSITIVE_INFINITY;
  if (!('forMs' in incident)) return 0;
  return incident.forMs === 0 ? Number.POSITIVE_INFINITY : incident.forMs;
}

/** Whether a result that a live feed has reported in a calm time was shown soon after. */
function isShownSoon({ world, backend, moments, startedAt, deeds }: Trial): boolean {
  const { latencyMs, loss, jobFails, habits = {}, incidents } = world;
  const [job, ...others] = backend.jobs();
  const mayBeLate = ['lateRowMs', 'slowBodyMs', 'goneRowMs', 'failures', 'clockAheadMs', 'submitLimitMs'] as const;
  // A token of unknown lifetime may end while the minute between two refreshes runs.
  const isHindered =
    deeds.otherUser || loss > 0 || habits.tokens === 'exp-only' || mayBeLate.some((name) => habits[name]);
  if (!job || others.length > 0 || jobFails || isHindered) return true;
  const { doneAt } = job;
  const isCalm = incidents.every((incident) => {
    const at = startedAt + incident.at;
    return at + lengthOf(incident) < doneAt - CALM_MS.before || at > doneAt + CALM_MS.after;
  });
  const shown = moments.findLast(({ at }) => at < doneAt)?.view.phase;
  if (!isCalm || shown !== 'waiting' || !backend.seen.completionsHeard.includes(doneAt)) return true;
  return moments.some(({ at, view }) => view.phase === 'completed' && at <= doneAt + SOON_MS + 8 * latencyMs);
}

/** How many accepted jobs have the same answers of the same user as another one before. */
function doublesOf({ backend: { seen } }: Trial): number {
  const names = seen.accepted.map(({ userId, answers }) => `${userId} ${answers}`);
  return names.length - new Set(names).size;
}

/** The most of these times within one span, ms. */
function mostWithin(times: readonly number[], spanMs: number): number {
  let [most, first] = [0, 0];
  times.forEach((at, index) => {
    while (at - (times[first] ?? at) > spanMs) first += 1;
    most = Math.max(most, index - first + 1);
  });
  return most;
}

/** The longest time in which the user was shown nothing but work in progress, ms; an answer of the user begins a new one. */
function longestSilence({ moments, backend, deeds, ledger, startedAt, endedAt }: Trial): number {
  let longest = 0;
  let since: number | null = startedAt;
  const marks = [
    ...moments.map(({ at, view }) => ({ at, isSilent: ['submitting', 'waiting'].includes(view.phase) })),
    // A wait that begins with an acceptance, or with the wish to wait longer, has a time of its own.
    ...[...backend.seen.accepted.map(({ at }) => at), ...deeds.patience].map((at) => ({ at, isSilent: null })),
    // A sign-out takes everything off the page.
    ...ledger.turns.flatMap(({ at, user }) => (user === null ? [{ at, isSilent: false }] : [])),
    { at: endedAt, isSilent: false },
  ].toSorted((a, b) => a.at - b.at);
  for (const { at, isSilent } of marks) {
    if (since !== null) longest = Math.max(longest, at - since);
    if (isSilent === null) since = since === null ? null : at;
    else since = isSilent ? (since ?? at) : null;
  }
  return longest;
}

/** From this wait on the view reports it, s, and how soon. */
const LONG_WAIT_S = 300;
const TOLD_WITHIN_MS = 120_000;

/**
 * Whether the page has said more than that the submission is on its way, within some time after the server asked for a long wait. What
 * follows is another story: a user who wants to wait longer may meet a server that no longer says how long.
 */
function isToldOfTheWait({ moments, tabNumber }: Trial, { route, at, retryAfter = 0 }: SeenRequest): boolean {
  if (route !== 'submit' || retryAfter < LONG_WAIT_S) return true;
  const plainWords = new Set(['id', 'jobId', 'phase', 'progress']);
  const saysMore = (view: object) =>
    Object.entries(view).some(([name, value]) => !plainWords.has(name) && value != null);
  const until = at + TOLD_WITHIN_MS;
  const shown = moments.filter((it) => it.tab === tabNumber && it.at <= until);
  // The page may have been another one.
  if (shown.length === 0) return true;
  return shown.some(({ view }, index) => {
    const isOver = (shown[index + 1]?.at ?? until) <= at;
    return !isOver && (view.phase !== 'submitting' || saysMore(view));
  });
}

/** A user who wants to wait longer for a job that is lost is asked again before this time is over, ms. */
const ASKED_AGAIN_MS = 10 * 60_000;

/** Whether the page showed, in its last minutes, more than that the work is in progress. */
function isToldLately({ moments, tabNumber, endedAt }: Trial): boolean {
  const shown = moments.filter(({ tab }) => tab === tabNumber);
  return shown.some(({ view }, index) => {
    const until = shown[index + 1]?.at ?? endedAt;
    return until >= endedAt - ASKED_AGAIN_MS && !['submitting', 'waiting'].includes(view.phase);
  });
}

const losesAnswers = (incident: Incident) =>
  ['offline', 'sleep', 'reload', 'loseRefreshAnswer', 'serverDown', 'front', 'garble', 'submitAgain'].includes(
    incident.do,
  );
const reopenings = (world: World) =>
  world.incidents.filter(
    (it) => it.do === 'reload' || ((it.do === 'submitAgain' || it.do === 'handOver') && it.where !== 'page'),
  ).length;
/** After a sign-out and a sign-in every tab resumes what was not shown there. */
const returns = (world: World) => world.incidents.filter((it) => it.do === 'signOut' || it.do === 'handOver').length;
/** Whether the clock does not tell how old a job is. */
const isClockWrong = ({ habits, incidents }: World) =>
  (habits?.clockAheadMs ?? 0) !== 0 || incidents.some((it) => it.do === 'jump');
/** The job whose result the view shows; undefined where it shows none. */
const jobShownBy = (view: AssessmentView): unknown =>
  view.phase === 'completed' ? (view.result as { of?: unknown }).of : undefined;

/** Whether the view shows no result, or that of the job of its own submission. */
function isOwnResult({ backend, ledger }: Trial, view: AssessmentView): boolean {
  const user = ledger.submissions.get(view.id);
  const shown = jobShownBy(view);
  return view.phase !== 'completed' || backend.jobs().some((job) => job.userId === user && job.jobId === shown);
}

/** Whether the list of jobs comes too late for a submission whose answer cannot be read: the user is asked. */
const isListLate = ({ habits }: World): boolean => habits?.listsLate === true;
/** On a machine that falls asleep a submission may arrive minutes after its user has left. */
const arrivesLate = ({ incidents }: World): boolean => incidents.some((it) => it.do === 'sleep');
/** Whether nothing tells whose a submission is that was left before its answer: neither a name of its user nor the time of its job. */
const cannotClaim = (world: World): boolean =>
  !namesUsers(world) || isClockWrong(world) || isListLate(world) || arrivesLate(world);

/** Whether the end of each job was shown to its user, who came back for it. */
function isShownToEach({ world, backend, ledger, moments, deeds }: Trial): boolean {
  // A record that no storage takes is gone with its page.
  const isFull = world.incidents.some((it) => it.do === 'fullStorage') && reopenings(world) > 0;
  if (!deeds.otherUser || deeds.cancelled || isFull) return true;
  const isUnreadable = world.incidents.some((it) => it.do === 'garble' && it.route === 'result' && it.forMs > HOUR_MS);
  return backend.jobs().every(({ jobId, userId, lostAt, isTold }) => {
    const isEnd = (view: AssessmentView) =>
      jobShownBy(view) === jobId || ((world.jobFails || isUnreadable) && view.phase === 'failed');
    return (
      lostAt !== null ||
      (!isTold && cannotClaim(world)) ||
      moments.some(({ view }) => isEnd(view) && ledger.submissions.get(view.id) === userId)
    );
  });
}

/** Between two status calls of one page for one job; a sign-in begins with a call. */
function distances({ backend: { seen }, ledger: { turns } }: Trial): number[] {
  const latest = new Map<string, number>();
  return seen.requests
    .filter(({ route }) => route === 'status')
    .flatMap(({ page, at, id }) => {
      const place = `${page} ${id}`;
      const before = latest.get(place);
      latest.set(place, at);
      if (before === undefined || turns.some((turn) => turn.at >= before && turn.at <= at)) return [];
      return [at - before];
    });
}

/** The next call of the same kind by the same page, for the same assessment, comes no sooner than the server asked. */
function isObeyed(
  request: FakeBackend['seen']['requests'][number],
  later: FakeBackend['seen']['requests'],
  latencyMs: number,
): boolean {
  if (request.retryAfter === undefined || request.route === 'refresh') return true;
  const next = later.find(
    ({ route, page, key, id }) =>
      route === request.route && page === request.page && key === request.key && id === request.id,
  );
  // The client counts from the answer, which came a little after the request.
  return !next || next.at - request.at >= request.retryAfter * 1_000 - latencyMs * 2;
}
