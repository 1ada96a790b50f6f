import type { TokenSource } from '../../src/ports.ts';
import { checkTokenSource, type TokenSourceFault } from '../../src/testing/port-checks/check-token-source.ts';
import { describe, expect, it } from 'vitest';
import { jwt } from '../support/jwt.ts';

/** An SDK that looks after its tokens, with a user who is signed in. */
function openSdk() {
  let count = 0;
  let isSignedIn = true;
  let isOnline = true;
  let cached = '';
  const listeners = new Set<() => void>();
  const renew = (): string => {
    if (!isOnline) throw new TypeError('fetch failed');
    count += 1;
    cached = jwt({ sub: 'user-1', n: count, iat: now(), exp: now() + 3_600 });
    for (const listener of listeners) listener();
    return cached;
  };
  const sdk = {
    now: () => (cached === '' ? renew() : cached),
    renew,
    isSignedIn: () => isSignedIn,
    listeners,
    world: {
      goOffline: () => void (isOnline = false),
      goOnline: () => void (isOnline = true),
      signOut() {
        isSignedIn = false;
        for (const listener of listeners) listener();
      },
    },
  };
  return sdk;
}
const now = () => Math.floor(Date.now() / 1_000);

type Sdk = ReturnType<typeof openSdk>;
const good = (sdk: Sdk): TokenSource => ({
  getToken: async ({ fresh }) => (sdk.isSignedIn() ? (fresh ? sdk.renew() : sdk.now()) : null),
  onChange(listener) {
    sdk.listeners.add(listener);
    return () => sdk.listeners.delete(listener);
  },
});
const bare = (getToken: TokenSource['getToken']): TokenSource => ({ getToken });
const hang = () => new Promise<never>(() => {});

describe('checkTokenSource', () => {
  it('finds nothing wrong with a source that keeps its contract', async () => {
    const sdk = openSdk();
    const isAccepted = async (token: string) => token === sdk.now();
    const { faults, kept } = await checkTokenSource(good(sdk), { ...sdk.world, isAccepted });
    expect(faults).toEqual([]);
    expect(kept).toHaveLength(9);
  });

  it('takes a session by cookie, whose token is empty', async () => {
    const sdk = openSdk();
    const { faults } = await checkTokenSource(bare(async () => ({ accessToken: '', userId: 'user-1' })));
    expect(faults.map(({ id }) => id)).toEqual([]);
    expect(sdk.isSignedIn()).toBe(true);
  });

  const planted: [fault: TokenSourceFault, how: string, source: (sdk: Sdk) => TokenSource][] = [
    ['null-while-signed-in', 'has not loaded its session', () => bare(async () => null)],
    ['fresh-is-cached', 'ignores fresh', (sdk) => bare(async () => (sdk.isSignedIn() ? sdk.now() : null))],
    ['asks-each-time', 'renews at each question', (sdk) => bare(async () => (sdk.isSignedIn() ? sdk.renew() : null))],
    [
      'asks-each-time',
      'does not keep the fresh token',
      (sdk) => {
        const own = sdk.now();
        return bare(async ({ fresh }) => (sdk.isSignedIn() ? (fresh ? sdk.renew() : own) : null));
      },
    ],
    ['not-a-token', 'adds Bearer', (sdk) => bare(async () => `Bearer ${sdk.now()}`)],
    [
      'not-a-token',
      "returns the SDK's own object",
      (sdk) => bare(async () => ({ token: sdk.now() }) as unknown as string),
    ],
    ['not-a-token', 'returns a token with a line break', (sdk) => bare(async () => `${sdk.now()}\nx`)],
    [
      'expired-token',
      'returns an old token',
      (sdk) => ({
        ...good(sdk),
        getToken: async ({ fresh }) =>
          sdk.isSignedIn() ? jwt({ sub: 'user-1', exp: 1_000, n: fresh ? sdk.renew() : sdk.now() }) : null,
      }),
    ],
    [
      'lifetime-not-in-seconds',
      'returns milliseconds',
      (sdk) => ({
        ...good(sdk),
        getToken: async (o) => {
          const token = await good(sdk).getToken(o);
          return typeof token === 'string' ? { accessToken: token, expiresIn: 3_600_000 } : null;
        },
      }),
    ],
    [
      'lifetime-not-in-seconds',
      'returns a point in time',
      (sdk) => ({
        ...good(sdk),
        getToken: async (o) => {
          const token = await good(sdk).getToken(o);
          return token === null
            ? null
            : { accessToken: `opaque${String(token).length}${o.fresh ? sdk.renew() : sdk.now()}`, expiresIn: now() };
        },
      }),
    ],
    [
      'not-accepted',
      'returns the token of another API',
      (sdk) => ({
        ...good(sdk),
        getToken: async (o) => {
          const token = await good(sdk).getToken(o);
          return token === null ? null : `other${String(token)}`;
        },
      }),
    ],
    ['never-settles', 'opens a sign-in and waits for it', () => bare(hang)],
    [
      'never-settles',
      'waits for ever for a fresh token',
      (sdk) => bare(({ fresh }) => (fresh ? hang() : good(sdk).getToken({ fresh }))),
    ],
    [
      'throws',
      'throws at once',
      () =>
        bare(() => {
          throw new Error('not loaded');
        }),
    ],
    [
      'null-in-an-outage',
      'takes an outage for a sign-out',
      (sdk) => ({
        ...good(sdk),
        getToken: (o) =>
          good(sdk)
            .getToken(o)
            .catch(() => null),
      }),
    ],
    [
      'token-after-sign-out',
      'keeps the token',
      (sdk) => ({ ...good(sdk), getToken: async ({ fresh }) => (fresh ? sdk.renew() : sdk.now()) }),
    ],
    [
      'throws-when-signed-out',
      'throws after the sign-out',
      (sdk) => ({
        ...good(sdk),
        getToken: async (o) => (await good(sdk).getToken(o)) ?? Promise.reject(new Error('login_required')),
      }),
    ],
    ['silent-change', 'never calls its listener', (sdk) => ({ ...good(sdk), onChange: () => () => {} })],
    [
      'no-unsubscribe',
      'returns no function',
      (sdk) => ({
        ...good(sdk),
        onChange: (listener) => void sdk.listeners.add(listener) as unknown as () => void,
      }),
    ],
    [
      'no-unsubscribe',
      'reports after the unsubscription',
      (sdk) => ({
        ...good(sdk),
        onChange(listener) {
          sdk.listeners.add(listener);
          return () => {};
        },
      }),
    ],
  ];

  it.each(planted)('finds "%s", and only that, in a source that %s', async (fault, _how, plant) => {
    const sdk = openSdk();
    const isAccepted = async (token: string) => !token.startsWith('other');
    const { faults } = await checkTokenSource(plant(sdk), {
      ...sdk.world,
      isAccepted,
      timeoutMs: fault === 'never-settles' ? 50 : 5_000,
    });
    expect(faults.map(({ id }) => id)).toEqual([fault]);
    for (const { what, cost } of faults) expect(`${what} ${cost}`).toMatch(/^[A-Za-z].*\. .*\.$/);
  });
});
