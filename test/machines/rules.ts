import {
  type AssessmentSnapshot,
  callsIn,
  type Edge,
  eventKey,
  ids,
  isPassedThrough,
  type ModelMap,
  nameOf,
  stateName,
  statesOf,
  worldEventTypes,
} from 'assessment-monitor/testing';
import { PATIENCE } from '../../src/machines/assessment-setup.ts';
import { learned } from './learned.ts';
import { isAboutOurJob, isHint, saidBy } from './said.ts';

/*
 * What has to be true of every state that can be reached and of every step that can be taken. None of it is read off the
 * machine: a machine cannot be its own judge.
 */

export interface Rule {
  readonly name: string;
  /** What breaks the rule, each in a line. */
  check(map: ModelMap): string[];
  /** Whether this step breaks the rule; left out where one step alone cannot be judged. */
  isBrokenBy?(step: Edge): boolean;
}

/** A rule of which every single step can be judged. */
const everyStep = (name: string, isFine: (edge: Edge) => boolean): Rule => ({
  name,
  isBrokenBy: (step) => !isFine(step),
  check: (map) => edgesOf(map).flatMap((edge) => (isFine(edge) ? [] : [describeEdge(edge)])),
});

/** A rule of which every single state can be judged, and what a step makes of it. */
const everyState = (name: string, isFine: (snapshot: AssessmentSnapshot) => boolean): Rule => ({
  name,
  isBrokenBy: ({ before, after }) => after !== before && !isFine(after),
  check: (map) => [
    ...map.starts.flatMap(({ key }) => (isFine(snapshotOf(map, key)) ? [] : [key])),
    ...edgesOf(map).flatMap((edge) => (edge.after === edge.before || isFine(edge.after) ? [] : [describeEdge(edge)])),
  ],
});

export const rules = {
  credentialsNeverFail: everyStep(
    'no trouble with credentials fails an assessment, or ends it but for another user',
    (edge) =>
      !isOfCredentials(edge) ||
      edge.after.status === 'active' ||
      (isIn(edge.after, 'cancelled') && 'userId' in edge.event && edge.event.userId === ids.otherUser),
  ),

  parkedKeepsItsJob: everyStep(
    'a paused job keeps its id',
    ({ before, after }) =>
      before.context.jobId === null || !isParked(after) || before.context.jobId === after.context.jobId,
  ),

  jobIdIsForGood: everyStep(
    'the id of a job never changes once it is known',
    ({ before, after }) => before.context.jobId === null || before.context.jobId === after.context.jobId,
  ),

  acceptedOnce: everyState(
    'nothing is submitted once there is a job',
    (snapshot) => snapshot.context.jobId === null || !callsOf(snapshot).includes('submitAssessment'),
  ),

  onlyTheUserRepeats: everyStep(
    'a submission that may have arrived, and would not be recognised, is sent again by its user only',
    (edge) => {
      const { before, after, event } = edge;
      if (isLost(edge)) return after.context.outcomeUnknown && callsOf(after).length === 0;
      // As long as the outcome is unknown, the call only searches for the job: its input says so.
      if (!before.context.outcomeUnknown || event.type === 'assessment.sendAgain') return true;
      return after.context.outcomeUnknown || after.context.jobId !== null;
    },
  ),

  resultStaysInReach: {
    name: 'from everywhere a result can be reached, by answers, timers and the people who are asked',
    check(map) {
      const sources = new Map<string, string[]>();
      for (const edge of edgesOf(map)) {
        if (leadsOn(edge)) sources.set(edge.to, [...(sources.get(edge.to) ?? []), edge.from]);
      }
      const reached = new Set(
        [...map.vertices.values()].flatMap((it) => (isIn(it.snapshot, 'completed') ? it.key : [])),
      );
      // A set may be added to while it is iterated: what is found is looked at in its turn.
      for (const key of reached) for (const source of sources.get(key) ?? []) reached.add(source);
      return [...map.vertices.values()].flatMap(({ key, snapshot }) =>
        snapshot.status === 'active' && !reached.has(key) ? [key] : [],
      );
    },
  },

  everyWaitEnds: {
    name: 'every state that waits has a call, a timer, or a user who is asked',
    check: ({ machine }) =>
      statesOf(machine).flatMap((node) => {
        const isWaiting = node.type === 'atomic' && node.path[0] === 'active' && !isPassedThrough(node);
        const isAsking = node.tags.includes('parked') && people.some((type) => node.transitions.has(type));
        return !isWaiting || node.invoke.length > 0 || node.after.length > 0 || isAsking ? [] : [stateName(node)];
      }),
  },

  timersAreHeard: everyStep(
    'no timer goes off unheard',
    ({ event, before, after }) => !event.type.startsWith('xstate.after.') || before !== after,
  ),

  failingEndsInTime: {
    name: 'once the deadline has passed, calls that only fail do not go round for ever',
    check(map) {
      const isStuck = ({ context, status }: AssessmentSnapshot) => status === 'active' && context.overdue;
      const next = (key: string) =>
        (map.vertices.get(key)?.edges ?? []).flatMap((edge) =>
          isFailing(edge) && isStuck(edge.after) && !isParked(edge.after) ? [edge.to] : [],
        );
      const vertices = [...map.vertices.values()].filter((it) => isStuck(it.snapshot) && !isParked(it.snapshot));
      return circleIn(
        vertices.map(({ key }) => key),
        next,
      );
    },
  },

  completedByItsResult: everyStep(
    'an assessment is completed by a result that fits its schema, and by nothing else',
    (edge) => !isIn(edge.after, 'completed') || saidBy(edge) === 'fetchResult: ready',
  ),

  failedByAVerdict: everyStep(
    "only the API's own word fails an assessment: a confirmed failure, a refused submission, or results that stay unreadable",
    (edge) => {
      if (!isIn(edge.after, 'failed')) return true;
      switch (saidBy(edge)) {
        case 'submitAssessment: rejected':
          return true;
        case 'checkStatus: failed':
        case 'fetchResult: invalid':
          return isConfirmed(edge);
        default:
          return false;
      }
    },
  ),

  failureIsConfirmed: everyStep(
    'while a failure may be taken back, the user hears of a delay and the job is looked at again',
    (edge) => saidBy(edge) !== 'checkStatus: failed' || isConfirmed(edge) || isTimedOut(edge.after),
  ),

  failureReportIsChecked: everyStep(
    'a failure that the feed reports ends nothing, and where the assessment only waits, a call follows at once',
    (edge) => {
      if (edge.event.type !== 'job.failed' || !isHint(edge)) return true;
      const isWaiting = isIn(edge.before, 'active.ws-monitoring.listening', 'active.polling.waiting', resting);
      return edge.after.status === 'active' && (!isWaiting || callsIn(edge.after).length > 0);
    },
  ),

  persistentTroubleIsTold: everyStep(
    'the user hears of an answer that a retry hardly changes once it has ended patience, and the job is kept',
    (edge) =>
      !isPersistent(edge) ||
      edge.before.context.failures < PATIENCE - 1 ||
      (isTimedOut(edge.after) && edge.after.context.jobId === edge.before.context.jobId),
  ),

  longWaitIsTold: everyStep(
    'the user hears of it when the server asks for a wait of minutes before the submission',
    (edge) => saidBy(edge) !== 'submitAssessment: transient' || waitOf(edge) < LONG_WAIT_MS || isTimedOut(edge.after),
  ),

  putOffStaysTold: everyStep(
    'while the server asks for a wait of minutes, the wish to wait longer changes the deadline and neither the state nor the problem',
    (edge) => {
      const { before, after } = edge;
      const isPutOff = isTimedOut(before) && (before.context.retryAfterMs ?? 0) >= LONG_WAIT_MS;
      if (!isPutOff || edge.event.type !== 'assessment.keepWaiting') return true;
      return leafOf(before) === leafOf(after) && after.context.timedOut && !after.context.overdue;
    },
  ),

  recoveryIsTold: everyStep(
    'a job that runs within its deadline is not called delayed any more',
    (edge) => saidBy(edge) !== 'checkStatus: running' || edge.before.context.overdue || !edge.after.context.timedOut,
  ),

  cancelledByPeople: everyStep(
    'an assessment is cancelled by its user, or by another user who signs in',
    ({ event, after }) =>
      !isIn(after, 'cancelled') ||
      event.type === 'assessment.cancel' ||
      ('userId' in event && event.userId === ids.otherUser),
  ),

  noiseChangesNothing: everyStep(
    'what is foreign, late or untimely changes nothing',
    (edge) => !isNoise(edge) || isSame(edge.before, edge.after),
  ),

  twiceIsOnce: {
    name: 'what the world says twice counts once',
    check: (map) =>
      edgesOf(map).flatMap((edge) => {
        if (!worldEventTypes.includes(edge.event.type)) return [];
        const again = map.vertices.get(edge.to)?.edges.find(({ event }) => event === edge.event);
        return !again || again.to === edge.to ? [] : [`${describeEdge(edge)}, and again -> ${again.to}`];
      }),
  },

  contextFollows: everyStep(
    'what is known is what was learned, and nothing else',
    (edge) => JSON.stringify(edge.after.context) === JSON.stringify(learned(edge)),
  ),

  contextIsPlain: everyState('what is known can be serialised, and comes back the same', ({ context }) => {
    const text = JSON.stringify(context);
    return JSON.stringify(JSON.parse(text)) === text && isPlain(context);
  }),

  contextHoldsNoSecret: everyState('what is known holds nothing that looks like a token', ({ context }) =>
    isInnocent(context),
  ),

  deadlineLooksFirst: everyStep(
    'the user hears of a delay after a look at the job, after failures that ended patience, or when the server asks for a long wait',
    (edge) => {
      const { before, after } = edge;
      if (!isTimedOut(after) || before.context.timedOut) return true;
      const isLate = saidBy(edge) === 'checkStatus: running' || after.context.failures >= PATIENCE;
      const isUnconfirmed = saidBy(edge) === 'checkStatus: failed' && !isConfirmed(edge);
      const isUnreachable = isPersistent(edge) && after.context.failures >= PATIENCE;
      const isPutOff = saidBy(edge) === 'submitAssessment: transient' && waitOf(edge) >= LONG_WAIT_MS;
      return (before.context.overdue && isLate) || isUnconfirmed || isUnreachable || isPutOff;
    },
  ),

  patienceEnds: everyStep(
    'after the deadline, the failure that ends patience pauses the assessment, or its fruitless wait does',
    (edge) => {
      const { before, after } = edge;
      const isLast = before.context.overdue && before.context.failures >= PATIENCE - 1;
      const isWaitedOut =
        saidBy(edge) === 'after refreshDelay' && before.context.failures === PATIENCE && !before.context.refreshDue;
      const isOneTooMany = /: (defect|transient|wait|rejected)$/.test(saidBy(edge)) && isFailing(edge);
      return !(isLast && (isOneTooMany || isWaitedOut)) || isTimedOut(after);
    },
  ),

  nobodyHurries: everyStep(
    'a call that brought nothing is not made again at once',
    (edge) =>
      !(isFailing(edge) || saidBy(edge) === 'checkStatus: running') ||
      saidBy(edge).startsWith('after ') ||
      leafOf(edge.before) !== leafOf(edge.after),
  ),

  signInIsWaitedFor: everyStep(
    'neither a deadline nor a page that comes back moves a job that waits for a sign-in',
    ({ before, after, event }) =>
      !isIn(before, 'active.auth-failed') ||
      !(event.type === 'deadline.passed' || event.type === 'page.resumed') ||
      isIn(after, 'active.auth-failed'),
  ),

  noCallWhileARefreshIsDue: everyStep(
    'no call begins while a refresh is due',
    ({ before, after }) => !after.context.refreshDue || callsOf(after).length === 0 || leafOf(before) === leafOf(after),
  ),

  refreshOnlyWhenDue: everyStep(
    'no refresh begins unless one is due',
    ({ before, after }) => !isIn(after, requesting) || isIn(before, requesting) || after.context.refreshDue,
  ),

  progressGoesOn: everyStep(
    'progress never goes back',
    ({ before, after }) => before.context.progress.percent <= after.context.progress.percent,
  ),

  countersAreCapped: everyState(
    'failures are counted up to the end of patience',
    ({ context }) => context.failures >= 0 && context.failures <= PATIENCE,
  ),

  nothingBreaks: everyState('nothing that can happen breaks the machine', ({ status }) => status !== 'error'),
} satisfies Record<string, Rule>;

const requesting = 'active.refreshing-token.requesting';
const resting = 'active.timed-out.resting';
/** A wait that a user should know about, ms. */
const LONG_WAIT_MS = 60_000;
/** What a person answers when an assessment is paused. */
const people = ['assessment.keepWaiting', 'assessment.sendAgain', 'session.restored'];

function edgesOf(map: ModelMap): readonly Edge[] {
  const edges = edgesOfMaps.get(map) ?? [...map.vertices.values()].flatMap((vertex) => vertex.edges);
  edgesOfMaps.set(map, edges);
  return edges;
}
/** Collected once for all rules: there are two hundred thousand. */
const edgesOfMaps = new WeakMap<ModelMap, readonly Edge[]>();
const describeEdge = (edge: Edge): string => `${edge.from}  --  ${eventKey(edge.event)}  ->  ${stateOf(edge.after)}`;
const stateOf = (snapshot: AssessmentSnapshot): string => `${leafOf(snapshot)} ${JSON.stringify(snapshot.context)}`;

function snapshotOf({ vertices }: ModelMap, key: string): AssessmentSnapshot {
  const vertex = vertices.get(key);
  if (!vertex) throw new Error(`there is no state ${key}`);
  return vertex.snapshot;
}

const leafOf = ({ value }: AssessmentSnapshot): string => nameOf(value);
const isIn = (snapshot: AssessmentSnapshot, ...leaves: string[]): boolean => leaves.includes(leafOf(snapshot));
const isParked = (snapshot: AssessmentSnapshot): boolean => snapshot.hasTag('parked');
const isTimedOut = (snapshot: AssessmentSnapshot): boolean => leafOf(snapshot).startsWith('active.timed-out');
/** The calls in the air that carry a token. */
const callsOf = (snapshot: AssessmentSnapshot): string[] => callsIn(snapshot).filter((call) => call !== 'refreshToken');

const isOfCredentials = (edge: Edge): boolean =>
  /^(token|session)\.|^refreshToken: |: unauthorized$/.test(saidBy(edge));
const isFailing = (edge: Edge): boolean =>
  /^after |^(submitAssessment|checkStatus|fetchResult|refreshToken): (defect|transient|unconfirmed|invalid|unauthorized|wait|outage)$/.test(
    saidBy(edge),
  ) || /^(checkStatus|fetchResult): rejected$/.test(saidBy(edge));

/** What the outcome of a call brings along. */
const outcomeOf = ({ event }: Edge): Record<string, unknown> =>
  'output' in event ? (event.output as Record<string, unknown>) : {};
const isConfirmed = (edge: Edge): boolean => outcomeOf(edge)['isConfirmed'] !== false;
const isFinal = (edge: Edge): boolean => outcomeOf(edge)['isFinal'] === true;
const waitOf = (edge: Edge): number => Number(outcomeOf(edge)['retryAfterMs'] ?? 0);
/** The answer says that the job is hidden or unknown, or it cannot be read: a retry within the minute hardly changes it. */
const isPersistent = (edge: Edge): boolean =>
  isFailing(edge) &&
  ['forbidden', 'job-not-found', 'invalid-response'].includes(
    (outcomeOf(edge)['problem'] as { code: string } | undefined)?.code ?? '',
  ) &&
  !isLost(edge);
/** The answers may have arrived, and a repetition may start a second job. */
const isLost = (edge: Edge): boolean =>
  saidBy(edge) === 'submitAssessment: unconfirmed' && (!edge.before.context.idempotent || isFinal(edge));

/** Progress that needs no luck: no event of the feed, no page that comes back, no second thoughts. */
const leadsOn = (edge: Edge): boolean =>
  /^(after .*|\w+: \w+|deadline\.passed|assessment\.(submit|resume|keepWaiting|sendAgain)|session\.restored)$/.test(
    saidBy(edge),
  );

/** A job that is not ours, or is over, or is not known yet; a beginning of what has begun. */
function isNoise(edge: Edge): boolean {
  const { before, event } = edge;
  if (event.type === 'assessment.submit' || event.type === 'assessment.resume') return !isIn(before, 'idle');
  const { jobId, finished } = before.context;
  if (event.type === 'submission.known') return jobId !== null;
  if (!('jobId' in event) || !event.type.startsWith('job.')) return false;
  // An end without a job id may be of this job, whatever its result: it is a hint, and no noise.
  const isEnd = event.type === 'job.completed' || event.type === 'job.failed';
  const isForeign = event.jobId !== null ? event.jobId !== jobId : !isEnd && !isAboutOurJob(edge);
  return isForeign || finished || jobId === null;
}

const isSame = (a: AssessmentSnapshot, b: AssessmentSnapshot): boolean =>
  a === b || (leafOf(a) === leafOf(b) && JSON.stringify(a.context) === JSON.stringify(b.context));

/** Numbers, texts, truth values, null, and plain objects of them. */
const isPlain = (it: unknown): boolean =>
  it === null ||
  ['string', 'boolean'].includes(typeof it) ||
  Number.isFinite(it) ||
  (typeof it === 'object' &&
    (Array.isArray(it) || Object.getPrototypeOf(it) === Object.prototype) &&
    Object.values(it).every(isPlain));

/** No name of a secret, no JSON Web Token, no long text without a blank. */
const isInnocent = (it: unknown): boolean =>
  typeof it === 'string'
    ? !/^eyJ|\S{40,}/.test(it)
    : typeof it !== 'object' ||
      it === null ||
      Object.entries(it).every(
        ([key, value]) => !/token|secret|passw|bearer|cookie|authori[sz]ation/i.test(key) && isInnocent(value),
      );

/** The first circle among these states, in a line; nothing if there is none. */
function circleIn(keys: readonly string[], next: (key: string) => readonly string[]): string[] {
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (key: string): string[] => {
    if (way.includes(key)) return [`${way.slice(way.indexOf(key)).join('\n  -> ')}\n  -> ${key}`];
    if (done.has(key)) return [];
    way.push(key);
    for (const following of next(key)) {
      const found = visit(following);
      if (found.length > 0) return found;
    }
    way.pop();
    done.add(key);
    return [];
  };
  for (const key of keys) {
    const found = visit(key);
    if (found.length > 0) return found;
  }
  return [];
}
