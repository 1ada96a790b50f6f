import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AccessToken,
  describeToken,
  expiryMarginMs,
  type IssuedToken,
  isExpiringSoon,
  isUsable,
  refreshWindowMs,
} from '../../../src/services/auth/access-token.ts';
import { jwt } from '../../support/jwt.ts';
import { T0 } from '../../../src/testing/virtual-clock.ts';

const seconds = T0 / 1_000;

type DescribeOptions = Partial<Record<'isSkewKnown' | 'isFresh', boolean> & { skewMs: number }>;

const describeAt = (
  issued: IssuedToken,
  { skewMs = 0, isSkewKnown = skewMs !== 0, isFresh = false }: DescribeOptions = {},
) => describeToken(issued, { generation: 7, sentAt: T0, skewMs, isSkewKnown, isFresh });

const living = (ttlMs: number | null, expiresAt: number | null = T0): AccessToken => ({
  value: 'secret',
  generation: 1,
  expiresAt,
  ttlMs,
  userId: null,
});

describe('describeToken', () => {
  it('keeps the value and the generation', () => {
    expect(describeAt({ accessToken: 'opaque' })).toMatchObject({ value: 'opaque', generation: 7 });
  });

  it('counts the lifetime that the server states from the time of sending', () => {
    expect(describeAt({ accessToken: 'opaque', expiresIn: 3_600 })).toMatchObject({
      ttlMs: 3_600_000,
      expiresAt: T0 + 3_600_000,
    });
  });

  it('reads the lifetime as text, as auth V2 sends it', () => {
    expect(describeAt({ accessToken: 'opaque', expiresIn: '3600' })).toMatchObject({
      ttlMs: 3_600_000,
      expiresAt: T0 + 3_600_000,
    });
  });

  it('prefers the stated lifetime to the claims, so that a wrong clock does no harm', () => {
    const accessToken = jwt({ iat: seconds - 7_200, exp: seconds - 3_600 });
    expect(describeAt({ accessToken, expiresIn: 60 }, { skewMs: 500_000 })).toMatchObject({
      ttlMs: 60_000,
      expiresAt: T0 + 60_000,
    });
  });

  it('falls back to the claims of a token of unknown age', () => {
    expect(describeAt({ accessToken: jwt({ iat: seconds - 100, exp: seconds + 200 }) })).toMatchObject({
      ttlMs: 300_000,
      expiresAt: T0 + 200_000,
    });
  });

  it("converts the claims from the server's clock to the local clock", () => {
    const accessToken = jwt({ iat: seconds, exp: seconds + 300 });
    // The server's clock is an hour ahead of ours: by ours, the token dies an hour earlier than it says.
    expect(describeAt({ accessToken }, { skewMs: 3_600_000 }).expiresAt).toBe(T0 + 300_000 - 3_600_000);
    expect(describeAt({ accessToken }, { skewMs: -3_600_000 }).expiresAt).toBe(T0 + 300_000 + 3_600_000);
  });

  it('counts the claimed lifetime of a fresh token from the time of sending, whatever the clocks say', () => {
    const accessToken = jwt({ iat: seconds - 7_200, exp: seconds - 6_900 });
    expect(describeAt({ accessToken }, { isFresh: true, skewMs: 500_000, isSkewKnown: false })).toMatchObject({
      ttlMs: 300_000,
      expiresAt: T0 + 300_000,
    });
    expect(describeAt({ accessToken, expiresIn: 60 }, { isFresh: true }).expiresAt).toBe(T0 + 60_000);
    expect(describeAt({ accessToken: jwt({ exp: seconds + 19 }) }, { isFresh: true }).expiresAt).toBe(T0 + 19_000);
  });

  it.each([true, false])(
    'leaves the expiry open where only a clock of which nothing is known says that the token is dead (fresh: %s)',
    (isFresh) => {
      const accessToken = jwt({ exp: seconds - 3_600 });
      expect(describeAt({ accessToken }, { isFresh }).expiresAt).toBeNull();
      expect(describeAt({ accessToken }, { isFresh, isSkewKnown: true }).expiresAt).toBe(T0 - 3_600_000);
    },
  );

  it('believes the `exp` of a fresh token where a known clock says that it was issued dead', () => {
    const old = jwt({ iat: seconds - 600, exp: seconds - 300 });
    expect(describeAt({ accessToken: old }, { isFresh: true, isSkewKnown: true }).expiresAt).toBe(T0 - 300_000);
    // Within the precision of the clock the stated lifetime counts.
    const young = jwt({ iat: seconds - 70, exp: seconds - 10 });
    expect(describeAt({ accessToken: young }, { isFresh: true, isSkewKnown: true }).expiresAt).toBe(T0 + 60_000);
  });

  it('knows the expiry but not the lifetime of a token with `exp` alone', () => {
    expect(describeAt({ accessToken: jwt({ exp: seconds + 200 }) })).toMatchObject({
      ttlMs: null,
      expiresAt: T0 + 200_000,
    });
  });

  it('ignores a claimed lifetime that ends before it begins', () => {
    expect(describeAt({ accessToken: jwt({ iat: seconds, exp: seconds }) }).ttlMs).toBeNull();
    expect(describeAt({ accessToken: jwt({ iat: seconds, exp: seconds - 1 }) }).ttlMs).toBeNull();
  });

  const [header = '', payload = ''] = jwt({ exp: seconds + 200, sub: 'ann' }).split('.');
  it.each([
    'opaque',
    '',
    'a.b.c',
    'a.b',
    jwt({}),
    `${header}.bnVsbA.x`,
    `${header}.${payload}`,
    `${header}.${payload}.x.y.z`,
    `${header}.${Buffer.from('{"sub":"\xe9"}', 'latin1').toString('base64url')}.x`,
  ])('treats %j as a token of unknown expiry', (accessToken) => {
    expect(describeAt({ accessToken })).toMatchObject({ ttlMs: null, expiresAt: null, userId: null });
  });

  it.each(['soon', '', 0, -60, Number.NaN, 'NaN'])('ignores the lifetime %j and reads the claims', (expiresIn) => {
    const accessToken = jwt({ iat: seconds - 100, exp: seconds + 200 });
    expect(describeAt({ accessToken, expiresIn })).toMatchObject({ ttlMs: 300_000, expiresAt: T0 + 200_000 });
  });

  it.each([{ sub: 42 }, { user_id: null }, { id: {} }, { uid: ['x'] }, { iat: 'yesterday' }])(
    'still sees the expiry of a token with the odd claim %j',
    (odd) => {
      expect(describeAt({ accessToken: jwt({ ...odd, exp: seconds + 300 }) }).expiresAt).toBe(T0 + 300_000);
    },
  );

  it('reads the user of a token whose expiry is malformed', () => {
    expect(describeAt({ accessToken: jwt({ exp: 'never', sub: 'ann' }) })).toMatchObject({
      expiresAt: null,
      userId: 'ann',
    });
  });

  it.each([
    [{ user_id: 'a', uid: 'b', id: 'c', sub: 'd' }, 'a'],
    [{ uid: 'b', id: 'c', sub: 'd' }, 'b'],
    [{ id: 'c', sub: 'd' }, 'c'],
    [{ id: 42 }, '42'],
    [{ sub: 'd' }, 'd'],
    [{ sub: 42 }, '42'],
    [{}, null],
  ])('reads the user from the claims %j', (claims, userId) => {
    expect(describeAt({ accessToken: jwt(claims) }).userId).toBe(userId);
  });

  it('reads a user id in any script', () => {
    expect(describeAt({ accessToken: jwt({ sub: 'jürgen 日本 👍?>' }) }).userId).toBe('jürgen 日本 👍?>');
  });

  it('prefers the user id that the server states to the claims', () => {
    expect(describeAt({ accessToken: jwt({ sub: 'claimed' }), userId: 'told' }).userId).toBe('told');
  });

  it('accepts every text and never throws', () => {
    fc.assert(
      fc.property(fc.string(), fc.anything(), (accessToken, claims) => {
        const odd = `x.${Buffer.from(JSON.stringify(claims) ?? '').toString('base64url')}.y`;
        expect(describeAt({ accessToken }).value).toBe(accessToken);
        expect(describeAt({ accessToken: odd }).value).toBe(odd);
      }),
    );
  });
});

describe('expiryMarginMs', () => {
  it.each([
    [3_600_000, 10_000],
    [100_001, 10_000],
    [100_000, 10_000],
    [60_000, 6_000],
    [8_000, 800],
    [5_000, 500],
    [300, 500],
    [null, 10_000],
  ])('of a lifetime of %j ms is %j ms: a tenth, at least half a second, at most 10 s', (ttlMs, margin) => {
    expect(expiryMarginMs({ ttlMs })).toBe(margin);
  });
});

describe('refreshWindowMs', () => {
  it.each([
    [3_600_000, 300_000],
    [600_001, 300_000],
    [600_000, 300_000],
    [300_000, 150_000],
    [60_000, 30_000],
    [null, 300_000],
  ])('of a lifetime of %j ms is %j ms: 5 minutes, at most half of the lifetime', (ttlMs, window) => {
    expect(refreshWindowMs({ ttlMs })).toBe(window);
  });
});

describe('isUsable', () => {
  it('is true until the margin before the expiry, and not one ms longer', () => {
    const token = living(3_600_000);
    expect(isUsable(token, T0 - 10_001)).toBe(true);
    expect(isUsable(token, T0 - 10_000)).toBe(false);
    expect(isUsable(token, T0 + 1)).toBe(false);
  });

  it('is true for a token of unknown expiry, because only the server can decide', () => {
    expect(isUsable(living(null, null), Number.MAX_SAFE_INTEGER)).toBe(true);
  });

  it('is true for a fresh token, however short its lifetime', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 86_400 }), (expiresIn) => {
        const token = describeAt({ accessToken: 'opaque', expiresIn });
        expect(isUsable(token, T0)).toBe(true);
        expect(isExpiringSoon(token, T0)).toBe(false);
        expect(isUsable(token, T0 + expiresIn * 1_000)).toBe(false);
      }),
    );
  });
});

describe('isExpiringSoon', () => {
  it('begins with the refresh window', () => {
    const token = living(3_600_000);
    expect(isExpiringSoon(token, T0 - 300_001)).toBe(false);
    expect(isExpiringSoon(token, T0 - 300_000)).toBe(true);
  });

  it('is true for an expired token', () => {
    expect(isExpiringSoon(living(60_000), T0 + 3_600_000)).toBe(true);
  });

  it('is never true for a token of unknown expiry', () => {
    expect(isExpiringSoon(living(null, null), Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});
