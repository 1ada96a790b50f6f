import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import {
  accepted,
  no,
  ok,
  openScriptedWorld,
  type Reply,
  result,
  type Script,
  status,
} from '../support/scripted-world.ts';

/* Only the API's own word ends an assessment: the whole client in virtual time, on a server that answers by script. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const html = (code: number): Reply => [code, '<html>Blocked</html>', { 'content-type': 'text/html' }];
const archived = (value: string, more: object = {}): Reply =>
  ok({ job_id: 'job-1', status: value, result_id: value === 'completed' ? 'result-1' : null, ...more });
/** A row of the user's list of jobs. */
const listed = (jobId: string, at: number) => ({ job_id: jobId, created_at: new Date(at).toISOString() });

/** Opens a world without a socket, in which a signed-in user has submitted. */
async function submitted(script: Script, options: Parameters<typeof openScriptedWorld>[1] = {}) {
  const world = openScriptedWorld(script, { socket: false, ...options });
  world.signIn();
  const assessment = world.submit();
  await world.run(0);
  const phases = () => [...new Set(world.views.map(({ phase }) => phase))];
  return { ...world, assessment, phases };
}

/** … with a live feed. */
async function listening(script: Script) {
  const world = await submitted(script, { socket: { transports: ['websocket'] } });
  world.sockets.socket.goLive();
  await world.run(0);
  return world;
}

describe('an answer that is not the API speaking about the job', () => {
  it.each<[string, Reply]>([
    ['a 403 page of a firewall', html(403)],
    ['a 400 page of a firewall', html(400)],
    ['a refusal of the API that is not about the job', no(403, { code: 'ORG_MISMATCH' })],
    ['a 502 page', html(502)],
    ['a 418', [418, '']],
  ])('once on the status route, %s, is asked again and the job completes', async (_case, odd) => {
    const world = await submitted({
      status: ({ count }) => (count === 2 ? odd : status(count < 4 ? 'processing' : 'completed')),
    });
    await world.run(MINUTE);
    expect([world.phase(), world.phases().includes('delayed'), world.count('submit')]).toEqual(['completed', false, 1]);
  });

  it.each<[string, Reply]>([
    ['a 403 page of a firewall', html(403)],
    ['a 400 page of a firewall', html(400)],
    ['a refusal of the API that is not about the job', no(403, { code: 'ORG_MISMATCH' })],
  ])('for ever on every route, %s, pauses the job, and the next page still finds it', async (_case, odd) => {
    let isOdd = true;
    const storage = new Map<string, string>();
    const store = {
      get: (key: string) => storage.get(key) ?? null,
      set: (key: string, value: string) => void storage.set(key, value),
      remove: (key: string) => void storage.delete(key),
      keys: () => [...storage.keys()],
    };
    const world = await submitted(
      { status: () => (isOdd ? odd : status('completed')), job: () => odd, result: () => (isOdd ? odd : result()) },
      { storage: store },
    );
    await world.run(10 * MINUTE);
    expect(world.phase()).toBe('delayed');
    world.client.dispose();
    isOdd = false;
    const next = world.openTab();
    next.signedIn({ accessToken: 'first', expiresIn: 3_600, userId: 'user-1' });
    const [found] = next.resume();
    await world.run(MINUTE);
    expect(found?.getSnapshot().phase).toBe('completed');
    next.dispose();
  });
});

describe('a submission', () => {
  it('whose repetition is answered with 409 and "in progress" is asked again under its key', async () => {
    const world = await submitted({
      submit: ({ count }) =>
        [null, no(409, { code: 'REQUEST_IN_PROGRESS' }, { 'retry-after': '1' }), accepted()][count - 1] ?? null,
      job: () => ok([]),
      status: () => status('completed'),
    });
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['completed', 3]);
  });

  it('whose repetition meets the page of a firewall is still unknown, and sent again', async () => {
    const world = await submitted({
      submit: ({ count }) => [null, html(403), accepted()][count - 1] ?? null,
      job: () => ok([]),
      status: () => status('completed'),
    });
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['completed', 3]);
  });

  it('whose answer was lost is not repeated within five seconds, nor before the list of jobs was read', async () => {
    const world = await submitted({
      submit: ({ count }) => (count === 1 ? null : accepted()),
      job: ({ id }) => (id === '' ? ok([]) : archived('processing')),
    });
    await world.run(MINUTE);
    const of = (route: string) => world.calls.filter((it) => it.route === route).map(({ at }) => at);
    const [, second = 0] = of('submit');
    expect(second).toBeGreaterThanOrEqual(5 * SECOND);
    expect(of('job')[0]).toBeLessThanOrEqual(second);
  });

  it('whose answer was lost is found in the list of jobs, and not sent again', async () => {
    const world: Awaited<ReturnType<typeof submitted>> = await submitted({
      submit: () => null,
      job: ({ id }) => (id === '' ? ok([listed('job-1', world.clock.now())]) : archived('completed')),
      status: () => status('completed'),
    });
    await world.run(MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['completed', 1]);
  });

  it('to a server that has shown that it stores no keys is not repeated by itself', async () => {
    const world = await submitted({
      submit: ({ count }) => {
        const [code, body] = accepted() ?? [];
        return count === 1 ? [code ?? 0, body, { 'x-idempotency-supported': 'true' }] : null;
      },
      job: () => ok([]),
      status: () => status('completed'),
    });
    await world.run(MINUTE);
    expect(world.phase()).toBe('completed');
    const second = world.client.submit({ answers: [2] });
    await world.run(5 * MINUTE);
    expect([second.getSnapshot().phase, world.count('submit')]).toEqual(['unconfirmed', 2]);
  });

  it('that is answered with a body that does not fit is sent once, and the log names the field', async () => {
    const world = await submitted(
      { submit: () => ok({ id: 'job-1' }), job: () => ok([]) },
      { idempotencyHeader: null },
    );
    await world.run(5 * MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['unconfirmed', 1]);
    expect(world.events).toContainEqual(
      expect.objectContaining({ type: 'answer.unreadable', route: 'submit', field: 'data.jobId' }),
    );
  });

  it('that is limited for an hour shows when it is sent, and is sent once', async () => {
    const world = await submitted({
      submit: ({ count }) => (count === 1 ? no(429, 'RATE_LIMITED', { 'retry-after': '3588' }) : accepted()),
      status: () => status('completed'),
    });
    await world.run(MINUTE);
    const view = world.assessment.getSnapshot();
    expect(view).toMatchObject({ phase: 'delayed', error: { code: 'rate-limited' } });
    expect(world.count('submit')).toBe(1);
    await world.run(65 * MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['completed', 2]);
  });

  it('that the API refuses with 422 fails with the messages of its fields', async () => {
    const world = await submitted({
      submit: () => no(422, { code: 'VALIDATION_ERROR', details: { riasec: 'is missing' } }),
    });
    await world.run(SECOND);
    expect(world.assessment.getSnapshot()).toMatchObject({
      phase: 'failed',
      error: { code: 'validation', details: { riasec: 'is missing' } },
    });
  });
});

describe('the archive', () => {
  it('whose row is late is asked again when the job completed without a result id', async () => {
    const world = await submitted({
      submit: () => accepted({ resultId: null }),
      status: () => status('completed', { resultId: null }),
      job: ({ count }) => (count < 4 ? no(404, { code: 'JOB_NOT_FOUND' }) : archived('completed')),
    });
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('result')]).toEqual(['completed', 1]);
  });

  it.each<[string, () => Reply]>([
    ['404', () => no(404, { code: 'JOB_NOT_FOUND' })],
    ['410', () => no(410, { code: 'GONE' })],
    ['500', () => no(500, { code: 'INTERNAL' })],
    ['503', () => no(503, { code: 'UNAVAILABLE' })],
    ['a 502 page', () => html(502)],
  ])('is asked where the status route answers %s for ever, and has the result', async (_case, broken) => {
    const world = await submitted({ status: broken, job: () => archived('completed') });
    await world.run(2 * MINUTE);
    expect(world.phase()).toBe('completed');
    expect(world.count('status')).toBeLessThan(6);
  });

  it('that has forgotten the job like the status route pauses it with a code for support, and keeps its id', async () => {
    const forgotten = () => no(404, { code: 'JOB_NOT_FOUND' });
    const world = await submitted({ status: forgotten, job: forgotten });
    await world.run(10 * MINUTE);
    expect(world.assessment.getSnapshot()).toMatchObject({
      phase: 'delayed',
      jobId: 'job-1',
      error: { code: 'job-not-found' },
    });
  });
});

describe('a failure that the server reports', () => {
  it('and takes back within 70 s is never shown as the end', async () => {
    const world = await submitted({
      status: ({ at }) => status(at < 10 * SECOND ? 'processing' : at < 80 * SECOND ? 'failed' : 'completed'),
      job: () => archived('failed'),
    });
    await world.run(30 * SECOND);
    expect(world.assessment.getSnapshot()).toMatchObject({ phase: 'delayed', error: { code: 'unconfirmed-failure' } });
    await world.run(5 * MINUTE);
    expect([world.phase(), world.phases().includes('failed')]).toEqual(['completed', false]);
  });

  it('and that the archive confirms ends the assessment after the time of confirmation', async () => {
    const world = await submitted({ status: () => status('failed'), job: () => archived('failed') });
    await world.run(80 * SECOND);
    expect(world.phase()).toBe('delayed');
    await world.run(3 * MINUTE);
    expect(world.assessment.getSnapshot()).toMatchObject({ phase: 'failed', error: { code: 'job-failed' } });
  });
});

describe('a result', () => {
  it.each<[string, Reply]>([
    ['holds NaN', [200, '{"success":true,"data":{"test_result":{"score":NaN}}}']],
    ['is cut', [200, '{"success":true,"data":{"test_re']],
    ['is a page', html(200)],
    ['does not fit its schema', ok({ id: 'result-1', test_result: { archetype: 5 } })],
  ])('that %s is fetched a few times and then fails with invalid-result', async (_case, unreadable) => {
    const world = await submitted(
      { status: () => status('completed'), result: () => unreadable },
      { resultSchema: z.object({ archetype: z.string() }) },
    );
    await world.run(HOUR);
    expect(world.assessment.getSnapshot()).toMatchObject({
      phase: 'failed',
      jobId: 'job-1',
      error: { code: 'invalid-result' },
    });
    expect(world.count('result')).toBeLessThanOrEqual(6);
    expect(world.events.some(({ type }) => type === 'result.invalid')).toBe(true);
  });
});

describe('an event of the feed', () => {
  it('that names an unknown result leads to one status call', async () => {
    const world = await listening({ status: ({ count }) => status(count === 1 ? 'processing' : 'completed') });
    world.sockets.socket.fire('analysis-complete', { status: 'completed', result_id: 'result-of-equal-answers' });
    await world.run(2 * SECOND);
    expect([world.phase(), world.count('status')]).toEqual(['completed', 2]);
  });

  it('that announces a start without a percentage leads to one status call', async () => {
    const percents = [0, 0, 25];
    const world = await listening({
      status: ({ count }) => status('processing', { progress: percents[count - 1] ?? 25 }),
    });
    await world.run(2 * SECOND);
    const before = world.count('status');
    world.sockets.socket.fire('analysis-started', { jobId: 'job-1', status: 'processing' });
    await world.run(2 * SECOND);
    expect(world.count('status')).toBe(before + 1);
    expect(world.assessment.getSnapshot()).toMatchObject({ progress: { percent: 25 } });
  });
});
