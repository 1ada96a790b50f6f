import { describe, expect, it } from 'vitest';
import {
  accepted,
  invalidToken,
  ok,
  openScriptedWorld,
  type Reply,
  result,
  type Script,
  status,
  nested,
  flat,
  never,
  openSubmitted,
  type ScriptedOptions,
  type ScriptedWorld,
} from '../support/scripted-world.ts';

/* The server that users have, one oddity at a time, in virtual time around the real client. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const nothingLeft = { timers: 0, requests: 0, sockets: 0 };

/** Opens a world in which a signed-in user has submitted, with a live socket. */
const listening = async (script?: Script, options?: ScriptedOptions) => {
  const world = await openSubmitted(script, options);
  world.sockets.socket.goLive();
  await world.run(2 * SECOND);
  expect(world.state()).toBe('ws-monitoring');
  return world;
};
const sentTokens = (world: Awaited<ReturnType<typeof openSubmitted>>) =>
  world.sockets.sockets.flatMap(({ sent }) => sent.map(({ payload }) => (payload as { token: string }).token));

describe('the feed', () => {
  it("opens with Socket.IO's own order of transports by default", async () => {
    const world = await listening();
    expect(world.sockets.socket.options).toMatchObject({ transports: ['polling', 'websocket'] });
    expect(world.close()).toEqual(nothingLeft);
  });

  it('that dies in its handshake without a reason is probed over HTTP: refreshed once, and connected with the new token', async () => {
    const world = await openSubmitted({
      submit: ({ token }) => (token === 'first' ? accepted() : invalidToken()),
      status: ({ token }) => (token === 'first' ? invalidToken() : status('processing')),
    });
    world.sockets.socket.fire('connect_error', new Error('websocket error'));
    await world.run(2 * SECOND);
    expect(world.count('refresh')).toBe(1);
    world.sockets.socket.goLive();
    await world.run(SECOND);
    expect(sentTokens(world)).toEqual(['fresh-1']);
    expect([world.state(), world.sockets.sockets.length <= 3]).toEqual(['ws-monitoring', true]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('that is refused in the middle of a job costs one refresh and a new socket, and the job continues', async () => {
    let isDead = false;
    const world = await listening({
      status: ({ token }) => (isDead && token === 'first' ? invalidToken() : status('processing')),
    });
    isDead = true;
    world.sockets.socket.fire('auth_error', { message: 'Invalid or expired token' });
    await world.run(30 * SECOND);
    while (!world.sockets.socket.isOpen) await world.run(SECOND);
    world.sockets.socket.goLive();
    await world.run(SECOND);
    expect([world.count('refresh'), world.count('submit'), world.state()]).toEqual([1, 1, 'ws-monitoring']);
    expect(sentTokens(world)).toEqual(['first', 'fresh-1']);
    expect(world.close()).toEqual(nothingLeft);
  });

  const finished = { status: 'completed', result_id: 'result-1' };

  it.each([
    ['as the real server does', finished],
    ['with the id of the job', { ...finished, jobId: 'job-1' }],
  ])('that names the result, %s, has it requested without a wait, and once', async (_how, payload) => {
    const world = await listening();
    world.sockets.socket.fire('analysis-complete', payload);
    expect(world.state()).toBe('fetching-result');
    await world.run(0);
    expect(world.count('result')).toBe(1);
    await world.run(SECOND);
    expect([world.phase(), world.count('result')]).toEqual(['completed', 1]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('that names the result of another job has nothing asked for', async () => {
    const world = await listening();
    world.sockets.socket.fire('analysis-complete', { ...finished, result_id: 'result-2' });
    await world.run(SECOND);
    expect([world.phase(), world.count('result')]).toEqual(['waiting', 0]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('that names the result while the token is in doubt has a token asked for first', async () => {
    const world = await listening({ status: ({ count }) => (count > 2 ? invalidToken() : status('processing')) });
    await world.run(MINUTE);
    world.sockets.socket.fire('analysis-complete', finished);
    await world.run(5 * SECOND);
    expect(world.phase()).toBe('completed');
    expect(world.calls.filter(({ route }) => route === 'result').map(({ token }) => token)).toEqual(['fresh-1']);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('that names the result leaves no call behind when the user gives up in the middle of it', async () => {
    const world = await listening({ result: never });
    world.sockets.socket.fire('analysis-complete', finished);
    await world.run(SECOND);
    world.assessment.cancel();
    await world.run(0);
    expect([world.phase(), world.count('result')]).toEqual(['cancelled', 1]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('whose new token is never answered stays as it is, and is still heard', async () => {
    const world = await listening();
    await world.client.ensureValidToken(true);
    await world.run(MINUTE);
    expect([sentTokens(world), world.sockets.sockets.length]).toEqual([['first', 'fresh-1'], 1]);
    world.sockets.socket.fire('analysis-complete', { status: 'completed', result_id: 'result-1' });
    await world.run(SECOND);
    expect(world.phase()).toBe('completed');
    expect(world.close()).toEqual(nothingLeft);
  });

  it('that takes four seconds to connect lets polling begin, and then takes over without a gap or a second result', async () => {
    const world = await openSubmitted();
    await world.run(4 * SECOND);
    expect(world.state()).toBe('polling');
    const polls = world.count('status');
    expect(polls).toBeGreaterThanOrEqual(2);
    world.sockets.socket.goLive();
    await world.run(SECOND);
    expect([world.state(), world.count('status')]).toEqual(['ws-monitoring', polls + 1]);
    world.sockets.socket.fire('analysis-complete', { result_id: 'result-1' });
    world.sockets.socket.fire('analysis-complete', { jobId: 'job-1', result_id: 'result-1' });
    await world.run(SECOND);
    expect([world.phase(), world.count('result')]).toEqual(['completed', 1]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('that was not listening yet when the job ended is no loss: the first look at the job finds out', async () => {
    const world = await openSubmitted({ status: () => status('completed') });
    world.sockets.socket.goLive();
    await world.run(2 * SECOND);
    expect([world.phase(), world.count('status')]).toEqual(['completed', 1]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('that names no job in a terminal event means: ask now', async () => {
    const world = await listening({ status: ({ count }) => status(count <= 2 ? 'processing' : 'completed') });
    world.sockets.socket.fire('analysis-failed', {
      status: 'failed',
      result_id: null,
      error_message: 'of another job',
    });
    await world.run(SECOND);
    expect([world.count('status'), world.phase()]).toEqual([3, 'completed']);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('that is quiet is made sure of now and then, with one look at the job each time', async () => {
    const world = await listening();
    await world.run(5 * MINUTE);
    expect(world.count('status')).toBeGreaterThanOrEqual(6);
    expect(world.count('status')).toBeLessThanOrEqual(9);
    expect(world.close()).toEqual(nothingLeft);
  });
});

describe('polling', () => {
  it('waits as long as the answer to the submission asks for, and then as long as each answer does', async () => {
    const world = await openSubmitted({
      submit: () => [202, { success: true, data: { jobId: 'job-1' } }, { 'retry-after': '7' }],
      status: ({ count }) =>
        count === 1 ? ok({ status: 'processing' }, { 'retry-after': '30' }) : status('processing'),
    });
    const times = () => world.calls.filter(({ route }) => route === 'status').map(({ at }) => Math.round(at / SECOND));
    await world.run(40 * SECOND);
    expect(times().slice(0, 2)).toEqual([7, 37]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it.each<[string, Reply]>([
    ['a 404', nested(404, 'NOT_FOUND')],
    ['an unknown status', status('analyzing')],
    ['a 503', nested(503, 'SERVICE_UNAVAILABLE')],
    ['an HTML page', [502, '<html>Bad Gateway</html>']],
  ])('takes %s right after the submission for "not yet", and for no success', async (_, odd) => {
    const world = await openSubmitted({
      status: ({ count }) => (count <= 3 ? odd : status('completed')),
      job: () => nested(404, 'NOT_FOUND'),
    });
    expect(world.phase()).toBe('waiting');
    await world.run(MINUTE);
    expect([world.phase(), world.count('status')]).toEqual(['completed', 4]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('has a budget of time and not of errors: hundreds of them, and the result is shown all the same', async () => {
    const world = await openSubmitted({
      status: ({ at }) => (at < 25 * MINUTE ? flat(500, 'INTERNAL_ERROR') : status('completed')),
    });
    await world.run(30 * MINUTE);
    expect(world.count('status')).toBeGreaterThan(50);
    expect(world.phase()).toBe('completed');
    expect(world.close()).toEqual(nothingLeft);
  });

  it('is adaptive: every two seconds at first, every ten after two minutes', async () => {
    const world = await openSubmitted();
    const gaps = () => {
      const times = world.calls.filter(({ route }) => route === 'status').map(({ at }) => at);
      return times.slice(1).map((at, index) => at - (times[index] ?? 0));
    };
    await world.run(3 * MINUTE);
    expect(gaps().at(0)).toBeCloseTo(2 * SECOND, -2);
    expect(gaps().at(-1)).toBe(10 * SECOND);
    expect(world.close()).toEqual(nothingLeft);
  });
});

describe('a job', () => {
  it('of which the status route knows nothing more is looked up in the archive', async () => {
    const world = await openSubmitted({
      status: () => nested(404, 'NOT_FOUND'),
      job: ({ count }) => ok({ status: count < 3 ? 'processing' : 'completed', result_id: 'result-1' }),
    });
    await world.run(30 * SECOND);
    expect([world.phase(), world.count('submit')]).toEqual(['completed', 1]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('that the sweeper took for stuck ends as failed, although the status says "processing" for ever; the credit is back', async () => {
    const world = await openSubmitted({
      job: ({ at }) => ok({ status: at > 11 * MINUTE ? 'failed' : 'processing', error_message: 'stuck' }),
      balance: () => ok({ token_balance: 5 }),
    });
    await world.run(9 * MINUTE);
    expect([world.phase(), world.count('job')]).toEqual(['waiting', 0]);
    await world.run(2.5 * MINUTE);
    expect(world.phase()).toBe('delayed');
    await world.run(2.5 * MINUTE);
    expect(world.phase()).toBe('failed');
    expect(world.client.getSnapshot().balance).toBe(5);
    expect(world.close()).toEqual(nothingLeft);
  });

  it.each<[string, Script['job']]>([
    ['is down', () => flat(503, 'SERVICE_UNAVAILABLE')],
    ['knows nothing', () => nested(404, 'NOT_FOUND')],
  ])('that is old is watched on where the archive %s', async (_, job) => {
    const world = await openSubmitted({
      status: ({ at }) => status(at > 15 * MINUTE ? 'completed' : 'processing'),
      ...(job ? { job } : {}),
    });
    await world.run(16 * MINUTE);
    expect(world.phase()).toBe('completed');
    expect(world.close()).toEqual(nothingLeft);
  });

  it.each<[string, Reply]>([
    ['a 404', nested(404, 'RESULT_NOT_FOUND')],
    ['nothing in it', ok({ id: 'result-1', test_result: null })],
    ['a 500', flat(500, 'INTERNAL_ERROR')],
  ])('whose result answers with %s for a while waits for it', async (_, odd) => {
    const world = await openSubmitted({
      status: () => status('completed'),
      result: ({ count }) => (count < 5 ? odd : result()),
    });
    await world.run(MINUTE);
    expect([world.phase(), world.count('result')]).toEqual(['completed', 5]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('whose result is lost without a word is asked for once more after 4 s, beside the first time', async () => {
    const world = await openSubmitted({
      status: () => status('completed'),
      result: ({ count }) => (count === 1 ? never() : result()),
    });
    await world.run(4 * SECOND - 1);
    expect(world.count('result')).toBe(1);
    await world.run(1);
    expect([world.phase(), world.count('result')]).toEqual(['completed', 2]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('whose result never comes is requested twice in 30 s, and not more often', async () => {
    const world = await openSubmitted({ status: () => status('completed'), result: never });
    await world.run(30 * SECOND);
    expect(world.count('result')).toBe(2);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('whose result is not there yet is asked for when the server says so', async () => {
    const world = await openSubmitted({
      status: () => status('completed'),
      result: ({ count }) => (count === 1 ? ok({ test_result: null }, { 'retry-after': '20' }) : result()),
    });
    await world.run(19 * SECOND);
    expect(world.count('result')).toBe(1);
    await world.run(2 * SECOND);
    expect(world.phase()).toBe('completed');
    expect(world.close()).toEqual(nothingLeft);
  });

  it('whose deadline passes while it is paused for a sign-in is looked at first, and then asked about; its id is kept', async () => {
    let isOver = false;
    const world = await openSubmitted({
      refresh: () => nested(401, 'INVALID_REFRESH_TOKEN'),
      status: ({ token }) => (isOver && token === 'first' ? invalidToken() : status('processing')),
    });
    isOver = true;
    await world.run(45 * MINUTE);
    expect(world.phase()).toBe('sign-in-needed');
    const looks = world.count('status');
    world.signIn('second');
    await world.run(SECOND);
    const view = world.views.at(-1);
    expect([view?.phase, view?.jobId, world.count('status')]).toEqual(['delayed', 'job-1', looks + 1]);
    expect(view && 'error' in view && view.error.code).toBe('timed-out');
    world.assessment.keepWaiting();
    await world.run(SECOND);
    expect([world.phase(), world.count('submit')]).toEqual(['waiting', 1]);
    expect(world.close()).toEqual(nothingLeft);
  });
});

describe('a refresh that is under way', () => {
  it('is waited for by the next call: the previous token is about to die', async () => {
    let answer: (reply: Reply) => void = () => {};
    const world = await openSubmitted({ refresh: () => new Promise((resolve) => (answer = resolve)) });
    const token = world.client.ensureValidToken(true);
    const balance = world.client.refreshBalance();
    await world.run(SECOND);
    expect(world.count('balance')).toBe(0);
    answer(ok({ idToken: 'fresh', expiresIn: '3600' }));
    await world.run(0);
    expect([await token, await balance]).toEqual(['fresh', 4]);
    expect(world.calls.filter(({ route }) => route === 'balance')).toMatchObject([{ token: 'fresh' }]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('and hangs holds no call for longer than a request takes, and leaves nothing in one that was given up', async () => {
    const world = await listening({ refresh: never });
    void world.client.ensureValidToken(true).catch(() => {});
    world.sockets.socket.fire('analysis-complete', { status: 'completed', result_id: 'result-1' });
    await world.run(1_999);
    expect(world.count('result')).toBe(0);
    await world.run(1);
    expect([world.phase(), world.count('result')]).toEqual(['completed', 1]);
    const next = world.client.submit({ answers: [2] });
    await world.run(SECOND);
    next.cancel();
    await world.run(MINUTE);
    expect(world.count('submit')).toBe(1);
    expect(world.close()).toEqual(nothingLeft);
  });
});

describe('a refresh whose answer is lost', () => {
  it.each<[string, () => Reply]>([
    ['on its way', () => null],
    ['in an auth service that is down', () => flat(503, 'SERVICE_UNAVAILABLE')],
  ])('%s puts the token in doubt: it is not sent for what the feed would tell as well', async (_where, fate) => {
    const world = await listening({ refresh: fate });
    await world.client.ensureValidToken(true);
    const looks = world.count('status');
    await expect(world.client.refreshBalance()).rejects.toMatchObject({ code: 'unavailable' });
    await world.run(110 * SECOND);
    expect([world.count('status'), world.count('balance'), world.state()]).toEqual([looks, 0, 'ws-monitoring']);
    // A doubt does not last for ever.
    await world.run(MINUTE);
    expect(world.count('status')).toBeGreaterThan(looks);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('is no reason to keep the user waiting: the result is asked for at once', async () => {
    const world = await listening({ refresh: () => null });
    await world.client.ensureValidToken(true);
    world.sockets.socket.fire('analysis-complete', { status: 'completed', result_id: 'result-1' });
    await world.run(0);
    expect(world.phase()).toBe('completed');
    expect(world.close()).toEqual(nothingLeft);
  });

  it('is no reason to wait with a job that may have ended: a hint is looked into at once', async () => {
    const world = await listening({
      refresh: () => null,
      status: ({ count }) => status(count <= 2 ? 'processing' : 'completed'),
    });
    await world.client.ensureValidToken(true);
    world.sockets.socket.fire('analysis-complete', { status: 'completed' });
    await world.run(2 * SECOND);
    expect(world.phase()).toBe('completed');
    expect(world.close()).toEqual(nothingLeft);
  });

  it('does not stop polling: without a feed no other source would report the end', async () => {
    const world = await openSubmitted({ refresh: () => null });
    await world.client.ensureValidToken(true);
    const looks = world.count('status');
    await world.run(10 * SECOND);
    expect(world.count('status')).toBeGreaterThan(looks + 2);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('is followed by another one when the minute is over, and the job is looked at again with its token', async () => {
    const world = openScriptedWorld({
      refresh: ({ count }) => (count === 1 ? null : ok({ idToken: 'fresh', expiresIn: '3600' })),
    });
    world.signIn('first', 200);
    world.submit();
    await world.run(0);
    world.sockets.socket.goLive();
    await world.run(4 * MINUTE);
    const after = world.calls.filter(({ at }) => at > (world.calls.find((it) => it.route === 'refresh')?.at ?? 0));
    expect(after[0]?.route).toBe('refresh');
    expect(after.slice(1).every(({ token }) => token === 'fresh')).toBe(true);
    expect(after.length).toBeGreaterThan(2);
    expect(world.close()).toEqual(nothingLeft);
  });
});

describe('after a cancellation nothing more is sent', () => {
  it.each<[string, Script, number]>([
    ['during a delay between two polls', {}, SECOND],
    ['during a status call', { status: never }, SECOND],
    ['during the result fetch', { status: () => status('completed'), result: never }, SECOND],
    [
      'during the wait for the next try of the result',
      { status: () => status('completed'), result: () => flat(500, 'X') },
      0,
    ],
    ['during the submission', { submit: never }, SECOND],
  ])('%s', async (_, script, ms) => {
    const world = await openSubmitted(script);
    await world.run(ms);
    const { length } = world.calls;
    world.assessment.cancel();
    await world.run(10 * MINUTE);
    expect([world.phase(), world.calls.slice(length)]).toEqual(['cancelled', []]);
    expect(world.close()).toEqual(nothingLeft);
  });
});

describe('the balance', () => {
  const later = (ms: number, reply: Reply, clock: () => ReturnType<typeof openScriptedWorld>['clock']) =>
    new Promise<Reply>((resolve) => void clock().setTimeout(() => resolve(reply), ms));

  it('of a late answer does not undo what the feed reported in between', async () => {
    const world: ScriptedWorld = openScriptedWorld({
      balance: () => later(5 * SECOND, ok({ token_balance: 9 }), () => world.clock),
    });
    world.signIn();
    world.submit();
    await world.run(0);
    world.sockets.socket.goLive();
    const asked = world.client.refreshBalance();
    await world.run(SECOND);
    world.sockets.socket.fire('token-balance-update', { balance: 3 });
    await world.run(5 * SECOND);
    expect(await asked).toBe(9);
    expect(world.client.getSnapshot().balance).toBe(3);
    expect(world.close()).toEqual(nothingLeft);
  });

  it('of a submission that was overtaken by an event is made sure of by asking', async () => {
    const world: ScriptedWorld = openScriptedWorld({
      submit: () => later(5 * SECOND, accepted({ remainingTokens: 9 }), () => world.clock),
      balance: () => ok({ token_balance: 3 }),
    });
    world.signIn();
    world.submit();
    await world.run(0);
    world.sockets.socket.goLive();
    world.sockets.socket.fire('token-balance-update', { balance: 3 });
    await world.run(6 * SECOND);
    expect([world.client.getSnapshot().balance, world.count('balance')]).toEqual([3, 1]);
    expect(world.close()).toEqual(nothingLeft);
  });

  it.each([{ token_balance: 7 }, { tokenBalance: 7 }, { balance: 7 }])(
    'is asked for where the answer does not say it, and read from %j',
    async (data) => {
      const world = await openSubmitted({ submit: () => accepted({ remainingTokens: null }), balance: () => ok(data) });
      expect(world.client.getSnapshot().balance).toBe(7);
      expect(world.close()).toEqual(nothingLeft);
    },
  );
});
