import type { AssessmentClientOptions, RefusalCause } from 'assessment-monitor';
import { describe, expect, it } from 'vitest';
import { jwt } from '../support/jwt.ts';
import { flat, invalidToken, openScriptedWorld, type Script, status } from '../support/scripted-world.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const dateOf = (at: number) => ({ date: new Date(at).toUTCString() });

/** The causes of the refusals in order; equal ones in a row count once. */
async function causesOf(
  script: Script,
  session: { accessToken: string; expiresIn?: number },
  options: Partial<AssessmentClientOptions> = {},
): Promise<RefusalCause[]> {
  const world = openScriptedWorld(script, { socket: false, ...options });
  world.client.signedIn({ userId: 'user-1', ...session });
  world.submit();
  await world.run(2 * MINUTE);
  world.close();
  const causes = world.events.flatMap((it) => (it.type === 'request.finished' && it.cause ? [it.cause] : []));
  const unauthorised = world.events.filter((it) => it.type === 'request.finished' && it.outcome === 'unauthorized');
  expect(causes).toHaveLength(unauthorised.length);
  return causes.filter((cause, index) => cause !== causes[index - 1]);
}

/** The status route refuses this token, and takes every other one. */
const refusing = (token: string, answer = invalidToken(), after = 0): Script => ({
  status: (call) => (call.token === token && call.count > after ? answer : status('processing')),
});
const known = { accessToken: 'first', expiresIn: 3_600 };

describe('the cause of a refused token', () => {
  it('is `revoked` for a token that the server has accepted before', async () => {
    expect(await causesOf(refusing('first', invalidToken(), 2), known)).toEqual(['revoked']);
  });

  it('is `unknown` for a token of unknown lifetime', async () => {
    const causes = await causesOf(refusing('first', invalidToken(), 2), { accessToken: 'first' });
    expect(causes).toEqual(['unknown']);
  });

  it('is `unknown` for the token of a sign-in that the server has never accepted', async () => {
    const { status: refuse } = refusing('first');
    const causes = await causesOf(refuse ? { submit: refuse, status: refuse } : {}, known);
    expect(causes).toEqual(['unknown']);
  });

  it('is `outage` for a fresh token that is refused too', async () => {
    let calls = 0;
    const script: Script = { status: () => ((calls += 1) > 1 && calls < 5 ? invalidToken() : status('processing')) };
    expect(await causesOf(script, known)).toEqual(['revoked', 'outage']);
  });

  it('is `expired` for a token that expires while the request is under way', async () => {
    const script: Script = {
      status: async ({ token }) => {
        if (token !== 'first') return status('processing');
        await world.clock.sleep(70 * SECOND);
        return invalidToken();
      },
    };
    const world = openScriptedWorld(script, {
      socket: false,
      timings: { timeouts: { status: 5 * MINUTE } },
    });
    world.client.signedIn({ userId: 'user-1', accessToken: 'first', expiresIn: 60 });
    world.submit();
    await world.run(3 * MINUTE);
    world.close();
    const causes = world.events.flatMap((it) => (it.type === 'request.finished' && it.cause ? [it.cause] : []));
    expect(causes).toEqual(['expired']);
  });

  it.each([
    ['TOKEN_EXPIRED', 'expired'],
    ['TOKEN_REVOKED', 'revoked'],
  ] as const)('is the word of the server, where its code is %s', async (code, cause) => {
    expect(await causesOf(refusing('first', flat(401, code), 2), { accessToken: 'first' })).toEqual([cause]);
  });

  it.each([403, 419, 498])('is `dialect` for a good token that is refused with status %i', async (code) => {
    const answer = flat(code, code === 403 ? 'INVALID_TOKEN' : 'X');
    expect(await causesOf(refusing('first', answer, 2), known)).toEqual(['dialect']);
  });

  it("is `skew` for a token that has expired by the server's clock only", async () => {
    // The clock of the page is ten minutes slow, and the token says when it expires by the clock of the server.
    const now = openScriptedWorld().clock.now();
    const token = jwt({ sub: 'user-1', exp: Math.floor((now + 5 * MINUTE) / SECOND) });
    const late = invalidToken();
    late[2] = dateOf(now + 10 * MINUTE);
    expect(await causesOf(refusing(token, late), { accessToken: token, expiresIn: 1_800 })).toEqual(['skew']);
  });

  it('is `stale-generation` for a token that a new sign-in has replaced', async () => {
    const world = openScriptedWorld(
      {
        status: async ({ token, count }) => {
          if (token !== 'first' || count !== 3) return status('processing');
          world.client.signedIn({ userId: 'user-1', accessToken: 'second', expiresIn: 3_600 });
          return invalidToken();
        },
      },
      { socket: false },
    );
    world.signIn();
    world.submit();
    await world.run(MINUTE);
    const causes = world.events.flatMap((it) => (it.type === 'request.finished' && it.cause ? [it.cause] : []));
    expect(causes).toEqual(['stale-generation']);
    world.close();
  });
});

describe('the cause of a refused token of auth V1', () => {
  const v1 = { auth: { version: 'v1' } } as const;
  it('is `revoked` for a token that was accepted before, and `outage` for its repetitions', async () => {
    const now = openScriptedWorld().clock.now();
    const token = jwt({ id: 'user-1', exp: Math.floor((now + 3_600 * SECOND) / SECOND) });
    expect(await causesOf(refusing(token, invalidToken(), 2), { accessToken: token }, v1)).toEqual([
      'revoked',
      'outage',
    ]);
  });
});
