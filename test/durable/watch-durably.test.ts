import { assessmentMachine } from 'assessment-monitor';
import { type DurableCalls, type DurableEngine, watchDurably, type WatchOptions } from 'assessment-monitor/durable';
import { expect, it, vi } from 'vitest';
import type { Clock } from '../../src/lib/clock.ts';

const T0 = 1_800_000_000_000;
const problem = { code: 'unavailable', message: 'the words of the server' } as const;
const running = { type: 'running', status: 'processing', percent: 10, queuePosition: null } as const;
const input = { submissionId: 'submission-1', deadlineAt: T0 + 600_000 };
const resumed = { ...input, jobId: 'job-1' };

/** An engine that never dies: what it stored, step by step, and time that passes in its sleeps only. */
function calmEngine() {
  let now = T0;
  const steps: { name: string; value: unknown }[] = [];
  const sleeps: number[] = [];
  const engine: DurableEngine = {
    async step(name, run) {
      const value = JSON.parse(JSON.stringify(await run()));
      steps.push({ name, value });
      return value;
    },
    async sleep(name, ms) {
      steps.push({ name, value: ms });
      sleeps.push(ms);
      now += ms;
    },
  };
  // The timer of a call fires at once: a call that has not answered by then hangs.
  const clock: Clock = {
    now: () => now,
    setTimeout: (callback, ms) =>
      setImmediate(() => {
        now += ms;
        callback();
      }),
    clearTimeout: (handle) => clearImmediate(handle as NodeJS.Immediate),
  };
  return { engine, clock, steps, sleeps, stored: () => JSON.stringify(steps) };
}

const calls: DurableCalls = {
  submitAssessment: async () => ({
    type: 'accepted',
    jobId: 'job-1',
    resultId: null,
    balance: 4,
    deadlineAt: T0 + 600_000,
  }),
  checkStatus: async () => ({ type: 'completed', resultId: 'result-1' }),
  fetchResult: async () => ({ type: 'ready', result: { score: 'personal' } }),
  refreshToken: async () => ({ type: 'renewed' }),
};

const watch = (
  world: ReturnType<typeof calmEngine>,
  given: Partial<DurableCalls> = {},
  options: WatchOptions & { from?: typeof input } = {},
) => watchDurably(options.from ?? resumed, { ...calls, ...given }, world.engine, { clock: world.clock, ...options });

it('submits, checks and confirms the result, and ends with ids', async () => {
  const world = calmEngine();
  const submitAssessment = vi.fn<DurableCalls['submitAssessment']>(calls.submitAssessment);
  expect(await watch(world, { submitAssessment }, { from: input })).toStrictEqual({
    outcome: 'completed',
    jobId: 'job-1',
    result: { jobId: 'job-1', resultId: 'result-1' },
  });
  expect(world.steps.map(({ name }) => name)).toStrictEqual([
    'start',
    'submitAssessment-1',
    'checkStatus-1',
    'fetchResult-1',
  ]);
  expect(submitAssessment.mock.calls[0]?.[0]).toStrictEqual({ submissionId: 'submission-1', isSearch: false });
});

it('submits nothing when the job is known', async () => {
  const submitAssessment = vi.fn<DurableCalls['submitAssessment']>(calls.submitAssessment);
  expect(await watch(calmEngine(), { submitAssessment })).toMatchObject({ outcome: 'completed' });
  expect(submitAssessment).not.toHaveBeenCalled();
});

it('stores neither the result, nor the balance, nor what a call returns beside its outcome', async () => {
  const world = calmEngine();
  const withToken = <T extends object>(outcome: T): T => ({ ...outcome, accessToken: 'secret' });
  await watch(
    world,
    {
      submitAssessment: async (...given) => withToken(await calls.submitAssessment(...given)),
      checkStatus: async (...given) => withToken(await calls.checkStatus(...given)),
      fetchResult: async () => withToken({ type: 'ready', result: 'secret' }),
    },
    { from: input },
  );
  expect(world.stored()).not.toMatch(/secret|personal|balance":4/);
});

it('stores a defect by the name of its error alone, and repeats the call', async () => {
  const world = calmEngine();
  const checkStatus = vi
    .fn<DurableCalls['checkStatus']>(calls.checkStatus)
    .mockRejectedValueOnce(new RangeError('with the token secret-1'))
    // What a call in JavaScript may return by mistake.
    .mockResolvedValueOnce({ type: 'nonsense' } as never)
    .mockResolvedValueOnce(undefined as never);
  expect(await watch(world, { checkStatus })).toMatchObject({ outcome: 'completed' });
  expect(checkStatus).toHaveBeenCalledTimes(4);
  expect(world.stored()).toContain('RangeError');
  expect(world.stored()).not.toContain('secret-1');
});

it('keeps the words of a server out of the store and of the output', async () => {
  const world = calmEngine();
  const details = { email: 'the words of the server' };
  const output = await watch(
    world,
    { submitAssessment: async () => ({ type: 'rejected', problem: { ...problem, code: 'validation', details } }) },
    { from: input },
  );
  expect(output).toMatchObject({ outcome: 'failed', problem: { code: 'validation' } });
  expect(world.stored() + JSON.stringify(output)).not.toContain('the words of the server');
});

it('ends with auth-failed when its own credential is refused', async () => {
  const output = await watch(calmEngine(), {
    checkStatus: async () => ({ type: 'unauthorized', generation: null }),
    refreshToken: async () => ({ type: 'rejected' }),
  });
  expect(output).toMatchObject({ outcome: 'auth-failed', jobId: 'job-1', problem: { code: 'sign-in-required' } });
});

it('ends with unconfirmed when only the user may send the answers again', async () => {
  const output = await watch(
    calmEngine(),
    { submitAssessment: async () => ({ type: 'unconfirmed', retryAfterMs: null, problem, isFinal: true }) },
    { from: input },
  );
  expect(output).toMatchObject({ outcome: 'unconfirmed', jobId: null });
});

it('ends with unconfirmed when the process died while it sent answers that the server would not recognise', async () => {
  const world = calmEngine();
  const submitAssessment = vi.fn<DurableCalls['submitAssessment']>(calls.submitAssessment);
  const isStored = ({ name }: { name: string }) => name === 'start' || name === 'submitAssessment-1-intention';
  await watch(world, { submitAssessment }, { from: { ...input, idempotent: false } as typeof input });
  const left = world.steps.filter(isStored);
  expect(left).toHaveLength(2);
  // The second life: the intention is stored, the answer is not.
  const second = calmEngine();
  const engine: DurableEngine = {
    ...second.engine,
    step: async (name, run) => {
      const note = left.find((it) => it.name === name);
      // The type of a stored step is that of the step.
      return note ? (note.value as Awaited<ReturnType<typeof run>>) : second.engine.step(name, run);
    },
  };
  const output = await watchDurably({ ...input, idempotent: false }, { ...calls, submitAssessment }, engine, {
    clock: second.clock,
  });
  expect(output).toMatchObject({ outcome: 'unconfirmed' });
  expect(submitAssessment).toHaveBeenCalledTimes(1);
});

it('ends with timed-out after the limit, and the default is a day', async () => {
  const world = calmEngine();
  const pacing = { pollMinMs: 600_000, pollMaxMs: 600_000, slowCheckMs: 3_600_000 };
  const output = await watch(world, { checkStatus: async () => running }, { pacing });
  expect(output).toMatchObject({ outcome: 'timed-out', jobId: 'job-1', problem: { code: 'timed-out' } });
  expect(world.clock.now()).toBe(T0 + 86_400_000);
});

it('continues after the deadline of the page, at a low rate', async () => {
  const world = calmEngine();
  const checkStatus = async () => (world.clock.now() < T0 + 3_600_000 ? running : calls.checkStatus(never, never));
  const never = undefined as never;
  expect(await watch(world, { checkStatus }, { from: { ...resumed, deadlineAt: T0 + 30_000 } })).toMatchObject({
    outcome: 'completed',
  });
  expect(world.sleeps.slice(-5).every((ms) => ms >= 48_000)).toBe(true);
});

it('wakes at the deadline, which the engine’s time decides', async () => {
  const world = calmEngine();
  const waits: number[] = [];
  await watch(
    world,
    {
      checkStatus: async () => {
        waits.push(world.clock.now() - T0);
        return waits.length < 3 ? { ...running, retryAfterMs: null } : { type: 'completed', resultId: null };
      },
    },
    { from: { ...resumed, deadlineAt: T0 + 1_000 } },
  );
  expect(waits[1]).toBe(1_000);
});

it('waits as long as the server asks', async () => {
  const world = calmEngine();
  const checkStatus = vi
    .fn<DurableCalls['checkStatus']>(calls.checkStatus)
    .mockResolvedValueOnce({ type: 'transient', retryAfterMs: 123_000, problem });
  await watch(world, { checkStatus });
  expect(world.sleeps).toStrictEqual([123_000]);
});

it('ends a call that hangs: a submission is repeated under its key, and the signal aborts', async () => {
  const world = calmEngine();
  const signals: AbortSignal[] = [];
  const hang = (_: unknown, signal: AbortSignal) => {
    signals.push(signal);
    return new Promise<never>(() => {});
  };
  const output = await watch(
    world,
    {
      submitAssessment: vi.fn<DurableCalls['submitAssessment']>(calls.submitAssessment).mockImplementationOnce(hang),
      checkStatus: vi.fn<DurableCalls['checkStatus']>(calls.checkStatus).mockImplementationOnce(hang),
      fetchResult: vi.fn<DurableCalls['fetchResult']>(calls.fetchResult).mockImplementationOnce(hang),
    },
    { from: input, callTimeoutMs: 5_000 },
  );
  expect(output).toMatchObject({ outcome: 'completed' });
  expect(signals.map(({ aborted }) => aborted)).toStrictEqual([true, true, true]);
});

it('takes the same waits in each replay, and other waits for another assessment', async () => {
  const pollsOf = async (submissionId: string) => {
    const world = calmEngine();
    let polls = 0;
    const checkStatus = async () =>
      (polls += 1) < 6 ? running : calls.checkStatus(undefined as never, world as never);
    await watch(world, { checkStatus }, { from: { ...resumed, submissionId } });
    return world.sleeps;
  };
  const first = await pollsOf('a');
  expect(await pollsOf('a')).toStrictEqual(first);
  expect(await pollsOf('b')).not.toStrictEqual(first);
});

it('passes on what the engine throws, such as a cancellation', async () => {
  const world = calmEngine();
  const engine = { ...world.engine, sleep: () => Promise.reject(new Error('cancelled')) };
  const output = watchDurably(resumed, { ...calls, checkStatus: async () => running }, engine, { clock: world.clock });
  await expect(output).rejects.toThrow('cancelled');
});

it('knows every call of the chart', () => {
  const sources = ['jobFeed', 'tokenWatch', 'pageSignals', ...Object.keys(calls)];
  expect(Object.keys(assessmentMachine.implementations.actors).sort()).toStrictEqual(sources.sort());
});
