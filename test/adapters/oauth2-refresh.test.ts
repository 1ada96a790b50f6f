import { SignInRequiredError } from '../../src/lib/errors.ts';
import { oauth2Refresh } from 'assessment-monitor/adapters';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startForeignServer } from '../support/foreign-server.ts';
import { startServer } from '../support/http-server.ts';

const { signal } = new AbortController();

describe('oauth2Refresh', () => {
  let server: Awaited<ReturnType<typeof startForeignServer>>;
  beforeEach(async () => {
    server = await startForeignServer('rest');
  });
  afterEach(() => server.close());
  const refreshOf = (more: object = {}) =>
    oauth2Refresh({ tokenEndpoint: `${server.url}/oauth2/token`, clientId: 'web', ...more });

  it('exchanges a refresh token for the next pair, and the first one is used up', async () => {
    const { refreshToken } = server.signIn();
    const refresh = refreshOf();
    const issued = await refresh({ refreshToken, signal });
    expect(issued).toMatchObject({ accessToken: expect.stringMatching(/^ey/) as string, expiresIn: 600 });
    expect(issued.refreshToken).not.toBe(refreshToken);
    await expect(refresh({ refreshToken, signal })).rejects.toBeInstanceOf(SignInRequiredError);
    expect(await refresh({ refreshToken: issued.refreshToken ?? null, signal })).toHaveProperty('accessToken');
  });

  it('asks for a sign-in where there is no refresh token, and sends nothing', async () => {
    await expect(refreshOf()({ refreshToken: null, signal })).rejects.toBeInstanceOf(SignInRequiredError);
    expect(server.seen.refreshes).toBe(0);
  });

  it('reads a limit as a limit, with its wait', async () => {
    server.mood.refresh = 'limited';
    const { refreshToken } = server.signIn();
    const expected = { code: 'rate-limited', maybeDone: false, retryAfterMs: 1_000 };
    await expect(refreshOf()({ refreshToken, signal })).rejects.toMatchObject(expected);
  });

  it.each([
    ['another refusal of OAuth', 401, { error: 'invalid_client' }, false],
    ['a 503', 503, {}, false],
    ['a 500, after which the token may have been rotated', 500, {}, true],
    ['a page of something in front', 403, '<html>', true],
  ])('ends no session after %s', async (_what, status, body, maybeDone) => {
    const front = await startServer();
    front.reply(status, body);
    const refresh = refreshOf({ tokenEndpoint: front.url });
    await expect(refresh({ refreshToken: 'r', signal })).rejects.toMatchObject({ code: 'unavailable', maybeDone });
    await front.close();
  });

  it('sends the form of RFC 6749, and follows no redirect with it', async () => {
    const sent: RequestInit[] = [];
    const fetch = (_url: unknown, init: RequestInit) => (sent.push(init), Promise.resolve(Response.json({})));
    const refresh = refreshOf({ scope: 'assess', fetch });
    await expect(refresh({ refreshToken: 'r/1', signal })).rejects.toThrow('without an access_token');
    expect(sent[0]).toMatchObject({
      method: 'POST',
      redirect: 'error',
      body: 'grant_type=refresh_token&refresh_token=r%2F1&client_id=web&scope=assess',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
  });

  it('keeps the refresh token of a server that does not rotate', async () => {
    const fetch = () => Promise.resolve(Response.json({ access_token: 'a', expires_in: 'soon' }));
    expect(await refreshOf({ fetch })({ refreshToken: 'r', signal })).toMatchObject({
      accessToken: 'a',
      refreshToken: undefined,
    });
  });
});
