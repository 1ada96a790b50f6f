import { assessmentSetup, jobOf, type AssessmentOutput } from './assessment-setup.ts';

/*
 * The life of an assessment.
 *
 * The token's life and the job's life are independent; this chart is what follows from taking that seriously:
 *
 * - Events record facts. Waiting states watch the facts. `deciding` routes by them, and it is the only place that does, so that
 *   a start, a return from a refresh or a sign-in, a reload and a wake from sleep are one and the same thing.
 * - Trouble with credentials parks a job and never fails it.
 * - The feed belongs to `active`: refreshing a token or falling back to polling never closes it.
 * - A call in flight is answered before anything else is decided; only what waits is interrupted.
 *
 * `Ignores` in a state's comment names each event that can arrive there and changes nothing, and says why.
 */

const DECIDING = '#assessment.active.deciding';
const FAILED = '#assessment.failed';
const TIMED_OUT = '#assessment.active.timed-out';

/** What any call but a refresh may come to: a token that was refused, which is no end, and a refusal for good. */
const refusals = [
  { guard: 'isUnauthorized', actions: 'noteRefused', target: DECIDING },
  { guard: 'isRejected', actions: 'noteProblem', target: FAILED },
] as const;

/** Time can heal it. What throws is a defect; it is tried again as well, and neither goes on for ever. */
const failing = <Again extends string>(again: Again) =>
  [
    { guard: 'isGivingUp', actions: 'noteFailure', target: TIMED_OUT },
    { actions: 'noteFailure', target: again },
  ] as const;

/** What ends the watching, whoever asked for the status. */
const verdicts = [
  { guard: 'isCompleted', actions: 'noteFinished', target: DECIDING },
  { guard: 'isFailed', actions: 'noteProblem', target: FAILED },
  ...refusals,
] as const;

/** What a status call means for an assessment that is being watched. The usual answer comes first: it is looked for at every poll. */
const afterStatus = <StillRunning extends string>(stillRunning: StillRunning) =>
  [
    { guard: 'isRunningLate', actions: 'noteProgress', target: TIMED_OUT },
    { guard: 'isRunning', actions: 'noteProgress', target: stillRunning },
    ...verdicts,
    ...failing(stillRunning),
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
    progress: { status: 'queued', percent: 0, queuePosition: null },
    refreshDue: input.refreshDue ?? false,
    refusedGeneration: null,
    feedLive: false,
    finished: false,
    overdue: false,
    timedOut: false,
    outcomeUnknown: input.outcomeUnknown ?? false,
    hinted: false,
    unhurried: false,
    failures: 0,
    retryAfterMs: null,
    problem: null,
  }),
  output: ({ event }) => (event as { output?: unknown }).output as AssessmentOutput,
  initial: 'idle',
  states: {
    /**
     * Nothing was submitted yet. Nothing is invoked here, so only the user is heard.
     * Ignores `assessment.keepWaiting` and `assessment.sendAgain`: nobody has asked yet.
     */
    idle: {
      on: {
        'assessment.submit': { target: 'active' },
        'assessment.resume': { target: 'active' },
        'assessment.cancel': { target: 'cancelled' },
      },
    },

    /**
     * The user waits for an assessment. The feed, the token and the page are watched all the time.
     * Ignores `assessment.submit` and `assessment.resume`: it has begun, and nothing is submitted twice.
     * Ignores `assessment.keepWaiting` and `assessment.sendAgain`: they answer questions that only some states ask.
     * Ignores `job.progressed`, `job.completed` and `job.failed` of other jobs, of finished ones, and before the job is known: a
     * status call follows every subscription and every acceptance.
     */
    active: {
      entry: 'armDeadline',
      exit: 'disarmDeadline',
      invoke: [
        {
          id: 'jobFeed',
          src: 'jobFeed',
          // A feed that ends or breaks is a feed that is lost: polling takes over.
          onDone: { actions: ['noteFeedLost', 'tellFeed'] },
          onError: { actions: ['noteFeedLost', 'tellFeed'] },
        },
        // Without these two the answers of the server still tell everything, only later.
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
        'job.failed': [
          { guard: 'isOurJob', actions: 'noteJobFailed', target: 'failed' },
          { guard: 'isHint', actions: 'noteHint' },
        ],
        'balance.changed': { actions: 'tellBalance' },

        'token.expiring': { actions: 'noteRefreshDue' },
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
        // Noted; the states below decide when it is acted upon, because nobody is parked before one more look at the job.
        'deadline.passed': { actions: 'noteOverdue' },
      },
      initial: 'deciding',
      states: {
        /** Where does this assessment stand? Passed through in no time; no event can arrive here. */
        deciding: {
          always: [
            { guard: 'isRefreshDue', target: 'refreshing-token' },
            { guard: 'isFinished', target: 'fetching-result' },
            { guard: 'isTimedOut', target: 'timed-out.looking' },
            { guard: 'isOutcomeUnknown', target: 'submitting.unconfirmed' },
            { guard: 'hasNoJob', target: 'submitting' },
            { guard: 'isFeedBack', target: 'ws-monitoring.listening' },
            { guard: 'isFeedLive', target: 'ws-monitoring' },
            { guard: 'isUnhurried', target: 'polling.waiting' },
            { target: 'polling' },
          ],
        },

        /** The answers are on their way, under one idempotency key however often they are sent. */
        submitting: {
          initial: 'sending',
          states: {
            /** One call. It is never broken off for a token: whether the server has the answers must not become unknown. */
            sending: {
              tags: 'busy',
              invoke: {
                id: 'submitAssessment',
                src: 'submitAssessment',
                input: ({ context }) => ({ submissionId: context.submissionId }),
                onDone: [
                  { guard: 'isAccepted', actions: ['noteAccepted', 'armDeadline', 'tellBalance'], target: DECIDING },
                  ...refusals,
                  { guard: 'isUnrepeatable', actions: ['noteOutcomeUnknown', 'noteProblem'], target: 'unconfirmed' },
                  ...failing('waiting'),
                ],
                onError: failing('waiting'),
              },
              on: {
                'session.ended': { actions: 'noteRefreshDue' },
              },
            },
            /** The server did not take it, or will recognise it: it is sent again shortly. */
            waiting: {
              tags: 'busy',
              always: { guard: 'isRefreshDue', target: DECIDING },
              after: { retryDelay: { target: 'sending' } },
              on: {
                'page.resumed': { actions: 'armDeadline', target: 'sending' },
              },
            },
            /**
             * The answers were sent, the reply was lost, and the server would not recognise them: only the user may send them
             * again.
             * Ignores `deadline.passed` but for the note: a question to the user has no deadline.
             */
            unconfirmed: {
              tags: 'parked',
              on: {
                'assessment.sendAgain': { actions: 'noteSendAgain', target: DECIDING },
              },
            },
          },
        },

        /** The feed is live: it says when the job ends, and a status call now and then makes sure. */
        'ws-monitoring': {
          tags: 'monitoring',
          initial: 'reconciling',
          states: {
            /** One status call: whatever happened before we listened is known after it. */
            reconciling: {
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
            /** A server that drops every feed, or refuses every token, has all its clients here: none of them hurries. */
            listening: {
              always: { guard: 'canListenNoMore', target: DECIDING },
              after: {
                heartbeat: [
                  { guard: 'isInDoubt', actions: ['noteLook', 'noteRefreshDue'], target: DECIDING },
                  { actions: 'noteLook', target: 'reconciling' },
                ],
              },
              on: {
                'feed.lost': { actions: ['noteFeedLost', 'noteUnhurried', 'tellFeed'] },
                'job.completed': { guard: 'isHint', actions: 'noteHint', target: 'reconciling' },
                'job.failed': { guard: 'isHint', actions: 'noteHint', target: 'reconciling' },
                'page.resumed': { actions: ['armDeadline', 'hurry'], target: 'reconciling' },
                'deadline.passed': { actions: 'noteOverdue', target: 'reconciling' },
              },
            },
          },
        },

        /** No feed: the status is asked for, often at first and less often later. */
        polling: {
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
                // Refused while the feed was there, which tells no more.
                pollDelay: [
                  { guard: 'isInDoubt', actions: 'noteRefreshDue', target: DECIDING },
                  { target: 'checking' },
                ],
              },
              on: {
                'job.completed': { guard: 'isHint', target: 'checking' },
                'job.failed': { guard: 'isHint', target: 'checking' },
                'page.resumed': { actions: ['armDeadline', 'hurry'], target: 'checking' },
                'deadline.passed': { actions: 'noteOverdue', target: 'checking' },
              },
            },
          },
        },

        /** The token is renewed. The job goes on meanwhile, and so does the feed. */
        'refreshing-token': {
          initial: 'requesting',
          states: {
            /** One attempt, shared with everybody who needs the same token. Leaving this state does not break it off. */
            requesting: {
              tags: 'busy',
              invoke: {
                id: 'refreshToken',
                src: 'refreshToken',
                input: ({ context }) => ({ refusedGeneration: context.refusedGeneration }),
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
            /** Too early for another attempt, or the verifier is down. The session is kept. */
            waiting: {
              tags: 'busy',
              after: {
                refreshDelay: [
                  { guard: 'isRefreshDue', target: 'requesting' },
                  { guard: 'isOutOfPatience', target: TIMED_OUT },
                  { target: DECIDING },
                ],
              },
              on: {
                'page.resumed': [
                  { guard: 'isRefreshDue', actions: ['armDeadline', 'hurry'], target: 'requesting' },
                  { actions: ['armDeadline', 'hurry'], target: DECIDING },
                ],
              },
            },
          },
          on: {
            'job.completed': { guard: 'isOurJob', actions: 'noteFinished' },
            'token.renewed': {
              guard: 'isSameUser',
              actions: ['noteTokenGood', 'noteUser', 'tellRefreshed'],
              target: 'deciding',
            },
            'session.restored': { guard: 'isSameUser', actions: ['noteTokenGood', 'noteUser'], target: 'deciding' },
          },
        },

        /** The server has finished. The assessment is complete when the result is really there and fits its schema. */
        'fetching-result': {
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
                  ...refusals,
                  { guard: 'isInvalidForGood', actions: 'noteProblem', target: FAILED },
                  ...failing('waiting'),
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

        /**
         * Parked until somebody signs in; the job goes on without us.
         * Ignores `session.ended`: it has ended.
         * Ignores `page.resumed` and `deadline.passed` but for the note: neither moves a job that waits for a sign-in.
         */
        'auth-failed': {
          tags: ['parked', 'needs-sign-in'],
          entry: 'noteSignInNeeded',
          on: {
            'job.completed': { guard: 'isOurJob', actions: 'noteFinished' },
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

        /**
         * Parked: it takes longer than anybody expected, and the user is asked. We still look now and then, so a job that ends late
         * ends well.
         */
        'timed-out': {
          tags: 'parked',
          entry: 'noteTimedOut',
          initial: 'resting',
          states: {
            resting: {
              after: { slowCheck: { target: 'looking' } },
              on: {
                'page.resumed': { target: 'looking' },
                'job.completed': { guard: 'isHint', target: 'looking' },
                'job.failed': { guard: 'isHint', target: 'looking' },
              },
            },
            /** What is there to look at? Passed through in no time; no event can arrive here. */
            looking: {
              always: [
                { guard: 'isReadyToDecide', target: DECIDING },
                { guard: 'hasJob', target: 'checking' },
                // It could not even be submitted. The user has not cancelled, and the key keeps it from happening twice.
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
                  { guard: 'isRunning', actions: 'noteProgress', target: 'resting' },
                  { actions: 'noteFailure', target: 'resting' },
                ],
                onError: { actions: 'noteFailure', target: 'resting' },
              },
            },
          },
          on: {
            'assessment.keepWaiting': { actions: ['extendDeadline', 'armDeadline'], target: 'deciding' },
          },
        },
      },
    },

    /** The result is there. It leaves with the output of the machine and is not kept in its context. */
    completed: {
      type: 'final',
      entry: { type: 'tellSettled', params: { outcome: 'completed' } },
      output: ({ context, event }): AssessmentOutput => ({
        outcome: 'completed',
        jobId: context.jobId,
        result: (event as { output?: { result?: unknown } }).output?.result,
      }),
    },
    /** It cannot succeed any more. Never because of a token. */
    failed: {
      type: 'final',
      entry: { type: 'tellSettled', params: { outcome: 'failed' } },
      output: ({ context }): AssessmentOutput => ({
        outcome: 'failed',
        jobId: context.jobId,
        problem: context.problem ?? { code: 'unexpected', message: 'failed without a reason' },
      }),
    },
    /** The user, or somebody else who signed in, does not want it any more. */
    cancelled: {
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
