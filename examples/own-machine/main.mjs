/*
 * An enrolment: the user answers, the assessment runs as a child, and the enrolment ends with its outcome. The API is a stand-in of a few
 * lines, which refuses the first token; your own calls take its place.
 */
import { assessmentMachine } from 'assessment-monitor';
import { assign, createActor, fromPromise, sendTo, setup, toPromise } from 'xstate';

const api = openApi();

const assessment = assessmentMachine.provide({
  actors: {
    submitAssessment: fromPromise(({ input }) => api.submit(input.submissionId)),
    checkStatus: fromPromise(({ input }) => api.status(input.jobId)),
    fetchResult: fromPromise(({ input }) => api.result(input.jobId)),
    refreshToken: fromPromise(() => api.refresh()),
  },
  delays: { pollDelay: 100 },
});

const enrolment = setup({ actors: { assessment } }).createMachine({
  context: { percent: 0, outcome: null },
  initial: 'answering',
  states: {
    answering: { on: { answered: 'assessing' } },
    assessing: {
      entry: sendTo('assessment', { type: 'assessment.submit' }),
      invoke: {
        id: 'assessment',
        src: 'assessment',
        input: ({ event }) => ({ submissionId: event.submissionId, deadlineAt: Date.now() + 1_800_000 }),
        onSnapshot: { actions: assign({ percent: ({ event }) => event.snapshot.context.progress.percent }) },
        onDone: { target: 'enrolled', actions: assign({ outcome: ({ event }) => event.output.outcome }) },
      },
    },
    enrolled: { type: 'final' },
  },
});

const actor = createActor(enrolment).start();
actor.subscribe(({ value, context }) => console.error(`${value}, ${context.percent} %`));
actor.send({ type: 'answered', submissionId: crypto.randomUUID() });
await toPromise(actor);
console.log(`${actor.getSnapshot().value}: ${actor.getSnapshot().context.outcome}`);

/** Answers as outcomes: the chart knows no HTTP. */
function openApi() {
  let isTokenGood = false;
  let polls = 0;
  const running = () => ({ type: 'running', status: 'processing', percent: (polls += 1) * 25, queuePosition: null });
  return {
    submit: async (submissionId) => ({
      type: 'accepted',
      jobId: `job of ${submissionId}`,
      resultId: null,
      balance: null,
      deadlineAt: Date.now() + 1_800_000,
    }),
    status: async () => {
      if (!isTokenGood) return { type: 'unauthorized', generation: 1 };
      return polls < 3 ? running() : { type: 'completed', resultId: null };
    },
    result: async (jobId) => ({ type: 'ready', result: { jobId } }),
    refresh: async () => {
      isTokenGood = true;
      return { type: 'renewed' };
    },
  };
}
