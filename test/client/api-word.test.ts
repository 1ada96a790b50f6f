import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/lib/storage.ts';
import * as z from 'zod/mini';
import {
  accepted,
  ok,
  type Reply,
  result,
  type Script,
  status,
  nested,
  flat,
  html,
  archived,
  listed,
  openSubmitted,
} from '../support/scripted-world.ts';

/* Only the API's own word ends an assessment: the whole client in virtual time, on a server that answers by script. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Without a socket. */
const submitted: typeof openSubmitted = (script, options) => openSubmitted(script, { socket: false, ...options });

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
    ['a refusal of the API that is not about the job', nested(403, 'ORG_MISMATCH')],
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
    ['a refusal of the API that is not about the job', nested(403, 'ORG_MISMATCH')],
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
  it.each<[string, Reply]>([
    ['the reason phrase of a framework', [415, { status: 415, error: 'Unsupported Media Type', path: '/submit' }]],
    ['a code that repeats the status', [403, { error: { code: 403, message: 'blocked' } }]],
    ['a limit under a 403', flat(403, 'RATE_LIMIT_EXCEEDED')],
    ['an outage under a 400', flat(400, 'MAINTENANCE_MODE')],
  ])('that is answered with %s is not refused, and the job completes', async (_case, odd) => {
    const world = await submitted({
      submit: ({ count }) => (count === 1 ? odd : accepted()),
      status: () => status('completed'),
    });
    await world.run(3 * MINUTE);
    expect([world.phase(), world.phases().includes('failed'), world.count('submit')]).toEqual(['completed', false, 2]);
  });

  it('whose repetition is answered with 409 and "in progress" is asked again under its key', async () => {
    const world = await submitted({
      submit: ({ count }) =>
        [null, nested(409, 'REQUEST_IN_PROGRESS', { 'retry-after': '1' }), accepted()][count - 1] ?? null,
      jobs: () => ok([]),
      status: () => status('completed'),
    });
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['completed', 3]);
  });

  it('whose repetition meets the page of a firewall is still unknown, and sent again', async () => {
    const world = await submitted({
      submit: ({ count }) => [null, html(403), accepted()][count - 1] ?? null,
      jobs: () => ok([]),
      status: () => status('completed'),
    });
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['completed', 3]);
  });

  it('whose answer was lost is not repeated within five seconds, nor before the list of jobs was read', async () => {
    const world = await submitted({
      submit: ({ count }) => (count === 1 ? null : accepted()),
      job: () => archived('processing'),
      jobs: () => ok([]),
    });
    await world.run(MINUTE);
    const of = (route: string) => world.calls.filter((it) => it.route === route).map(({ at }) => at);
    const [, second = 0] = of('submit');
    expect(second).toBeGreaterThanOrEqual(5 * SECOND);
    expect(of('jobs')[0]).toBeLessThanOrEqual(second);
  });

  it('whose answer was lost is found in the list of jobs, and not sent again', async () => {
    const world: Awaited<ReturnType<typeof submitted>> = await submitted({
      submit: () => null,
      job: () => archived('completed'),
      jobs: () => ok([listed('job-1', world.clock.now())]),
      status: () => status('completed'),
    });
    await world.run(MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['completed', 1]);
  });

  it('whose answer was lost does not take over the job of another assessment that has ended', async () => {
    let ids = 0;
    const world: Awaited<ReturnType<typeof submitted>> = await submitted(
      {
        submit: ({ count }) => (count === 1 ? null : accepted({ jobId: count === 2 ? 'job-1' : 'job-2' })),
        jobs: ({ at }) => (at < MINUTE ? html(502) : ok([listed('job-1', world.clock.now() - at + 2 * SECOND)])),
        status: ({ id }) => status('completed', { jobId: id }),
      },
      { createId: () => `submission-${(ids += 1)}` },
    );
    const lost = world.assessment;
    await world.run(SECOND);
    const shown = world.client.submit({ answers: [2] });
    // Shown to its user: its record is not needed any more.
    shown.subscribe(() => {});
    await world.run(30 * SECOND);
    expect([shown.getSnapshot().phase, lost.getSnapshot().phase]).toEqual(['completed', 'submitting']);
    await world.run(5 * MINUTE);
    expect([lost.getSnapshot().phase, world.count('submit')]).toEqual(['completed', 3]);
  });

  it('whose answer was lost becomes a question when the list has two jobs that it could be', async () => {
    const world: Awaited<ReturnType<typeof submitted>> = await submitted({
      submit: ({ count }) => (count === 1 ? null : accepted()),
      jobs: () => ok([listed('job-1', world.clock.now()), listed('job-2', world.clock.now())]),
    });
    await world.run(MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['unconfirmed', 1]);
  });

  it.each<[string, Reply]>([
    ['a page', html(200)],
    ['the page of a firewall', html(403)],
    ['a page that says 404', html(404)],
    ['half of its JSON', [200, '{"success":true,"da']],
    ['rows in unknown words', ok({ jobs: [{ identifier: 'job-1' }] })],
  ])('whose answer cannot be read looks again when the list of jobs was answered with %s', async (_case, odd) => {
    const world: Awaited<ReturnType<typeof submitted>> = await submitted({
      submit: () => [200, { ok: true }],
      job: () => archived('completed'),
      jobs: ({ count }) => (count === 1 ? odd : ok([listed('job-1', world.clock.now())])),
      status: () => status('completed'),
    });
    await world.run(MINUTE);
    expect([world.phase(), world.phases().includes('unconfirmed'), world.count('submit')]).toEqual([
      'completed',
      false,
      1,
    ]);
  });

  it('whose answer was lost is not sent again while the list of jobs cannot be read', async () => {
    const world: Awaited<ReturnType<typeof submitted>> = await submitted({
      submit: () => null,
      jobs: ({ at }) => ok([at < 5 * MINUTE ? { identifier: 'job-1' } : listed('job-1', world.clock.now() - at)]),
      status: () => status('processing'),
    });
    await world.run(6 * MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['waiting', 1]);
  });

  it('whose answer cannot be read becomes a question when the list of jobs is never answered by the API', async () => {
    const world = await submitted({ submit: () => [200, { ok: true }], jobs: () => html(200) });
    await world.run(10 * MINUTE);
    expect(world.phase()).toBe('delayed');
    await world.run(25 * MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['unconfirmed', 1]);
    expect(world.count('jobs')).toBeLessThanOrEqual(30);
  });

  it.each<[string, () => Reply]>([
    ['the page offline', () => null],
    ['the list down', () => html(502)],
  ])('whose answer cannot be read is found in the list after ten minutes with %s', async (_what, trouble) => {
    const world: Awaited<ReturnType<typeof submitted>> = await submitted({
      submit: () => [200, { ok: true }],
      jobs: ({ at }) => (at < 10 * MINUTE ? trouble() : ok([listed('job-1', world.clock.now() - at)])),
      status: () => status('completed'),
    });
    await world.run(13 * MINUTE);
    expect([world.phase(), world.phases().includes('unconfirmed'), world.count('submit')]).toEqual([
      'completed',
      false,
      1,
    ]);
  });

  it('to a server that has shown that it stores no keys is not repeated by itself', async () => {
    const world = await submitted({
      submit: ({ count }) => {
        const [code, body] = accepted();
        return count === 1 ? [code, body, { 'x-idempotency-supported': 'true' }] : null;
      },
      jobs: () => ok([]),
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
      { submit: () => ok({ id: 'job-1' }), jobs: () => ok([]) },
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
      submit: ({ count }) => (count === 1 ? flat(429, 'RATE_LIMITED', { 'retry-after': '3588' }) : accepted()),
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
      submit: () => [422, { success: false, error: { code: 'VALIDATION_ERROR', details: { riasec: 'is missing' } } }],
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
      job: ({ count }) => (count < 4 ? nested(404, 'JOB_NOT_FOUND') : archived('completed')),
    });
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('result')]).toEqual(['completed', 1]);
  });

  it.each<[string, () => Reply]>([
    ['404', () => nested(404, 'JOB_NOT_FOUND')],
    ['410', () => nested(410, 'GONE')],
    ['500', () => nested(500, 'INTERNAL')],
    ['503', () => nested(503, 'UNAVAILABLE')],
    ['a 502 page', () => html(502)],
  ])('is asked where the status route answers %s for ever, and has the result', async (_case, broken) => {
    const world = await submitted({ status: broken, job: () => archived('completed') });
    await world.run(2 * MINUTE);
    expect(world.phase()).toBe('completed');
    expect(world.count('status')).toBeLessThan(6);
  });

  it('that has forgotten the job like the status route pauses it with a code for support, and keeps its id', async () => {
    const forgotten = () => nested(404, 'JOB_NOT_FOUND');
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

describe('a submission that was answered with a success that cannot be read', () => {
  it('is not sent again by the page after a reload', async () => {
    const stores = { storage: memoryStore(), tokenStorage: memoryStore() };
    const world = await submitted({ submit: () => [202, { ok: true }] }, stores);
    await world.run(SECOND);
    world.client.dispose();
    const next = world.openTab();
    const [found] = next.resume();
    await world.run(MINUTE);
    expect([found?.getSnapshot().phase, world.count('submit')]).toEqual(['unconfirmed', 1]);
    next.dispose();
  });
});

it.each<[string, Reply]>([
  ['refuses', flat(403, 'FORBIDDEN')],
  ['is a page with status 404', html(404)],
])(
  'a list of jobs that %s says nothing about the access to an assessment that was not accepted yet',
  async (_, list) => {
    const world = await submitted({ submit: () => null, jobs: () => list });
    await world.run(3 * MINUTE);
    const view = world.assessment.getSnapshot();
    expect([view.phase, 'error' in view && view.error.code]).not.toEqual([
      'delayed',
      expect.stringMatching(/^(forbidden|job-not-found)$/),
    ]);
  },
);

it('the wait that the status route asks for holds after a result that cannot be read', async () => {
  const world = await submitted({
    status: ({ count }) => (count === 1 ? status('completed') : [503, '', { 'retry-after': '20' }]),
    result: () => html(200),
  });
  await world.run(30 * SECOND);
  const [, ...asked] = world.calls.filter(({ route }) => route === 'status').map(({ at }) => at);
  expect(asked).toHaveLength(2);
  expect((asked[1] ?? 0) - (asked[0] ?? 0)).toBeGreaterThanOrEqual(20 * SECOND);
});

it('the archive is asked once in each look at a job that no route knows', async () => {
  const world = await submitted({ status: () => flat(404, 'NOT_FOUND'), job: () => flat(404, 'NOT_FOUND') });
  await world.run(30 * MINUTE);
  const looks = new Set(world.calls.filter(({ route }) => route === 'status').map(({ at }) => at)).size;
  expect(world.count('job')).toBeLessThanOrEqual(looks + 2);
});

describe('a row of another user', () => {
  it('in the archive does not overrule a status that says that the job still runs', async () => {
    const world = await submitted({
      status: ({ at }) => status(at < 20 * MINUTE ? 'processing' : 'completed', { userId: 'user-1' }),
      job: () => archived('failed', { user_id: 'user-9' }),
    });
    await world.run(22 * MINUTE);
    expect(world.phases()).toEqual(['submitting', 'waiting', 'completed']);
  });

  it('in the archive is recognised by the owner of the row in the list of jobs, where the submission was found', async () => {
    const world = await submitted({
      submit: () => null,
      jobs: ({ at }) => ok([{ ...listed('job-1', world.clock.now() - at), user_id: 'user-1' }]),
      status: () => status('completed'),
      result: ({ at }) => ok({ id: 'result-1', user_id: at < MINUTE ? 'user-9' : 'user-1', test_result: { of: at } }),
    });
    await world.run(50 * SECOND);
    expect(world.phase()).not.toBe('completed');
    await world.run(5 * MINUTE);
    expect(world.phase()).toBe('completed');
  });

  it('in the archive is recognised by the next page, whose status route does not know the job', async () => {
    let isRestarted = false;
    const store = memoryStore();
    const world = await submitted(
      {
        status: () => (isRestarted ? flat(404, 'NOT_FOUND') : status('processing', { userId: 'id-of-the-api' })),
        job: ({ at }) =>
          archived(at < 5 * MINUTE ? 'failed' : 'completed', { user_id: at < 5 * MINUTE ? 'user-9' : 'id-of-the-api' }),
      },
      { storage: store },
    );
    await world.run(5 * SECOND);
    world.client.dispose();
    isRestarted = true;
    const next = world.openTab();
    next.signedIn({ accessToken: 'first', expiresIn: 3_600, userId: 'user-1' });
    const [found] = next.resume();
    await world.run(4 * MINUTE);
    expect(found?.getSnapshot().phase).not.toBe('failed');
    await world.run(4 * MINUTE);
    expect(found?.getSnapshot().phase).toBe('completed');
    next.dispose();
  });

  it('is recognised by the owner of the row in the list of jobs, where no other row has named one', async () => {
    const until = 5 * MINUTE;
    const world = await submitted({
      status: () => flat(404, 'NOT_FOUND'),
      job: ({ at }) => archived(at < until ? 'failed' : 'completed', { user_id: at < until ? 'user-9' : 'id-7' }),
      jobs: () => ok([{ ...listed('job-1', 0), user_id: 'id-7' }]),
    });
    await world.run(10 * MINUTE);
    expect(world.phases()).not.toContain('failed');
    expect(world.phase()).toBe('completed');
  });

  it('is recognised by the list where the result is the first row that names a user', async () => {
    const world = await submitted({
      status: () => status('completed'),
      result: ({ at }) => ok({ id: 'result-1', user_id: at < MINUTE ? 'user-9' : 'id-7', test_result: { of: at } }),
      jobs: () => ok([{ ...listed('job-1', 0), user_id: 'id-7' }]),
    });
    await world.run(50 * SECOND);
    expect(world.phase()).not.toBe('completed');
    await world.run(5 * MINUTE);
    expect(world.phase()).toBe('completed');
  });

  it.each<[string, Reply]>([
    ['names the same user, by an id of the API', ok([{ ...listed('job-1', 0), user_id: 'id-7' }])],
    ['names no user', ok([listed('job-1', 0)])],
    ['is not there', flat(404, 'NOT_FOUND')],
  ])('is not suspected behind the first result where the list %s', async (_, list) => {
    const world = await submitted({
      status: () => status('completed'),
      result: () => ok({ id: 'result-1', user_id: 'id-7', test_result: { archetype: 'x' } }),
      jobs: () => list,
    });
    await world.run(MINUTE);
    expect(world.phase()).toBe('completed');
  });

  it.each<[string, Reply]>([
    ['names the same user, by an id of the API', ok([{ ...listed('job-1', 0), user_id: 'id-7' }])],
    ['names no user', ok([listed('job-1', 0)])],
    ['does not have the job', ok([])],
    ['does not answer', null],
  ])('is not suspected behind a failure where the list %s', async (_, list) => {
    const world = await submitted({
      status: () => flat(404, 'NOT_FOUND'),
      job: () => archived('failed', { user_id: 'id-7' }),
      jobs: () => list,
    });
    await world.run(5 * MINUTE);
    expect(world.assessment.getSnapshot()).toMatchObject({ phase: 'failed', error: { code: 'job-failed' } });
  });

  it('in the archive does not name the result', async () => {
    const ids: string[] = [];
    const world = await submitted({
      status: () => status('completed', { userId: 'user-1', resultId: null }),
      job: ({ count }) =>
        ok({ job_id: 'job-1', status: 'completed', result_id: `r${count}`, user_id: count < 2 ? 'user-9' : 'user-1' }),
      submit: () => accepted({ resultId: null }),
      result: ({ id }) => (ids.push(id), ok({ id, test_result: { archetype: 'x' } })),
    });
    await world.run(2 * MINUTE);
    expect([world.phase(), ids]).toEqual(['completed', ['r2']]);
  });
});

describe('a failure of the job', () => {
  it('that is taken back is not believed because the clock is set forward and events hurry the looks', async () => {
    let isTakenBack = false;
    const world = await submitted({
      status: () => status(isTakenBack ? 'completed' : 'failed'),
      job: () => archived('failed'),
    });
    for (let second = 0; second < 20; second += 2) {
      world.clock.jump(second === 10 ? 3_600_000 : 0);
      world.assessment.actor.send({ type: 'job.failed', jobId: 'job-1', resultId: null, message: '' });
      await world.run(2 * SECOND);
    }
    expect(world.phase()).toBe('delayed');
    isTakenBack = true;
    await world.run(MINUTE);
    expect(world.phase()).toBe('completed');
  });
});

describe('a result', () => {
  it('that does not fit its schema is fetched a few times and then fails with invalid-result', async () => {
    const world = await submitted(
      { status: () => status('completed'), result: () => ok({ id: 'result-1', test_result: { archetype: 5 } }) },
      { resultSchema: z.object({ archetype: z.string() }) },
    );
    await world.run(5 * MINUTE);
    expect(world.assessment.getSnapshot()).toMatchObject({
      phase: 'failed',
      jobId: 'job-1',
      error: { code: 'invalid-result' },
    });
    expect(world.count('result')).toBe(5);
    expect(world.events.some(({ type }) => type === 'result.invalid')).toBe(true);
  });

  it('that cannot be read is known to the user, although each look after it finds the token refused', async () => {
    const used = new Set<string | null>();
    const world = await submitted({
      status: ({ token }) => (used.has(token) ? flat(401, 'INVALID_TOKEN') : status('completed')),
      result: ({ token }) => (used.add(token), html(200)),
    });
    await world.run(15 * MINUTE);
    expect(world.phases()).toEqual(['submitting', 'waiting', 'delayed']);
    expect(world.assessment.getSnapshot()).toMatchObject({ error: { code: 'invalid-response' } });
  });

  it('that does not fit is not the last one because other calls have failed before', async () => {
    const world = await submitted(
      {
        status: () => status('completed'),
        result: ({ count }) =>
          count < 6
            ? flat(503, 'UNAVAILABLE')
            : count < 9
              ? ok({ id: 'result-1', test_result: { archetype: 5 } })
              : result(),
      },
      { resultSchema: z.object({ archetype: z.string() }) },
    );
    await world.run(10 * MINUTE);
    expect([world.phase(), world.count('result')]).toEqual(['completed', 9]);
  });

  const unreadable: [string, Reply][] = [
    ['holds NaN', [200, '{"success":true,"data":{"test_result":{"score":NaN}}}']],
    ['is cut', [200, '{"success":true,"data":{"test_re']],
    ['is a page', html(200)],
  ];
  it.each(unreadable)(
    'that %s is asked for twelve times in half an hour, while the user reads of a delay, and then fails with invalid-result',
    async (_case, odd) => {
      const world = await submitted({ status: () => status('completed'), result: () => odd });
      await world.run(2 * MINUTE);
      expect(world.assessment.getSnapshot()).toMatchObject({ phase: 'delayed', error: { code: 'invalid-response' } });
      await world.run(27 * MINUTE);
      expect(world.phase()).toBe('delayed');
      await world.run(5 * MINUTE);
      expect(world.assessment.getSnapshot()).toMatchObject({ phase: 'failed', error: { code: 'invalid-result' } });
      expect(world.count('result')).toBe(12);
    },
  );

  it.each(unreadable)('that %s is asked for no more often while every token is refused', async (_case, odd) => {
    const world = await submitted({
      status: ({ count }) => (count === 1 ? status('completed') : flat(401, 'INVALID_TOKEN')),
      result: () => odd,
    });
    await world.run(8 * MINUTE);
    expect([world.phase(), world.count('result') <= 8]).toEqual(['delayed', true]);
  });

  it.each(unreadable)('that %s for seven minutes is shown after that', async (_case, odd) => {
    const world = await submitted({
      status: () => status('completed'),
      result: ({ at }) => (at < 7 * MINUTE ? odd : result()),
    });
    await world.run(12 * MINUTE);
    expect([world.phase(), world.count('result') <= 8]).toEqual(['completed', true]);
  });

  it('that could not be read is looked for again by the next page', async () => {
    let isOdd = true;
    const store = memoryStore();
    const script = { status: () => status('completed'), result: () => (isOdd ? html(200) : result()) };
    const world = await submitted(script, { storage: store });
    await world.run(40 * MINUTE);
    expect(world.phase()).toBe('failed');
    world.client.dispose();
    isOdd = false;
    const next = world.openTab();
    next.signedIn({ accessToken: 'first', expiresIn: 3_600, userId: 'user-1' });
    next.resume();
    await world.run(MINUTE);
    expect(next.getSnapshot().assessments.map((it) => it.getSnapshot().phase)).toEqual(['completed']);
    next.dispose();
  });
});

describe('a submission that the server puts off', () => {
  it('for ten minutes is shown as delayed with the time, however often the user wants to wait longer', async () => {
    const world = await submitted({
      submit: ({ at }) => (at < 10 * MINUTE ? flat(429, 'LIMITED', { 'retry-after': '600' }) : accepted()),
    });
    await world.run(SECOND);
    for (let minute = 0; minute < 9; minute += 1) {
      world.assessment.keepWaiting();
      expect(world.assessment.getSnapshot()).toMatchObject({
        phase: 'delayed',
        error: { code: 'rate-limited', retryAt: expect.any(Number) },
      });
      await world.run(MINUTE);
    }
    await world.run(2 * MINUTE);
    expect(world.phases()).toEqual(['submitting', 'delayed', 'waiting']);
    expect(world.count('submit')).toBe(2);
  });

  it('for ten minutes has its deadline moved by the wish to wait longer', async () => {
    const world = await submitted(
      { submit: ({ at }) => (at < 10 * MINUTE ? flat(429, 'LIMITED', { 'retry-after': '600' }) : accepted()) },
      { settings: () => ({ monitoringTimeoutMs: 5 * MINUTE }) },
    );
    const { context } = world.assessment.actor.getSnapshot();
    await world.run(4 * MINUTE);
    world.assessment.keepWaiting();
    expect(world.assessment.actor.getSnapshot().context.deadlineAt).toBe(context.deadlineAt + 4 * MINUTE);
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
