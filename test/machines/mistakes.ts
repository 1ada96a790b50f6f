import type { AssessmentMachine, modelInputs } from 'assessment-monitor/testing';
import { assign } from 'xstate';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';
import { PATIENCE } from '../../src/machines/assessment-setup.ts';
import { breakMachine } from '../support/broken-machine.ts';
import type { rules } from './rules.ts';

/*
 * A mistake for each rule, of the kind that an author could make while changing the chart. A rule that does not notice its own
 * mistake would not notice others.
 */

interface Mistake {
  readonly what: string;
  readonly machine: () => AssessmentMachine;
  /** How the assessment begins that meets the mistake. Default `a resumed job`. */
  readonly start?: keyof typeof modelInputs;
  /** The mistake only shows when failures are counted. */
  readonly counts?: true;
}

const provide = (implementations: Parameters<typeof assessmentMachine.provide>[0]) => () =>
  assessmentMachine.provide(implementations) as AssessmentMachine;
/** The answer that an event brings, or what it says itself. */
const answerIn = (event: object) => ('output' in event ? event.output : event) as Record<string, unknown>;
const spoil = (how: Parameters<typeof breakMachine>[0]) => () => breakMachine(how);

export const mistakes: Record<keyof typeof rules, Mistake> = {
  credentialsNeverFail: {
    what: 'a refused refresh fails the assessment',
    machine: spoil((state) => {
      for (const outcome of state('active.refreshing-token.requesting').invoke.onDone) {
        if (outcome.target === '#assessment.active.auth-failed') outcome.target = '#assessment.failed';
      }
    }),
  },
  parkedKeepsItsJob: {
    what: 'the job is forgotten when a sign-in is needed',
    machine: provide({ actions: { noteSignInNeeded: assign({ jobId: null }) } }),
  },
  jobIdIsForGood: {
    what: 'progress of any job is taken for ours',
    machine: provide({
      guards: { isOurJob: () => true },
      actions: { noteProgress: assign(({ event }) => ('jobId' in event ? { jobId: event.jobId } : {})) },
    }),
  },
  acceptedOnce: {
    what: 'a job that is there is submitted all the same',
    machine: provide({ guards: { hasNoJob: () => true } }),
  },
  onlyTheUserRepeats: {
    what: 'a submission whose answer was lost is repeated without a key',
    start: 'a fresh assessment on a server that does not recognise repeats',
    machine: provide({ guards: { isUnrepeatable: () => false } }),
  },
  resultStaysInReach: {
    what: 'a sign-in is noted, and no assessment continues',
    machine: spoil((state) => {
      delete state('active.auth-failed').on['session.restored'];
      delete state('active.auth-failed').on['token.renewed'];
    }),
  },
  everyWaitEnds: {
    what: 'a poll is waited for without a timer',
    machine: spoil((state) => {
      state('active.polling.waiting').after = {};
    }),
  },
  timersAreHeard: {
    what: 'the timer of a poll does nothing unless the feed is live',
    machine: spoil((state) => {
      state('active.polling.waiting').after = { pollDelay: { guard: 'isFeedLive', target: 'checking' } };
    }),
  },
  failingEndsInTime: {
    what: 'patience has no end',
    counts: true,
    machine: provide({ guards: { isGivingUp: () => false, isOutOfPatience: () => false } }),
  },
  completedByItsResult: {
    what: 'an event of the feed completes the assessment',
    machine: spoil((state) => {
      state('active').on['job.completed'] = { target: 'completed' };
    }),
  },
  failedByAVerdict: {
    what: 'a refused status call is taken for a verdict',
    machine: spoil((state) => {
      state('active.polling.checking').invoke.onDone.unshift({ guard: 'isRejected', target: '#assessment.failed' });
    }),
  },
  failureIsConfirmed: {
    what: 'the first failure is believed',
    machine: provide({ guards: { isFailedForGood: ({ event }) => answerIn(event)['type'] === 'failed' } }),
  },
  failureReportIsChecked: {
    what: 'a failure that the feed reports is only noted',
    machine: spoil((state) => {
      delete state('active.polling.waiting').on['job.failed'];
    }),
  },
  persistentTroubleIsTold: {
    what: 'a server that has forgotten the job is asked for ever, without a word to the user',
    counts: true,
    machine: provide({ guards: { isPersistent: () => false } }),
  },
  longWaitIsTold: {
    what: 'a wait of an hour is waited for without a word to the user',
    start: 'a fresh assessment',
    machine: provide({ guards: { isLongWait: () => false } }),
  },
  putOffStaysTold: {
    what: 'the wish to wait longer hides that the server has asked for an hour',
    start: 'a fresh assessment',
    machine: provide({ guards: { isPutOff: () => false } }),
  },
  recoveryIsTold: {
    what: 'a failure that was taken back leaves the assessment delayed',
    machine: spoil((state) => {
      for (const outcome of state('active.timed-out.checking').invoke.onDone) {
        if (outcome.guard === 'isRunning') outcome.target = 'resting';
        if (outcome.guard === 'isRunning') outcome.actions = 'noteProgress';
      }
    }),
  },
  cancelledByPeople: {
    what: 'the end of a session cancels the assessment',
    machine: spoil((state) => {
      state('active').on['session.ended'] = { target: 'cancelled' };
    }),
  },
  noiseChangesNothing: {
    what: 'every job is taken for ours',
    machine: provide({ guards: { isOurJob: () => true } }),
  },
  twiceIsOnce: {
    what: 'a feed that is announced again is taken for lost',
    machine: provide({ actions: { noteFeedLive: assign(({ context }) => ({ feedLive: !context.feedLive })) } }),
  },
  contextFollows: {
    what: 'a deadline that was put off is kept',
    machine: provide({
      actions: {
        extendDeadline: assign(({ event }) => ({
          ...('deadlineAt' in event ? { deadlineAt: event.deadlineAt } : {}),
          timedOut: false,
          problem: null,
        })),
      },
    }),
  },
  contextIsPlain: {
    what: 'a problem is kept as an error object',
    machine: provide({
      actions: {
        noteFailure: assign(() => ({ problem: Object.assign(new Error('no network'), { code: 'network' as const }) })),
      },
    }),
  },
  contextHoldsNoSecret: {
    what: 'a token is kept as the name of its user',
    machine: provide({ actions: { noteUser: assign({ userId: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.unsigned' }) } }),
  },
  deadlineLooksFirst: {
    what: 'the user hears of the deadline before the job is looked at',
    machine: spoil((state) => {
      state('active.polling.waiting').on['deadline.passed'] = {
        actions: 'noteOverdue',
        target: '#assessment.active.timed-out',
      };
    }),
  },
  patienceEnds: {
    what: 'patience lasts one failure longer',
    counts: true,
    machine: provide({
      guards: { isGivingUp: ({ context }) => context.timedOut || (context.overdue && context.failures >= PATIENCE) },
    }),
  },
  nobodyHurries: {
    what: 'a live feed is no reason to listen',
    machine: provide({
      guards: { canListenNoMore: ({ context }) => context.feedLive && !context.unhurried },
    }),
  },
  signInIsWaitedFor: {
    what: 'a page that comes back leaves the sign-in',
    machine: spoil((state) => {
      state('active.auth-failed').on['page.resumed'] = { target: 'deciding' };
    }),
  },
  noCallWhileARefreshIsDue: {
    what: 'polling continues with a token that expires',
    machine: provide({ guards: { canPollNoMore: ({ context }) => context.feedLive } }),
  },
  refreshOnlyWhenDue: {
    what: 'a page that comes back asks for a token, whatever is left of the old one',
    machine: spoil((state) => {
      state('active.polling.waiting').on['page.resumed'] = { target: '#assessment.active.refreshing-token' };
    }),
  },
  progressGoesOn: {
    what: 'progress is whatever was said last',
    machine: provide({
      actions: {
        noteProgress: assign(({ context, event }) => ({
          progress: { ...context.progress, percent: Number(answerIn(event)['percent'] ?? 0) },
        })),
      },
    }),
  },
  countersAreCapped: {
    what: 'failures are counted past the end of patience',
    counts: true,
    machine: provide({
      actions: { noteFailure: assign(({ context }) => ({ failures: Math.min(6, context.failures + 1) })) },
    }),
  },
  nothingBreaks: {
    what: 'a defect is not expected',
    machine: spoil((state) => {
      delete state('active.polling.checking').invoke.onError;
    }),
  },
};
