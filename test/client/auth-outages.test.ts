import { isTokenRefused } from 'assessment-monitor';
import { describe, expect, it } from 'vitest';
import { jwt } from '../support/jwt.ts';
import { T0 } from '../../src/testing/virtual-clock.ts';
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
  html,
  redirect,
  openSubmitted,
  type ScriptedOptions,
} from '../support/scripted-world.ts';

/* Who refuses a token, and what it means: the whole client in virtual time, on a server that answers by script. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Without a socket. */
async function submitted(script: Script, options: ScriptedOptions = {}) {
  const world = await openSubmitted(script, { socket: false, ...options });
  return { ...world, tokensOf: (route: string) => sent(world.calls, route) };
}
const sent = (calls: readonly { route: string; token: string | null }[], route: string) =>
  calls.filter((it) => it.route === route).map(({ token }) => token);

/** Takes every token but those that have been issued since. */
const takesOnly = (fresh: RegExp, refusal: () => Reply) =>
  ({
    submit: ({ token }) => (fresh.test(token ?? '') ? accepted() : refusal()),
    status: ({ token }) => (fresh.test(token ?? '') ? status('completed') : refusal()),
    result: ({ token }) => (fresh.test(token ?? '') ? result() : refusal()),
    jobs: ({ token }) => (fresh.test(token ?? '') ? ok([]) : refusal()),
  }) satisfies Script;

const ends = (world: { events: readonly { type: string }[] }) =>
  world.events.filter(({ type }) => type === 'session.ended').length;

describe('a refresh that something in front of the API answers', () => {
  it.each([
    ['the page of a firewall', html(403)],
    ['the JSON of a gateway', [403, { message: 'Forbidden' }] satisfies Reply],
    ['one redirect to a login page', redirect('https://login.test/')],
  ])('keeps the session for %s, and the next one brings a token', async (_case, odd) => {
    const world = await submitted({
      ...takesOnly(/^fresh/, invalidToken),
      refresh: ({ count }) => (count === 1 ? odd : ok({ idToken: 'fresh', expiresIn: 3_600 })),
    });
    await world.run(3 * MINUTE);
    expect([world.phase(), world.count('refresh'), ends(world)]).toEqual(['completed', 2, 0]);
  });
});

describe('a session that is over', () => {
  it('is recognised under a success status: the refresh answers 200 with invalid_grant', async () => {
    const world = await submitted({
      ...takesOnly(/^fresh/, invalidToken),
      refresh: () => [200, { error: 'invalid_grant' }],
    });
    await world.run(5 * SECOND);
    expect([world.phase(), world.count('refresh')]).toEqual(['sign-in-needed', 1]);
    expect(world.assessment.getSnapshot().phase).toBe('sign-in-needed');
  });

  it.each(['https://login.test/', '/login'])('is recognised where every path redirects to %s', async (location) => {
    const world = await submitted({
      submit: ({ token }) => (token === 'next' ? accepted() : redirect(location)),
      refresh: () => redirect(location),
      status: () => status('completed'),
    });
    await world.run(10 * SECOND);
    expect(world.phase()).toBe('sign-in-needed');
    world.client.signedIn({ accessToken: 'next', expiresIn: 3_600, userId: 'user-1' });
    await world.run(10 * SECOND);
    expect(world.phase()).toBe('completed');
  });

  it('is recognised where every path but the refresh redirects', async () => {
    const world = await submitted({ status: () => redirect('https://login.test/') });
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('refresh')]).toEqual(['sign-in-needed', 1]);
  });

  it('is not recognised by one page alone', async () => {
    const world = await submitted({
      status: ({ count }) => (count === 1 ? redirect('https://login.test/') : status('completed')),
    });
    await world.run(MINUTE);
    expect([world.phase(), ends(world)]).toEqual(['completed', 0]);
  });

  it('is recognised with auth V1 by the third page in a row', async () => {
    const world = await submitted(
      { status: () => redirect('https://login.test/') },
      { auth: { version: 'v1' }, session: { accessToken: 'first' } },
    );
    await world.run(MINUTE);
    expect([world.phase(), world.count('status')]).toEqual(['sign-in-needed', 3]);
  });
});

describe('the option auth.isTokenRefused', () => {
  const stale = () => nested(403, 'STALE_CREDENTIAL');

  it('adds a dialect: such an answer leads to one refresh', async () => {
    const world = await submitted(takesOnly(/^fresh/, stale), {
      auth: { isTokenRefused: (hint) => hint.code === 'STALE_CREDENTIAL' || isTokenRefused(hint) },
    });
    await world.run(MINUTE);
    expect([world.phase(), world.count('refresh')]).toEqual(['completed', 1]);
  });

  it.each<[string, Reply]>([
    ['a 403 that names the token', [403, { error: 'token_expired' }]],
    ['a challenge', [403, '', { 'www-authenticate': 'Bearer error="invalid_token"' }]],
  ])('knows %s by default', async (_case, refusal) => {
    const world = await submitted(takesOnly(/^fresh/, () => refusal));
    await world.run(MINUTE);
    expect([world.phase(), world.count('refresh')]).toEqual(['completed', 1]);
  });
});

describe('the options statusWords and progressScale', () => {
  it('reach the reader of the status', async () => {
    const world = await submitted(
      { status: ({ count }) => status(count < 3 ? 'in review' : 'filed', { progress: 0.5 }) },
      { statusWords: { 'in review': 'queued', filed: 'completed' }, progressScale: 'fraction' },
    );
    await world.run(SECOND);
    expect(world.views.at(-1)).toMatchObject({ progress: { status: 'queued', percent: 50 } });
    await world.run(MINUTE);
    expect(world.phase()).toBe('completed');
  });
});

describe('a 401 that the browser hides as a network failure', () => {
  it('costs one refresh after three failures, where the token has not been accepted yet', async () => {
    const world = await submitted(
      { ...takesOnly(/^fresh/, () => null), submit: () => accepted() },
      {
        session: { accessToken: 'first' },
      },
    );
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('refresh')]).toEqual(['completed', 1]);
    expect(world.tokensOf('status').filter((it) => it === 'first')).toHaveLength(3);
  });

  it('is also found when the submission meets it: it is sent again under its key with a new token', async () => {
    const world = await submitted(takesOnly(/^fresh/, () => null));
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('refresh')]).toEqual(['completed', 1]);
  });

  it('is not suspected behind a network that is down for a while', async () => {
    const world = await submitted({ status: ({ at }) => (at < 5 * MINUTE ? null : status('completed')) });
    await world.run(7 * MINUTE);
    expect([world.phase(), world.count('refresh')]).toEqual(['completed', 0]);
  });
});

describe('a token that is refused however fresh it is', () => {
  it('leads to a sign-in after the outage patience, and the job is kept', async () => {
    const world = await submitted({ ...takesOnly(/^next/, invalidToken), submit: () => accepted() });
    await world.run(9 * MINUTE);
    expect(ends(world)).toBe(0);
    await world.run(2 * MINUTE);
    expect([world.phase(), world.assessment.getSnapshot().phase]).toEqual(['sign-in-needed', 'sign-in-needed']);
    expect(world.count('refresh')).toBeLessThanOrEqual(10);
    world.client.signedIn({ accessToken: 'next', expiresIn: 3_600, userId: 'user-1' });
    await world.run(10 * SECOND);
    expect([world.phase(), world.count('submit')]).toEqual(['completed', 1]);
  });
});

describe('a refresh ahead of time that the API refuses', () => {
  const script = (doneAt: number): Script => ({
    status: ({ at }) => status(at > doneAt ? 'completed' : 'processing'),
    refresh: () => nested(401, 'INVALID_REFRESH_TOKEN'),
  });
  const session = { accessToken: 'first', expiresIn: 300, userId: 'user-1' };

  it('leaves the good token in use: the job completes with it', async () => {
    const world = await submitted(script(4 * MINUTE), { session });
    await world.run(295 * SECOND);
    expect([world.phase(), world.count('refresh'), ends(world)]).toEqual(['completed', 1, 0]);
  });

  it('asks for the sign-in when the token is over, and sends nothing with it after that', async () => {
    const world = await submitted(script(10 * MINUTE), { session });
    await world.run(280 * SECOND);
    expect(world.phase()).toBe('waiting');
    await world.run(MINUTE);
    expect([world.phase(), world.count('refresh')]).toEqual(['sign-in-needed', 1]);
    expect(Math.max(...world.calls.map(({ at }) => at))).toBeLessThan(300 * SECOND);
  });
});

describe('a refresh that brings a dead token once', () => {
  it.each([
    ['whose claims state a lifetime', 600],
    ['with `exp` alone', null],
  ])('%s is repeated when the minute is over', async (_case, ttl) => {
    let dead = '';
    const world = openScriptedWorld(
      {
        ...takesOnly(/^fresh/, invalidToken),
        refresh: ({ count, at }) => {
          const exp = Math.floor((world.clock.now() - HOUR) / SECOND);
          dead = jwt({ exp, ...(ttl !== null && { iat: exp - ttl }), at });
          return ok(count === 1 ? { idToken: dead } : { idToken: 'fresh', expiresIn: 3_600 });
        },
      },
      { socket: false },
    );
    world.signIn();
    world.submit();
    await world.run(70 * SECOND);
    expect([world.phase(), world.count('refresh')]).toEqual(['completed', 2]);
  });
});

describe('a device clock of which nothing is known', () => {
  it('that is an hour fast stops no token with `exp` alone, neither of a sign-in nor of a refresh', async () => {
    const clockAheadMs = HOUR;
    let issued = '';
    const world = openScriptedWorld(
      {
        ...takesOnly(/\./, invalidToken),
        status: ({ token, at }) =>
          token === 'first' || token !== issued ? invalidToken() : status(at > MINUTE ? 'completed' : 'processing'),
        refresh: () => {
          issued = jwt({ exp: Math.floor((world.clock.now() - clockAheadMs) / SECOND) + 3_000 });
          return ok({ idToken: issued });
        },
      },
      { socket: false },
    );
    world.client.signedIn({
      accessToken: jwt({ exp: Math.floor((world.clock.now() - clockAheadMs) / SECOND) + 3_000 }),
    });
    world.submit();
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('refresh'), ends(world)]).toEqual(['completed', 1, 0]);
  });

  const v1 = (aheadMs: number, script: Script) => {
    const world = openScriptedWorld(script, { socket: false, auth: { version: 'v1' } });
    const token = jwt({ exp: Math.floor((world.clock.now() - aheadMs) / SECOND) });
    world.client.signedIn({ accessToken: token, userId: 'user-1' });
    world.submit();
    return world;
  };

  it('that is beyond the `exp` of a V1 token ends nothing: the server decides', async () => {
    const world = v1(HOUR, { status: ({ count }) => status(count > 3 ? 'completed' : 'processing') });
    await world.run(MINUTE);
    expect([world.phase(), ends(world)]).toEqual(['completed', 0]);
  });

  it('that is beyond the `exp` of a V1 token leads to a sign-in as soon as the server refuses the token', async () => {
    const world = v1(HOUR, { submit: () => invalidToken() });
    await world.run(SECOND);
    expect([world.phase(), world.count('submit')]).toEqual(['sign-in-needed', 1]);
  });

  const nextMonth = new Date(T0 + 30 * 24 * HOUR).toUTCString();
  it.each<[string, Reply]>([
    ['a proxy with a 502', [502, '<html>', { date: nextMonth }]],
    ['one answer of the API', ok({ status: 'processing' }, { date: nextMonth })],
  ])('is not set by the Date of next month from %s', async (_case, odd) => {
    const world = v1(-HOUR, {
      status: ({ count }) => (count === 2 ? odd : status(count > 4 ? 'completed' : 'queued')),
    });
    await world.run(MINUTE);
    expect([world.phase(), ends(world)]).toEqual(['completed', 0]);
  });
});

describe('an outage of the auth service with auth V1', () => {
  const outage = (untilMs: number, exp: object) => {
    const world = openScriptedWorld(
      { status: ({ at }) => (at < untilMs ? flat(401, 'Authentication failed') : status('completed')) },
      { socket: false, auth: { version: 'v1' } },
    );
    world.client.signedIn({ accessToken: jwt({ id: 'user-1', ...exp }) });
    world.submit();
    return world;
  };
  const longLived = { exp: Math.floor(Date.parse('2099-01-01') / SECOND) };

  it.each([32 * SECOND, 5 * MINUTE])('of %i ms is waited for, and the job continues by itself', async (untilMs) => {
    const world = outage(untilMs, longLived);
    await world.run(untilMs + 20 * SECOND);
    expect([world.phase(), ends(world)]).toEqual(['completed', 0]);
  });

  it('leads to a sign-in when it outlasts the patience', async () => {
    const world = outage(HOUR, longLived);
    await world.run(9 * MINUTE);
    expect(ends(world)).toBe(0);
    await world.run(2 * MINUTE);
    expect(world.phase()).toBe('sign-in-needed');
  });
});
