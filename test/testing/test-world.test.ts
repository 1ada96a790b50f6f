import { openTestWorld, type TestAnswer } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';

/* What a test of an application can choose about its world. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const answers = { answers: [1, 2, 3] };

/** Signed in, submitted, and so much later. */
async function submitted<Result>(world: ReturnType<typeof openTestWorld<unknown, Result>>, ms: number) {
  world.signIn();
  const assessment = world.client.submit(answers);
  await world.run(ms);
  return assessment.getSnapshot();
}

describe('a test world', () => {
  it('is through within the time that its example says', async () => {
    const world = openTestWorld({ tokenTtlMs: 3_000, jobMs: 20_000 });
    expect((await submitted(world, 30 * SECOND)).phase).toBe('completed');
    expect(world.backend.seen.refreshes.length).toBeGreaterThan(2);
    expect(world.backend.seen).toMatchObject({ expiredTokens: 0, unauthorized: 0, submissionsAccepted: 1 });
  });

  it('keeps the minute between two refreshes where the test asks for it', async () => {
    const world = openTestWorld({ tokenTtlMs: 3_000, jobMs: 20_000, refreshIntervalMs: MINUTE });
    expect((await submitted(world, 30 * SECOND)).phase).toBe('waiting');
    expect(world.backend.seen.refreshes).toHaveLength(1);
  });

  it('gives every job the result of the test, which fits the schema of the application', async () => {
    const resultSchema = z.object({ archetype: z.string() });
    const world = openTestWorld({ jobMs: 20 * SECOND, result: { archetype: 'The Explorer' } }, { resultSchema });
    expect(await submitted(world, MINUTE)).toMatchObject({
      phase: 'completed',
      result: { archetype: 'The Explorer' },
    });
  });

  it('gives each job a result by its id, and one that fits no schema if the test wants that', async () => {
    const world = openTestWorld({ jobMs: 20 * SECOND, result: (jobId) => ({ title: `Report of ${jobId}` }) });
    const view = await submitted(world, MINUTE);
    expect(view).toMatchObject({ phase: 'completed', result: { title: `Report of ${view.jobId}` } });

    const resultSchema = z.object({ archetype: z.string() });
    const spoilt = openTestWorld({ jobMs: 20 * SECOND, result: {} }, { resultSchema });
    expect(await submitted(spoilt, 15 * MINUTE)).toMatchObject({ phase: 'failed', error: { code: 'invalid-result' } });
  });
});

describe('a submission that the server refuses', () => {
  it.each([
    [400, 'validation'],
    [402, 'insufficient-credit'],
    [403, 'forbidden'],
    [413, 'too-large'],
    [422, 'validation'],
  ] as const)('with %s fails with the code %s, and is accepted once the server accepts again', async (status, code) => {
    const world = openTestWorld({ jobMs: 20 * SECOND });
    world.backend.refuseSubmissions(status);
    expect(await submitted(world, 5 * SECOND)).toMatchObject({ phase: 'failed', error: { code } });
    world.backend.refuseSubmissions(null);
    expect(await submitted(world, MINUTE)).toMatchObject({ phase: 'completed' });
    expect(world.backend.seen.submissionsAccepted).toBe(1);
  });

  it('brings the messages for its fields', async () => {
    const world = openTestWorld();
    world.backend.refuseSubmissions({ status: 422, details: { age: 'must be at least 13' } });
    expect(await submitted(world, 5 * SECOND)).toMatchObject({ error: { details: { age: 'must be at least 13' } } });
  });

  it('with 429 is delayed until the time that the server names, and then sent once', async () => {
    const world = openTestWorld({ jobMs: 20 * SECOND });
    world.backend.refuseSubmissions({ status: 429, retryAfterMs: 2 * MINUTE });
    expect(await submitted(world, 5 * SECOND)).toMatchObject({ phase: 'delayed', error: { code: 'rate-limited' } });
    world.backend.refuseSubmissions(null);
    await world.run(4 * MINUTE);
    const [assessment] = world.client.getSnapshot().assessments;
    expect(assessment?.getSnapshot().phase).toBe('completed');
    expect(world.backend.seen.submissionsAccepted).toBe(1);
  });
});

describe('the contract of a test world', () => {
  it('follows the paths of the client, and says its answers in words of its own', async () => {
    const inOwnWords = (it: TestAnswer): TestAnswer => {
      if (it.route !== 'status') return it;
      const { data } = it.body as { data: { status: string } };
      const status = data.status === 'completed' ? 'closed' : 'in review';
      return { ...it, body: { success: true, data: { ...data, status } } };
    };
    const paths = {
      submit: '/v1/analyses',
      status: '/v1/analyses/:id',
      result: '/v1/reports/:id',
      jobs: '/v1/analyses',
    };
    const statusWords = { 'in review': 'processing', closed: 'completed' } as const;
    const world = openTestWorld(
      { jobMs: 20 * SECOND, contract: { answer: inOwnWords } },
      { paths, statusWords, socket: false },
    );
    expect((await submitted(world, MINUTE)).phase).toBe('completed');
    expect(new Set(world.backend.seen.requests.map(({ route }) => route))).toContain('result');
    expect(world.backend.seen.requests.map(({ route }) => route)).not.toContain('login-page');
  });

  it('is that of auth V1 where the client says so: no refresh, and a token of 7 days', async () => {
    const world = openTestWorld({ jobMs: 20 * MINUTE }, { auth: { version: 'v1' } });
    expect((await submitted(world, 30 * MINUTE)).phase).toBe('completed');
    expect(world.backend.seen.refreshes).toEqual([]);
  });

  it('carries refresh tokens in the body where the client says so, each for one use', async () => {
    const options = { auth: { refreshTransport: 'body' } } as const;
    const world = openTestWorld({ tokenTtlMs: 10 * SECOND, jobMs: 60 * SECOND }, options);
    expect((await submitted(world, 2 * MINUTE)).phase).toBe('completed');
    const sent = world.backend.seen.requests.flatMap(({ route, body }) => (route === 'refresh' ? [body] : []));
    expect(sent.length).toBeGreaterThan(3);
    expect(new Set(sent).size).toBe(sent.length);
  });
});
