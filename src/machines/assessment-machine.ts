import { outcomeIn } from './assessment-events.ts';
import { type AssessmentOutput, assessmentSetup, jobOf } from './assessment-setup.ts';

/*
 * The life of an assessment.
 *
 * The token's life and the job's life are independent. The chart follows from that:
 *
 * - Events record facts, waiting states watch the facts, and `deciding` alone routes by them: a start, a return from a refresh
 *   or a sign-in, a reload and a wake from sleep all take the same way.
 * - Auth problems pause a job; they never fail it.
 * - The feed belongs to `active`: neither a token refresh nor a fallback to polling closes it.
 * - A call in flight ends before the chart decides anything else; only waits are interrupted.
 *
 * `Ignores` in a state's description names each event that can arrive there and changes nothing, and says why.
 */

const DECIDING = '#assessment.active.deciding';
const FAILED = '#assessment.failed';
const TIMED_OUT = '#assessment.active.timed-out';

/** What every call but a refresh can meet: a refused token, which ends nothing. */
const refused = { guard: 'isUnauthorized', actions: 'noteRefused', target: DECIDING } as const;

/** A failure that time can heal, or a defect. Both are tried again, up to the chart's patience. */
const failing = <Again extends string>(again: Again) =>
  [
    { guard: 'isGivingUp', actions: 'noteFailure', target: TIMED_OUT },
    { actions: 'noteFailure', target: again },
  ] as const;

/**
 * A failed call, or a refusal that is not about the job. When the same answer keeps coming, the user reads so, and status calls continue
 * at a low rate.
 */
const refusing = <Again extends string>(again: Again) =>
  [{ guard: 'isPersistent', actions: 'noteFailure', target: TIMED_OUT }, ...failing(again)] as const;

/** The answers of a status call that end the monitoring. */
const verdicts = [
  { guard: 'isCompleted', actions: 'noteFinished', target: DECIDING },
  { guard: 'isFailedForGood', actions: 'noteProblem', target: FAILED },
  // A worker may take the failure back: the status is asked for again, and the view says so.
  { guard: 'isFailed', actions: 'noteProblem', target: TIMED_OUT },
  refused,
] as const;

/** Every answer of a status call, for a job that is being monitored. */
const afterStatus = <StillRunning extends string>(stillRunning: StillRunning) =>
  [
    ...verdicts,
    { guard: 'isRunningLate', actions: 'noteProgress', target: TIMED_OUT },
    { guard: 'isRunning', actions: 'noteProgress', target: stillRunning },
    ...refusing(stillRunning),
  ] as const;

/** Submits an assessment, watches it, keeps its token fresh and fetches its result. */
export const assessmentMachine = assessmentSetup.createMachine({
  id: 'assessment',
  // A chart that decides in circles is a defect: it becomes an error instead of a frozen page.
  options: { maxIterations: 100 },
  context: ({ input }) => ({
    submissionId: input.submissionId,
    idempotent: input.idempotent ?? true,
    userId: input.userId ?? null,
    jobId: input.jobId ?? null,
    resultId: input.resultId ?? null,
    deadlineAt: input.deadlineAt,
    progress: input.progress ?? { status: 'queued', percent: 0, queuePosition: null },
    refreshDue: input.refreshDue ?? false,
    refusedGeneration: null,
    feedLive: false,
    finished: input.finished ?? false,
    overdue: input.overdue ?? false,
    timedOut: input.delay != null,
    outcomeUnknown: input.outcomeUnknown ?? false,
    hinted: false,
    unhurried: false,
    failures: 0,
    retryAfterMs: null,
    problem: input.delay ?? null,
  }),
  output: ({ event }) => (event as { output?: unknown }).output as AssessmentOutput,
  initial: 'idle',
  states: {
    idle: {
      description:
        "Nothing has been submitted. Nothing is invoked here, so only the user's events can arrive. Ignores " +
        '`assessment.keepWaiting` and `assessment.sendAgain`: they answer questions that have not been asked.',
      on: {
        'assessment.submit': { target: 'active' },
        'assessment.resume': { target: 'active' },
        'assessment.cancel': { target: 'cancelled' },
      },
    },

    active: {
      description:
        'The assessment is under way. The feed, the token and the page are watched throughout. Ignores ' +
        '`assessment.submit` and `assessment.resume`: the assessment has begun, and nothing is submitted twice. ' +
        'Ignores `assessment.keepWaiting` and `assessment.sendAgain`: they answer questions that only some states ' +
        'ask. Ignores `job.progressed`, `job.completed` and `job.failed` of other jobs, of finished jobs, and ' +
        'before the job is known: a status call follows every subscription and every acceptance.',
      entry: 'armDeadline',
      exit: 'disarmDeadline',
      invoke: [
        {
          id: 'jobFeed',
          src: 'jobFeed',
          input: ({ context }) => ({ submissionId: context.submissionId }),
          // A feed that ends or breaks counts as lost: polling takes over.
          onDone: { actions: ['noteFeedLost', 'tellFeed'] },
          onError: { actions: ['noteFeedLost', 'tellFeed'] },
        },
        // Without these two the answers of the server carry the same facts, only later.
        { id: 'tokenWatch', src: 'tokenWatch', onDone: {}, onError: {} },
        { id: 'pageSignals', src: 'pageSignals', onDone: {}, onError: {} },
      ],
      on: {
        'assessment.cancel': { target: 'cancelled' },

        'feed.live': { actions: ['noteFeedLive', 'tellFeed'] },
        'feed.lost': { actions: ['noteFeedLost', 'tellFeed'] },
        'job.progressed': { guard: 'isOurJob', actions: 'noteProgress' },
        'job.completed': [
          { guard: 'isOurJob', actions: 'noteFinished', target: '.deciding' },
          { guard: 'isHint', actions: 'noteHint' },
        ],
        'job.failed': { guard: 'isFailureReport', actions: 'noteHint' },
        'submission.known': { guard: 'hasNoJob', actions: 'noteKnown', target: '.deciding' },
        'balance.changed': { actions: 'tellBalance' },

        'token.expiring': { actions: 'noteRefreshDue' },
        'token.recovered': { actions: 'noteTrusted' },
        'token.renewed': [
          { guard: 'isAnotherUser', target: 'cancelled' },
          { actions: ['noteTokenGood', 'noteUser', 'tellRefreshed'] },
        ],
        'session.ended': { target: '.auth-failed' },
        'session.restored': [
          { guard: 'isAnotherUser', target: 'cancelled' },
          { actions: ['noteTokenGood', 'noteUser'] },
        ],

        'page.resumed': { actions: ['armDeadline', 'hurry'] },
        // Only recorded here: one more status call comes before the assessment pauses.
        'deadline.passed': { actions: 'noteOverdue' },
        'deadline.moved': { actions: ['moveDeadline', 'armDeadline'] },
      },
      initial: 'deciding',
      states: {
        deciding: {
          description: 'Routes by the facts. It is left at once, so no event can arrive here.',
          always: [
            { guard: 'isRefreshDue', target: 'refreshing-token' },
            { guard: 'isFinished', target: 'fetching-result' },
            { guard: 'isTimedOut', target: 'timed-out.looking' },
            { guard: 'hasNoJob', target: 'submitting' },
            { guard: 'isFeedBack', target: 'ws-monitoring.listening' },
            { guard: 'isFeedLive', target: 'ws-monitoring' },
            { guard: 'isUnhurried', target: 'polling.waiting' },
            { target: 'polling' },
          ],
        },

        submitting: {
          description: 'Sends the answers, under one idempotency key for all attempts.',
          on: {
            'assessment.keepWaiting': { guard: 'isTimedOut', actions: ['extendDeadline', 'armDeadline'] },
          },
          initial: 'sending',
          states: {
            sending: {
              description:
                'One call. A token event never aborts it: whether the server has the answers must not become ' +
                'unknown. After a lost answer it first finds out whether the answers arrived.',
              tags: 'busy',
              invoke: {
                id: 'submitAssessment',
                src: 'submitAssessment',
                input: ({ context }) => ({ submissionId: context.submissionId, isSearch: context.outcomeUnknown }),
                onDone: [
                  { guard: 'isAccepted', actions: ['noteAccepted', 'armDeadline', 'tellBalance'], target: DECIDING },
                  refused,
                  { guard: 'isRejected', actions: 'noteProblem', target: FAILED },
                  { guard: 'isUnrepeatable', actions: ['noteOutcomeUnknown', 'noteProblem'], target: 'unconfirmed' },
                  { guard: 'isLongWait', actions: 'noteFailure', target: TIMED_OUT },
                  ...refusing('waiting'),
                ],
                onError: failing('waiting'),
              },
              on: {
                'session.ended': { actions: 'noteRefreshDue' },
              },
            },
            waiting: {
              description:
                'The server did not take the submission, or will recognise a repetition: the next attempt follows ' +
                'soon.',
              tags: 'busy',
              always: { guard: 'isRefreshDue', target: DECIDING },
              after: { retryDelay: { target: 'sending' } },
              on: {
                'page.resumed': { actions: 'armDeadline', target: 'sending' },
              },
            },
            unconfirmed: {
              description:
                'The answers were sent, the reply was lost, and the server would not recognise a repetition: only ' +
                'the user may send them again. Ignores `deadline.passed` except for recording it: the question to ' +
                'the user has no deadline.',
              tags: 'parked',
              on: {
                'assessment.sendAgain': { actions: 'noteSendAgain', target: DECIDING },
              },
            },
          },
        },

        'ws-monitoring': {
          description: 'The feed is live and reports the end of the job; a status call now and then makes sure of it.',
          tags: 'monitoring',
          initial: 'reconciling',
          states: {
            reconciling: {
              description: 'One status call, which covers everything that happened before the feed was live.',
              invoke: {
                id: 'checkStatus',
                src: 'checkStatus',
                input: jobOf,
                onDone: [
                  { guard: 'isDoubtful', actions: 'noteDoubt', target: 'listening' },
                  ...afterStatus('listening'),
                ],
                onError: failing('listening'),
              },
            },
            listening: {
              description:
                'Waits for an event of the feed. A server that drops every feed, or refuses every token, affects ' +
                'all clients at once, so the next call is spread over time.',
              always: { guard: 'canListenNoMore', target: DECIDING },
              after: {
                heartbeat: [
                  { guard: 'isInDoubt', actions: ['noteLook', 'noteRefreshDue'], target: DECIDING },
                  { actions: 'noteLook', target: 'reconciling' },
                ],
              },
              on: {
                'feed.lost': { actions: ['noteFeedLost', 'noteUnhurried', 'tellFeed'] },
                'token.recovered': { guard: 'isInDoubt', actions: ['noteTrusted', 'noteLook'], target: 'reconciling' },
                'job.progressed': { guard: 'isUnmeasuredStart', actions: 'noteProgress', target: 'reconciling' },
                'job.completed': { guard: 'isHint', actions: 'noteHint', target: 'reconciling' },
                'job.failed': { guard: 'isFailureReport', actions: 'noteHint', target: 'reconciling' },
                'page.resumed': { actions: ['armDeadline', 'hurry'], target: 'reconciling' },
                'deadline.passed': { actions: 'noteOverdue', target: 'reconciling' },
              },
            },
          },
        },

        polling: {
          description: 'There is no feed: status calls, frequent at first and less frequent later.',
          tags: 'monitoring',
          initial: 'checking',
          states: {
            checking: {
              invoke: {
                id: 'checkStatus',
                src: 'checkStatus',
                input: jobOf,
                onDone: afterStatus('waiting'),
                onError: failing('waiting'),
              },
            },
            waiting: {
              always: { guard: 'canPollNoMore', target: DECIDING },
              after: {
                // The token was refused while the feed was live; now only a call can report the job.
                pollDelay: [
                  { guard: 'isInDoubt', actions: 'noteRefreshDue', target: DECIDING },
                  { target: 'checking' },
                ],
              },
              on: {
                'token.recovered': { guard: 'isInDoubt', actions: 'noteTrusted', target: 'checking' },
                'job.completed': { guard: 'isHint', target: 'checking' },
                'job.failed': { guard: 'isFailureReport', target: 'checking' },
                'page.resumed': { actions: ['armDeadline', 'hurry'], target: 'checking' },
                'deadline.passed': { actions: 'noteOverdue', target: 'checking' },
              },
            },
          },
        },

        'refreshing-token': {
          description: 'The token is renewed. The job and the feed are not affected.',
          initial: 'requesting',
          states: {
            requesting: {
              description:
                'One attempt, shared by every part of the client that needs the same token. Leaving this state ' +
                'does not abort it.',
              tags: 'busy',
              invoke: {
                id: 'refreshToken',
                src: 'refreshToken',
                input: ({ context }) => ({
                  refusedGeneration: context.refusedGeneration,
                  isUrgent: context.finished,
                }),
                onDone: [
                  { guard: 'isRenewed', actions: ['noteTokenGood', 'tellRefreshed'], target: DECIDING },
                  { guard: 'isStillGood', actions: 'noteTokenGood', target: DECIDING },
                  { guard: 'isRejected', target: '#assessment.active.auth-failed' },
                  { guard: 'isOutage', actions: ['noteTokenGood', 'noteFailure'], target: 'waiting' },
                  ...failing('waiting'),
                ],
                onError: failing('waiting'),
              },
            },
            waiting: {
              description:
                'It is too early for the next attempt, or the token verifier is down. The session is kept. The first ' +
                'sign of the end of an outage ends the wait.',
              tags: 'busy',
              after: {
                refreshDelay: [
                  { guard: 'isRefreshDue', target: 'requesting' },
                  { guard: 'isOutOfPatience', target: TIMED_OUT },
                  { target: DECIDING },
                ],
              },
              on: {
                'token.recovered': [
                  { guard: 'isRefreshDue', actions: 'noteRecovered', target: 'requesting' },
                  { actions: ['noteTrusted', 'noteRecovered'], target: DECIDING },
                ],
                // A result that waits is worth a look at once, and more frequent looks after it.
                'job.completed': [
                  { guard: 'isOurJobDelayed', actions: 'noteFinished', target: 'requesting' },
                  { guard: 'isOurJob', actions: 'noteFinished' },
                ],
                'page.resumed': [
                  { guard: 'isRefreshDue', actions: ['armDeadline', 'hurry'], target: 'requesting' },
                  { actions: ['armDeadline', 'hurry'], target: DECIDING },
                ],
              },
            },
          },
          on: {
            'job.completed': { guard: 'isOurJob', actions: 'noteFinished' },
            'submission.known': { guard: 'hasNoJob', actions: 'noteKnown' },
            'token.renewed': {
              guard: 'isSameUser',
              actions: ['noteTokenGood', 'noteUser', 'tellRefreshed'],
              target: 'deciding',
            },
            'session.restored': { guard: 'isSameUser', actions: ['noteTokenGood', 'noteUser'], target: 'deciding' },
          },
        },

        'fetching-result': {
          description:
            'The server has finished the job. The assessment completes when the result has arrived and fits its ' +
            'schema.',
          initial: 'requesting',
          states: {
            requesting: {
              tags: 'busy',
              invoke: {
                id: 'fetchResult',
                src: 'fetchResult',
                input: jobOf,
                onDone: [
                  { guard: 'isReady', target: '#assessment.completed' },
                  refused,
                  { guard: 'isInvalidForGood', actions: 'noteProblem', target: FAILED },
                  ...refusing('waiting'),
                ],
                onError: failing('waiting'),
              },
            },
            waiting: {
              tags: 'busy',
              always: { guard: 'isRefreshDue', target: DECIDING },
              after: { retryDelay: { target: 'requesting' } },
              on: {
                'page.resumed': { actions: 'armDeadline', target: 'requesting' },
              },
            },
          },
        },

        'auth-failed': {
          description:
            'Paused until the next sign-in; the job continues on the server. Ignores `session.ended`: the session ' +
            'has ended already. Ignores `page.resumed` and `deadline.passed` except for recording them: neither ' +
            'moves a job that waits for a sign-in.',
          tags: ['parked', 'needs-sign-in'],
          entry: 'noteSignInNeeded',
          on: {
            'job.completed': { guard: 'isOurJob', actions: 'noteFinished' },
            'submission.known': { guard: 'hasNoJob', actions: 'noteKnown' },
            'session.restored': {
              guard: 'isSameUser',
              actions: ['noteTokenGood', 'lookAgain', 'noteUser'],
              target: 'deciding',
            },
            'token.renewed': {
              guard: 'isSameUser',
              actions: ['noteTokenGood', 'lookAgain', 'noteUser', 'tellRefreshed'],
              target: 'deciding',
            },
            'session.ended': {},
          },
        },

        'timed-out': {
          description:
            'The assessment takes longer than expected, cannot be reached, or may have failed; the view says so. ' +
            'Status calls continue at a low rate, so a job that ends late ends well.',
          tags: 'parked',
          entry: 'noteTimedOut',
          initial: 'resting',
          states: {
            resting: {
              after: { slowCheck: { target: 'looking' } },
              on: {
                'page.resumed': { actions: 'armDeadline', target: 'looking' },
                'job.progressed': { guard: 'isOurJob', actions: 'noteProgress', target: 'looking' },
                'job.completed': { guard: 'isHint', target: 'looking' },
                'job.failed': { guard: 'isFailureReport', target: 'looking' },
              },
            },
            looking: {
              description: 'Chooses what to check. It is left at once, so no event can arrive here.',
              always: [
                { guard: 'isReadyToDecide', target: DECIDING },
                { guard: 'hasJob', target: 'checking' },
                // The submission never got through. The user has not cancelled, and the key prevents a second job.
                { target: '#assessment.active.submitting' },
              ],
            },
            checking: {
              invoke: {
                id: 'checkStatus',
                src: 'checkStatus',
                input: jobOf,
                onDone: [
                  ...verdicts,
                  { guard: 'isRunningLate', actions: 'noteProgress', target: 'resting' },
                  { guard: 'isRunning', actions: ['noteProgress', 'noteInTime'], target: DECIDING },
                  { actions: 'noteFailure', target: 'resting' },
                ],
                onError: { actions: 'noteFailure', target: 'resting' },
              },
            },
          },
          on: {
            'assessment.keepWaiting': [
              // An attempt before that time would be put off again: the view keeps saying when the next one follows.
              { guard: 'isPutOff', actions: ['postponeDeadline', 'armDeadline'] },
              { actions: ['extendDeadline', 'armDeadline'], target: 'deciding' },
            ],
            'deadline.moved': [
              { guard: 'isPutOff', actions: ['moveDeadline', 'armDeadline'] },
              { actions: ['moveDeadline', 'lookAgain', 'armDeadline'], target: 'deciding' },
            ],
          },
        },
      },
    },

    completed: {
      description: 'The result has arrived. It leaves with the output of the machine and is not kept in the context.',
      type: 'final',
      entry: { type: 'tellSettled', params: { outcome: 'completed' } },
      output: ({ context, event }): AssessmentOutput => {
        const outcome = outcomeIn(event);
        return {
          outcome: 'completed',
          jobId: context.jobId,
          result: outcome?.type === 'ready' ? outcome.result : undefined,
        };
      },
    },
    failed: {
      description: 'The assessment cannot succeed. A token never leads here.',
      type: 'final',
      entry: { type: 'tellSettled', params: { outcome: 'failed' } },
      output: ({ context }): AssessmentOutput => ({
        outcome: 'failed',
        jobId: context.jobId,
        problem: context.problem ?? { code: 'unexpected', message: 'failed without a reason' },
      }),
    },
    cancelled: {
      description: 'The user has cancelled the assessment, or another user has signed in.',
      type: 'final',
      entry: { type: 'tellSettled', params: { outcome: 'cancelled' } },
      output: ({ context, event }): AssessmentOutput => ({
        outcome: 'cancelled',
        jobId: context.jobId,
        reason: event.type.startsWith('assessment.') ? 'cancelled' : 'another-user',
      }),
    },
  },
});
