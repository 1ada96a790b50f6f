import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type {
  AssessmentEvent,
  AssessmentOutput,
  AssessmentSnapshot,
  RefreshOutcome,
  ResultOutcome,
  StatusOutcome,
  SubmitOutcome,
} from 'assessment-monitor';
import { assessmentMachine, createDelays, createPacer, defaultPacing, systemClock } from 'assessment-monitor';
import { openTestWorld } from 'assessment-monitor/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { assign, createActor, fromPromise, sendTo, setup, toPromise } from 'xstate';

/* The examples of docs/xstate.md, which run here as they stand there. */

const answers = { assessment_name: 'An example' };

/** A server of one's own: it refuses the first token, works for two polls, and has a result. */
function openApi() {
  const tokens = ['refused', 'good'];
  const states: StatusOutcome[] = [
    { type: 'running', status: 'processing', percent: 40, queuePosition: null },
    { type: 'running', status: 'processing', percent: 80, queuePosition: null },
    { type: 'completed', resultId: 'result-1' },
  ];
  return {
    submit: async (submissionId: string): Promise<SubmitOutcome> => ({
      type: 'accepted',
      jobId: `job of ${submissionId}`,
      resultId: null,
      balance: 4,
      deadlineAt: Date.now() + 1_800_000,
    }),
    status: async (_jobId: string, signal: AbortSignal): Promise<StatusOutcome> => {
      signal.throwIfAborted();
      return tokens[0] === 'good' ? states.shift()! : { type: 'unauthorized', generation: 1 };
    },
    result: async (jobId: string, _signal: AbortSignal): Promise<ResultOutcome> => ({ type: 'ready', result: jobId }),
    refresh: async (): Promise<RefreshOutcome> => (tokens.shift(), { type: 'renewed' }),
  };
}

const accept = (deadlineAt: number): SubmitOutcome => ({
  type: 'accepted',
  jobId: 'job-1',
  resultId: null,
  balance: null,
  deadlineAt,
});

const provideOurs = (api: ReturnType<typeof openApi>) => {
  const ours = assessmentMachine.provide({
    actors: {
      submitAssessment: fromPromise(({ input }) => api.submit(input.submissionId)),
      checkStatus: fromPromise(({ input, signal }) => api.status(input.jobId, signal)),
      fetchResult: fromPromise(({ input, signal }) => api.result(input.jobId, signal)),
      refreshToken: fromPromise(() => api.refresh()),
    },
    delays: { pollDelay: 10 },
  });
  return ours;
};

afterEach(() => void vi.useRealTimers());

describe('docs/xstate.md', () => {
  it('has no example that does not run here', () => {
    const lines = (text: string) =>
      text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '' && !line.startsWith('import '))
        .join('\n');
    const here = lines(readFileSync(fileURLToPath(import.meta.url), 'utf8'));
    const examples = [...readFileSync('docs/xstate.md', 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(([, text]) =>
      // The machine of one's own is built once, and run by two examples.
      lines(text ?? '').split(/\n(?=const actor = createActor|const output)/),
    );
    expect(examples).toHaveLength(7);
    for (const part of examples.flat()) expect(here).toContain(part);
  });

  it('looks at the machine of a client: a sign-in is asked for, and what is emitted is heard', async () => {
    const world = openTestWorld({ jobMs: 200_000 });
    const { client } = world;
    const log: string[] = [];
    let asked = 0;
    const openSignIn = () => (asked += 1);
    world.signIn();

    const { actor } = client.submit(answers);
    actor.subscribe((snapshot) => {
      if (snapshot.hasTag('needs-sign-in')) openSignIn();
    });
    actor.on('token.refreshed', ({ cause }) => log.push(`refreshed after ${cause}`));
    actor.on('assessment.settled', ({ outcome }) => log.push(outcome));

    await world.run(5_000);
    world.backend.endTokens();
    await world.run(150_000);
    expect(log).toEqual([expect.stringMatching(/^refreshed after /)]);
    expect(asked).toBe(0);
    world.backend.revoke();
    await world.run(120_000);
    expect(asked).toBeGreaterThan(0);
    world.signIn();
    await world.run(200_000);
    expect(log.at(-1)).toBe('completed');
    client.dispose();
  });

  it('runs the machine with actors of its own, through a refresh to the result', async () => {
    const isRefreshing = (snapshot: AssessmentSnapshot) => snapshot.matches({ active: 'refreshing-token' });
    const isOfTheServer = ({ type }: AssessmentEvent) => type.startsWith('job.') || type.startsWith('feed.');
    const ours = provideOurs(openApi());
    let refreshes = 0;

    const actor = createActor(ours, { input: { submissionId: 'assessment-1', deadlineAt: Date.now() + 1_800_000 } });
    actor.start();
    actor.send({ type: 'assessment.submit' });
    actor.subscribe((snapshot) => (refreshes += Number(isRefreshing(snapshot))));
    const output = await toPromise(actor);

    expect(output).toEqual({ outcome: 'completed', jobId: 'job of assessment-1', result: 'job of assessment-1' });
    expect(refreshes).toBe(1);
    expect([{ type: 'feed.live' } as const, { type: 'assessment.submit' } as const].map(isOfTheServer)).toEqual([
      true,
      false,
    ]);
  });

  it('shows each outcome whole', () => {
    const submitted: SubmitOutcome[] = [
      { type: 'accepted', jobId: 'job-1', resultId: null, balance: 4, deadlineAt: Date.now() + 1_800_000 },
      { type: 'unauthorized', generation: 3 },
      { type: 'transient', retryAfterMs: 30_000, problem: { code: 'rate-limited', message: 'too many' } },
      { type: 'unconfirmed', retryAfterMs: null, problem: { code: 'network', message: 'no answer' }, isFinal: false },
      { type: 'rejected', problem: { code: 'validation', message: 'refused', details: { age: 'is missing' } } },
    ];
    const looked: StatusOutcome[] = [
      { type: 'running', status: 'processing', percent: 40, queuePosition: null, retryAfterMs: 15_000 },
      { type: 'completed', resultId: 'result-1' },
      { type: 'failed', problem: { code: 'job-failed', message: 'the analysis failed' }, isConfirmed: true },
    ];
    const fetched: ResultOutcome[] = [
      { type: 'ready', result: { archetype: 'The Explorer' } },
      { type: 'invalid', problem: { code: 'invalid-result', message: 'it does not fit' }, isConfirmed: true },
      { type: 'transient', retryAfterMs: null, problem: { code: 'unavailable', message: 'not there yet' } },
    ];
    const refreshed: RefreshOutcome[] = [
      { type: 'renewed' },
      { type: 'holds' },
      { type: 'wait', retryAfterMs: 60_000 },
      { type: 'outage', retryAfterMs: 4_000 },
      { type: 'rejected' },
    ];
    expect([submitted, looked, fetched, refreshed].flat()).toHaveLength(16);
  });

  it('waits as the table says: for the deadline of its input, and as long as a running job asks', async () => {
    vi.useFakeTimers({ now: 1_800_000_000_000 });
    const asked: number[] = [];
    const since = Date.now();
    const running = async (): Promise<StatusOutcome> => {
      asked.push(Date.now() - since);
      return { type: 'running', status: 'processing', percent: null, queuePosition: null, retryAfterMs: 15_000 };
    };
    const ours = provideOurs({ ...openApi(), submit: async () => accept(since + 40_000), status: running }).provide({
      delays: { pollDelay: ({ context }) => context.retryAfterMs ?? 5_000 },
    });
    const actor = createActor(ours, { input: { submissionId: 'assessment-1', deadlineAt: since + 10_000 } }).start();
    actor.send({ type: 'assessment.submit' });
    await vi.advanceTimersByTimeAsync(39_000);
    expect(asked).toEqual([0, 15_000, 30_000]);
    expect(actor.getSnapshot().context.retryAfterMs).toBe(15_000);
    expect(actor.getSnapshot().value).toEqual({ active: { polling: 'waiting' } });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(asked).toEqual([0, 15_000, 30_000, 40_000]);
    expect(actor.getSnapshot().value).toEqual({ active: { 'timed-out': 'resting' } });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked.at(-1)).toBe(100_000);
    actor.stop();
  });

  it('takes the delays and the pacer of a client', async () => {
    vi.useFakeTimers({ now: 1_800_000_000_000 });
    const api = openApi();
    const ours = provideOurs(api);

    const startedAt = Date.now();
    const pacer = createPacer(systemClock);
    const paced = ours.provide({
      actors: {
        checkStatus: fromPromise(async ({ input, signal }) => {
          await pacer.turn('status', defaultPacing.minDistanceMs, signal);
          return api.status(input.jobId, signal);
        }),
      },
      delays: createDelays({ pacing: { ...defaultPacing, pollMinMs: 1_000 } }, () => startedAt),
    });
    const actor = createActor(paced, { input: { submissionId: 'assessment-1', deadlineAt: startedAt + 1_800_000 } });
    actor.start().send({ type: 'assessment.submit' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(actor.getSnapshot().output).toMatchObject({ outcome: 'completed' });
  });

  it('has it as a child of a chart of its own', async () => {
    const ours = provideOurs(openApi());

    const enrolment = setup({
      types: {
        context: {} as { percent: number; outcome: AssessmentOutput['outcome'] | null },
        events: {} as { type: 'answered'; submissionId: string },
      },
      actors: { assessment: ours },
    }).createMachine({
      context: { percent: 0, outcome: null },
      initial: 'answering',
      states: {
        answering: { on: { answered: { target: 'assessing' } } },
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
    const percents = new Set<number>();
    actor.subscribe(({ context }) => percents.add(context.percent));
    actor.send({ type: 'answered', submissionId: 'assessment-1' });
    await toPromise(actor);
    expect(actor.getSnapshot().context.outcome).toBe('completed');
    expect([...percents]).toEqual([0, 40, 80]);
  });

  it('waits for an assessment of the client in a chart of its own', async () => {
    const world = openTestWorld<object>({ jobMs: 20_000 });
    const { client } = world;
    world.signIn();

    const enrolment = setup({
      types: { events: {} as { type: 'answered'; answers: object } },
      actors: {
        assess: fromPromise(({ input }: { input: object }) => client.submit(input).settled()),
      },
    }).createMachine({
      initial: 'answering',
      states: {
        answering: { on: { answered: { target: 'assessing' } } },
        assessing: {
          invoke: {
            src: 'assess',
            input: ({ event }) => event.answers,
            onDone: [
              { guard: ({ event }) => event.output.phase === 'completed', target: 'enrolled' },
              { target: 'answering' },
            ],
          },
        },
        enrolled: { type: 'final' },
      },
    });

    const actor = createActor(enrolment).start();
    actor.send({ type: 'answered', answers });
    client.getSnapshot().assessments[0]?.cancel();
    await world.run(0);
    expect(actor.getSnapshot().value).toBe('answering');
    actor.send({ type: 'answered', answers });
    await world.run(60_000);
    expect(actor.getSnapshot().value).toBe('enrolled');
    client.dispose();
  });
});
