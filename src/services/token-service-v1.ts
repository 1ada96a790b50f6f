import { Subject } from 'rxjs';
import { SignInRequiredError } from '../errors.ts';
import { type AccessToken, describeToken, isUsable } from './access-token.ts';
import { backoff, type Random } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { KeyValueStore } from './storage.ts';
import type { TokenEvent, TokenService } from './token-service.ts';

export interface TokenServiceV1Options {
  clock: Clock;
  random: Random;
  log: Log;
  /** Where the application keeps the token. It is read at each use: the application owns it. */
  store: KeyValueStore;
  /** Keys to look under, first match wins; a sign-in is stored under the first. */
  keys: readonly [string, ...string[]];
  /** Calls back when another tab changes the storage; returns its unsubscription. */
  onStorageChange: (listener: () => void) => () => void;
}

/** A token that looks good and is refused may mean that the verifier is down: so often it is tried again. */
const MAX_REFUSALS = 4;
const OUTAGE_BACKOFF = { minMs: 500, baseMs: 1_000, capMs: 8_000 };

/** Auth V1: one long-lived token that the application stores. There is no refresh; when it dies, only a sign-in helps. */
export function createTokenServiceV1(options: TokenServiceV1Options): TokenService {
  const { clock, random, log, store, keys, onStorageChange } = options;
  const events$ = new Subject<TokenEvent>();
  let known: { value: string; generation: number } = { value: '', generation: 0 };
  let userId: string | null = null;
  let skewMs = 0;
  let refusals = 0;
  /** The token that was given up. Until another one is stored the session counts as ended. */
  let givenUp: string | null = null;

  const read = (): AccessToken | null => {
    const value = keys.map((key) => unquote(store.get(key))).find((it) => it !== '') ?? '';
    if (value === '') return null;
    if (value !== known.value) {
      known = { value, generation: known.generation + 1 };
      refusals = 0;
    }
    const token = describeToken(
      { accessToken: value },
      { generation: known.generation, receivedAt: clock.now(), skewMs },
    );
    userId = token.userId ?? userId;
    return token;
  };
  const usable = (): AccessToken | null => {
    const token = read();
    return token && token.value !== givenUp && isUsable(token, clock.now()) ? token : null;
  };
  const end = (reason: 'signed-out' | 'rejected'): void => {
    const value = read()?.value ?? '';
    if (givenUp === value) return;
    givenUp = value;
    log({ type: 'session.ended', reason });
    events$.next({ type: 'session.ended', reason });
  };
  /** The application, here or in another tab, may have stored or removed a token since we last looked. */
  const recheck = (): void => {
    if (givenUp !== null && usable()) {
      givenUp = null;
      log({ type: 'session.restored' });
      events$.next({ type: 'session.restored', userId });
    } else if (givenUp === null && known.value !== '' && read() === null) {
      end('signed-out');
    }
  };
  const unsubscribe = onStorageChange(recheck);

  return {
    events$,
    current: usable,
    userId: () => (read(), userId),
    isRefreshDue: () => usable() === null,
    async ensureValidToken() {
      const token = read();
      if (!token || token.value === givenUp) throw new SignInRequiredError();
      return token.value;
    },
    async renew(refused) {
      const held = usable();
      if (held && (refused === null || held.generation > refused)) return { type: 'renewed' };
      const outage = held !== null && refusals < MAX_REFUSALS;
      if (refused !== null) log({ type: 'token.refused', generation: refused, outage });
      if (outage) {
        refusals += 1;
        return { type: 'outage', retryAfterMs: backoff(refusals - 1, OUTAGE_BACKOFF, random) };
      }
      end('rejected');
      return { type: 'rejected' };
    },
    accepted() {
      refusals = 0;
    },
    observeServerTime(serverNow) {
      skewMs = serverNow + 500 - clock.now();
    },
    signIn(issued) {
      store.set(keys[0], issued.accessToken);
      givenUp = null;
      const token = read();
      userId = issued.userId ?? token?.userId ?? null;
      log({ type: 'session.restored' });
      events$.next({ type: 'session.restored', userId });
    },
    signOut() {
      end('signed-out');
      for (const key of keys) store.remove(key);
    },
    recheck,
    dispose() {
      unsubscribe();
      events$.complete();
    },
  };
}

/** A sign-in page of the past stored the token as JSON, quotes included, and every call with it was refused. */
function unquote(stored: string | null): string {
  // "null" and "undefined" are what careless code stores after a sign-out.
  if (stored === null || stored === 'null' || stored === 'undefined') return '';
  if (!stored.startsWith('"')) return stored;
  try {
    const value: unknown = JSON.parse(stored);
    return typeof value === 'string' ? value : stored;
  } catch {
    return stored;
  }
}
