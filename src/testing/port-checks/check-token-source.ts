import type { IssuedToken } from '../../services/auth/access-token.ts';
import { claimedExpiry, isSendable } from '../../services/auth/access-token.ts';
import type { TokenSource } from '../../ports.ts';
import { openReport, type PortReport, type Settled, settledWithin } from './report.ts';

/** What can be wrong with a `TokenSource`. */
export type TokenSourceFault =
  | 'null-while-signed-in'
  | 'fresh-is-cached'
  | 'asks-each-time'
  | 'not-a-token'
  | 'expired-token'
  | 'lifetime-not-in-seconds'
  | 'not-accepted'
  | 'never-settles'
  | 'throws'
  | 'null-in-an-outage'
  | 'token-after-sign-out'
  | 'throws-when-signed-out'
  | 'silent-change'
  | 'no-unsubscribe';

export interface TokenSourceCheckOptions {
  /** Whether the API accepts the token. @default every token that a header can carry */
  isAccepted?: (accessToken: string) => Promise<boolean>;
  /** Cuts the source off from its server. Without it an outage is not checked. */
  goOffline?: () => void | Promise<void>;
  /** Ends `goOffline`. */
  goOnline?: () => void | Promise<void>;
  /** Signs the user out. Without it the sign-out is not checked. */
  signOut?: () => void | Promise<void>;
  /** How long a question may take, ms. @default 15_000 */
  timeoutMs?: number;
}

const texts = {
  'null-while-signed-in': [
    'The source brings null although a user is signed in.',
    'The assessment pauses until a sign-in that is not needed. Wait until the SDK has loaded its session, then answer.',
  ],
  'fresh-is-cached': [
    'The source brings the cached token when a fresh one is asked for.',
    'A token that the server refuses is sent again and again. Pass fresh on: forceRefresh, cacheMode "off", ignoreCache.',
  ],
  'asks-each-time': [
    'The source brings another token at each question.',
    'Each call costs a refresh, until the auth service limits the client. Ask the SDK for its cached token unless fresh is true.',
  ],
  'not-a-token': [
    'What the source brings is not a token.',
    'Each call fails. Return the access token alone, without "Bearer" and without line breaks, or { accessToken }.',
  ],
  'expired-token': [
    'The source brings a token that has expired.',
    'It is refused at once. Let the SDK renew it before you return it.',
  ],
  'lifetime-not-in-seconds': [
    'expiresIn is not a lifetime in seconds.',
    'The token is sent long after its expiry. Convert a time or milliseconds, or leave it out.',
  ],
  'not-accepted': [
    'The API refuses the token of the source.',
    'Each call is refused. Ask for the token of this API: the audience or the scope is another one, or it is an ID token.',
  ],
  'never-settles': [
    'A question is not answered in time.',
    'Calls wait for it. Do not open a sign-in from getToken; return null.',
  ],
  throws: ['The source throws although a user is signed in.', 'It counts as an outage, and no call is made.'],
  'null-in-an-outage': [
    'The source brings null when it cannot reach its server.',
    'The user is asked to sign in although the session is good. Let the error through.',
  ],
  'token-after-sign-out': [
    'The source brings a token after the sign-out.',
    'The next user acts as the one before. Return null.',
  ],
  'throws-when-signed-out': [
    'The source throws after the sign-out.',
    'It counts as an outage, and the user is never asked to sign in. Return null when the SDK says that a login is required.',
  ],
  'silent-change': [
    'onChange reports no sign-out.',
    'The page shows the jobs of a user who has left. Call the listener from the event of the SDK.',
  ],
  'no-unsubscribe': [
    'onChange returns no function that ends it, or still reports after it.',
    'Each client leaves a listener behind. Return the unsubscription of the SDK.',
  ],
} as const;

/**
 * Runs a `TokenSource` with a user who is signed in, and says in plain words what is wrong with it. With `signOut` it ends the session.
 *
 * @example
 * const { faults } = await checkTokenSource(source, { signOut: () => sdk.signOut() });
 * expect(faults).toEqual([]);
 */
export async function checkTokenSource(
  source: TokenSource,
  options: TokenSourceCheckOptions = {},
): Promise<PortReport<TokenSourceFault>> {
  const found = openReport<TokenSourceFault>(texts);
  const { isAccepted, goOffline, goOnline, signOut, timeoutMs = 15_000 } = options;
  const ask = (fresh: boolean) => settledWithin(timeoutMs, () => source.getToken({ fresh }));

  // --- a user who is signed in
  const first = await ask(false);
  const token = tokenIn(first, found);
  if (token === null) return found.report;
  found.report.kept.push('a user who is signed in has a token');
  const cached = tokenIn(await ask(false), found);
  found.expect(cached === null || cached === token, 'a question costs no refresh', 'asks-each-time');
  if (isAccepted) found.expect(await isAccepted(token), 'the API accepts the token', 'not-accepted');

  let changes = 0;
  const unsubscribe: unknown = source.onChange?.(() => (changes += 1));
  const fresh = tokenIn(await ask(true), found);
  if (fresh !== null) {
    found.expect(token === '' || fresh !== (cached ?? token), 'a fresh token is another one', 'fresh-is-cached');
    const next = tokenIn(await ask(false), found);
    found.expect(next === null || next === fresh, 'the fresh token is kept', 'asks-each-time');
  }

  // --- an outage
  if (goOffline) {
    await goOffline();
    const settled = await ask(true);
    if (settled.type === 'pending') found.fault('never-settles');
    const isNull = settled.type === 'resolved' && settled.value === null;
    found.expect(!isNull, 'an outage is no sign-out', 'null-in-an-outage');
    await goOnline?.();
  }

  // --- a sign-out
  if (!signOut) {
    end(unsubscribe);
    return found.report;
  }
  const before = changes;
  await signOut();
  const last = await ask(false);
  if (last.type === 'pending') found.fault('never-settles');
  else if (last.type === 'rejected') found.fault('throws-when-signed-out');
  else found.expect(last.value === null, 'after a sign-out there is no token', 'token-after-sign-out');
  if (!source.onChange) return found.report;
  found.expect(changes > before, 'onChange reports a sign-out', 'silent-change');
  const after = changes;
  if (!end(unsubscribe)) found.fault('no-unsubscribe');
  else {
    await signOut();
    found.expect(changes === after, 'onChange can be ended', 'no-unsubscribe');
  }
  return found.report;
}

function end(unsubscribe: unknown): boolean {
  if (typeof unsubscribe !== 'function') return false;
  (unsubscribe as () => void)();
  return true;
}

/** The token that an answer holds; null, and a fault, where it holds none that can be used. */
function tokenIn(
  settled: Settled<string | IssuedToken | null>,
  found: ReturnType<typeof openReport<TokenSourceFault>>,
): string | null {
  if (settled.type === 'pending') return (found.fault('never-settles'), null);
  if (settled.type === 'rejected') {
    const { error } = settled;
    return (found.fault('throws', error instanceof Error ? `It threw: ${error.message}` : ''), null);
  }
  const { value } = settled;
  if (value === null) return (found.fault('null-while-signed-in'), null);
  const issued: IssuedToken = typeof value === 'string' ? { accessToken: value } : value;
  const token: unknown = issued?.accessToken;
  const isToken = typeof token === 'string' && (token !== '' || issued.userId !== undefined);
  if (!isToken || !isSendable(token) || /^bearer /i.test(token)) return (found.fault('not-a-token'), null);
  const expiry = claimedExpiry(token);
  const now = Date.now();
  if (expiry !== null && expiry <= now) found.fault('expired-token');
  const seconds = Number(issued.expiresIn ?? 1);
  // Milliseconds are a thousand times as many, and a point in time is millions.
  const limit = expiry === null ? YEAR_S : 100 * Math.max((expiry - now) / 1_000, 3_600);
  if (!(seconds > 0) || seconds > limit) found.fault('lifetime-not-in-seconds');
  return token;
}

const YEAR_S = 365 * 24 * 3_600;
