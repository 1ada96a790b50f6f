import { config, NEVER, type Subscription } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { SignInRequiredError, TokenUnavailableError } from '../../../src/lib/errors.ts';
import { createRefreshCoordinator, type RefreshAnswer } from '../../../src/services/auth/refresh-coordinator.ts';
import { REFRESH_TOKEN_KEY } from '../../../src/services/auth/refresh-request.ts';
import { memoryStore } from '../../../src/lib/storage.ts';
import { createTokenServiceV2 } from '../../../src/services/auth/token-service-v2.ts';
import type { TokenEvent } from '../../../src/services/auth/token-service.ts';
import { watch } from '../../support/deferred.ts';
import { jwt } from '../../support/jwt.ts';
import { loneTab } from '../../support/lone-tab.ts';
import { recordedLog } from '../../support/recorded-log.ts';
import { refreshEndpoint } from '../../support/refresh-endpoint.ts';
import { settle, T0, virtualClock } from '../../../src/testing/virtual-clock.ts';

// Time is virtual here: a test that waits longer waits for something that never comes.
vi.setConfig({ testTimeout: 5_000 });

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const OUTAGE_PATIENCE = 10 * MINUTE;
const TOKEN_KEY = 'token';

const down: RefreshAnswer = { type: 'transient', retryAfterMs: null };

/** A tab with a token service, a real coordinator, and a refresh endpoint in the hands of the test. */
function openTab({
  clock = virtualClock(),
  store = memoryStore(),
  budgetStore = memoryStore(),
  random = () => 0,
}: Partial<{
  clock: ReturnType<typeof virtualClock>;
  store: ReturnType<typeof memoryStore>;
  budgetStore: ReturnType<typeof memoryStore>;
  random: () => number;
}> = {}) {
  const endpoint = refreshEndpoint();
  const recorded = recordedLog();
  const { log } = recorded;
  const settings = { refresh: true };
  const tab = loneTab(clock, budgetStore);
  const coordinator = createRefreshCoordinator({
    ...tab,
    request: endpoint.request,
    clock,
    random: () => 0,
    store: budgetStore,
    log,
    minIntervalMs: MINUTE,
  });
  const tokens = createTokenServiceV2({
    shared: tab.shared,
    coordinator,
    clock,
    random,
    log,
    store,
    isRefreshEnabled: () => settings.refresh,
    isPreventive: () => true,
    settingChanges$: NEVER,
    outagePatienceMs: OUTAGE_PATIENCE,
  });
  const heard: TokenEvent[] = [];
  return {
    clock,
    store,
    budgetStore,
    endpoint,
    recorded,
    settings,
    tokens,
    heard,
    listen: () => tokens.events$.subscribe((event) => heard.push(event)),
    /** The refresh endpoint issues a token. */
    issue: (accessToken: string, expiresIn: number | undefined = 3_600) =>
      endpoint.answer({ type: 'issued', token: { accessToken, expiresIn }, sentAt: clock.now() }),
    get held() {
      return tokens.current()?.value ?? null;
    },
  };
}

/** A tab with a token that was issued just now. */
function signedInTab({ expiresIn = 3_600, ...options }: Parameters<typeof openTab>[0] & { expiresIn?: number } = {}) {
  const tab = openTab(options);
  tab.tokens.signIn({ accessToken: 'first', expiresIn, userId: 'ann' });
  return tab;
}

type Tab = ReturnType<typeof openTab>;

/** Lets the held token be refused and replaced, so that the new one is fresh and unproven. */
async function refuseAndReplace(tab: Tab, replacement = 'second') {
  const renewal = tab.tokens.renew(tab.tokens.current()?.generation ?? 0);
  await tab.issue(replacement);
  return renewal;
}

describe('ensureValidToken', () => {
  it('returns a token with a long remaining lifetime without a request', async () => {
    const tab = signedInTab();
    await tab.clock.run(55 * MINUTE - 1);
    expect(await tab.tokens.ensureValidToken()).toBe('first');
    expect(tab.endpoint.requests).toBe(0);
  });

  it('refreshes one that has under five minutes left', async () => {
    const tab = signedInTab();
    await tab.clock.run(55 * MINUTE);
    const token = tab.tokens.ensureValidToken();
    await tab.issue('second');
    expect(await token).toBe('second');
  });

  it('refreshes a token of a short lifetime in its second half only', async () => {
    const tab = signedInTab({ expiresIn: 300 });
    await tab.clock.run(150 * SECOND - 1);
    expect(await tab.tokens.ensureValidToken()).toBe('first');
    await tab.clock.run(1);
    const token = tab.tokens.ensureValidToken();
    await tab.issue('second');
    expect(await token).toBe('second');
  });

  it('sends one request for fifty callers that find the token expired', async () => {
    const tab = signedInTab();
    await tab.clock.run(HOUR);
    const callers = Array.from({ length: 50 }, () => tab.tokens.ensureValidToken());
    await tab.issue('second');
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['second']));
    expect(tab.endpoint.requests).toBe(1);
    expect(tab.recorded.of('token.renewed')).toHaveLength(2);
  });

  it('refreshes with the cookie when there was no sign-in in this tab', async () => {
    const tab = openTab();
    const token = tab.tokens.ensureValidToken();
    await tab.issue('from the cookie');
    expect(await token).toBe('from the cookie');
  });

  it('returns a token of unknown expiry unchanged, because only the server can decide', async () => {
    const tab = openTab();
    tab.tokens.signIn({ accessToken: 'opaque' });
    await tab.clock.run(1_000 * HOUR);
    expect(await tab.tokens.ensureValidToken()).toBe('opaque');
    expect(tab.tokens.isRefreshDue()).toBe(false);
    expect(tab.endpoint.requests).toBe(0);
  });

  it('refreshes a valid token when forced', async () => {
    const tab = signedInTab();
    const token = tab.tokens.ensureValidToken(true);
    await tab.issue('second');
    expect(await token).toBe('second');
  });

  it('returns the valid token when a refresh is forced within the minute', async () => {
    const tab = signedInTab();
    const token = tab.tokens.ensureValidToken(true);
    await tab.issue('second');
    await token;
    await tab.clock.run(MINUTE - 1);
    expect(await tab.tokens.ensureValidToken(true)).toBe('second');
    expect(tab.endpoint.requests).toBe(1);
  });

  it('returns the valid token when the server cannot renew it', async () => {
    const tab = signedInTab();
    await tab.clock.run(57 * MINUTE);
    const token = tab.tokens.ensureValidToken();
    await tab.endpoint.answer(down);
    expect(await token).toBe('first');
  });

  it.each<[string, RefreshAnswer]>([
    ['is down', down],
    ['was asked too often', { type: 'limited', retryAfterMs: null }],
    ['lost the answer', { type: 'ambiguous' }],
  ])('throws an error that says when to retry when the token has expired and the server %s', async (_case, answer) => {
    const tab = signedInTab();
    await tab.clock.run(HOUR);
    const token = watch(tab.tokens.ensureValidToken());
    await tab.clock.run(5 * SECOND);
    await tab.endpoint.answer(answer);
    expect(token.error).toBeInstanceOf(TokenUnavailableError);
    expect(token.error).toMatchObject({ code: 'unavailable', retryAfterMs: 55 * SECOND });
  });

  it('gives a caller one tick after a failed refresh the same answer without another request', async () => {
    const tab = signedInTab();
    await tab.clock.run(HOUR);
    const first = watch(tab.tokens.ensureValidToken());
    await tab.endpoint.answer(down);
    expect(first.state).toBe('rejected');
    await expect(tab.tokens.ensureValidToken()).rejects.toMatchObject({ retryAfterMs: MINUTE });
    expect(tab.endpoint.requests).toBe(1);
  });

  it('continues the session when the server is back', async () => {
    const tab = signedInTab();
    await tab.clock.run(HOUR);
    const failed = watch(tab.tokens.ensureValidToken());
    await tab.endpoint.answer(down);
    expect(failed.state).toBe('rejected');
    await tab.clock.run(MINUTE);
    const token = tab.tokens.ensureValidToken();
    await tab.issue('second');
    expect(await token).toBe('second');
    expect(tab.recorded.of('session.ended')).toEqual([]);
  });

  it('throws SignInRequiredError to all callers after one request when the session was revoked', async () => {
    const tab = signedInTab();
    tab.listen();
    await tab.clock.run(HOUR);
    tab.heard.length = 0;
    const callers = Array.from({ length: 5 }, () => watch(tab.tokens.ensureValidToken()));
    await tab.endpoint.answer({ type: 'rejected' });
    for (const { error } of callers) expect(error).toBeInstanceOf(SignInRequiredError);
    await expect(tab.tokens.ensureValidToken(true)).rejects.toBeInstanceOf(SignInRequiredError);
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'rejected' }]);
    expect(tab.endpoint.requests).toBe(1);
  });

  it('continues, in this tab and in others, when a listener signs in synchronously', async () => {
    const tab = signedInTab();
    tab.tokens.events$.subscribe(({ type }) => {
      if (type === 'session.ended') tab.tokens.signIn({ accessToken: 'second', expiresIn: 3_600, userId: 'ann' });
    });
    await tab.clock.run(HOUR);
    const token = tab.tokens.ensureValidToken();
    await tab.endpoint.answer({ type: 'rejected' });
    await expect(token).resolves.toBe('second');
    expect(JSON.parse(tab.budgetStore.get('session') ?? '')).toMatchObject({ ended: false });
  });

  it('sends no request when a user signs in while it waits for the refresh of an earlier session', async () => {
    const tab = signedInTab();
    const first = watch(tab.tokens.ensureValidToken(true));
    tab.tokens.signIn({ accessToken: 'second', expiresIn: 3_600, userId: 'bob' });
    const renewal = tab.tokens.renew(tab.tokens.current()?.generation ?? 0);
    await settle();
    tab.tokens.signIn({ accessToken: 'third', expiresIn: 3_600, userId: 'cid' });
    await tab.issue('of-ann');
    expect(await renewal).toEqual({ type: 'renewed' });
    expect([first.state, tab.held, tab.endpoint.requests]).toEqual(['resolved', 'third', 1]);
  });

  it('does not end the session when a new token has already expired', async () => {
    const tab = openTab();
    tab.tokens.observeServerTime(T0);
    const token = watch(tab.tokens.ensureValidToken());
    const exp = T0 / SECOND - 60;
    await tab.endpoint.answer({ type: 'issued', token: { accessToken: jwt({ exp }) }, sentAt: T0 });
    expect(token.error).toBeInstanceOf(TokenUnavailableError);
    expect(token.error).toMatchObject({ retryAfterMs: MINUTE });
  });
});

describe('renew', () => {
  it('sends no request when the token is valid and was not rejected', async () => {
    const tab = signedInTab();
    expect(await tab.tokens.renew(null)).toEqual({ type: 'renewed' });
    expect(tab.endpoint.requests).toBe(0);
  });

  it('refreshes ahead when the token expires soon', async () => {
    const tab = signedInTab();
    await tab.clock.run(56 * MINUTE);
    const renewal = tab.tokens.renew(null);
    await tab.issue('second');
    expect(await renewal).toEqual({ type: 'renewed' });
    expect(tab.held).toBe('second');
  });

  it('keeps a token that expires soon when it cannot be renewed now', async () => {
    const tab = signedInTab();
    await tab.clock.run(56 * MINUTE);
    const renewal = tab.tokens.renew(null);
    await tab.endpoint.answer(down);
    expect(await renewal).toEqual({ type: 'holds' });
    expect(tab.held).toBe('first');
  });

  it('gets a new token when the server rejected a valid one', async () => {
    const tab = signedInTab();
    expect(await refuseAndReplace(tab)).toEqual({ type: 'renewed' });
    expect(tab.held).toBe('second');
    expect(tab.recorded.of('token.refused')).toEqual([{ type: 'token.refused', generation: 1, outage: false }]);
  });

  it('sends no refresh for a late rejection of a token that was replaced', async () => {
    const tab = signedInTab();
    await refuseAndReplace(tab);
    await tab.clock.run(2 * MINUTE);
    expect(await tab.tokens.renew(1)).toEqual({ type: 'renewed' });
    expect(tab.endpoint.requests).toBe(1);
    expect(tab.held).toBe('second');
  });

  it('sends one request when the timer and a rejection need a refresh in one tick', async () => {
    const tab = signedInTab();
    await tab.clock.run(56 * MINUTE);
    const renewals = [tab.tokens.renew(null), tab.tokens.renew(1), tab.tokens.ensureValidToken(true)];
    await tab.issue('second');
    expect(await Promise.all(renewals)).toEqual([{ type: 'renewed' }, { type: 'renewed' }, 'second']);
    expect(tab.endpoint.requests).toBe(1);
  });

  it('joins the refresh in flight when a rejection arrives during it', async () => {
    const tab = signedInTab();
    const first = tab.tokens.renew(1);
    await tab.clock.run(5 * SECOND);
    const second = tab.tokens.renew(1);
    await tab.issue('second');
    expect([await first, await second]).toEqual([{ type: 'renewed' }, { type: 'renewed' }]);
    expect(tab.endpoint.requests).toBe(1);
  });

  it.each<[string, RefreshAnswer]>([
    ['transient', down],
    ['limited', { type: 'limited', retryAfterMs: null }],
    ['ambiguous', { type: 'ambiguous' }],
  ])('says how long to wait, and why, when a rejected token could not be replaced: %s', async (reason, answer) => {
    const tab = signedInTab();
    const renewal = tab.tokens.renew(1);
    await tab.clock.run(20 * SECOND);
    await tab.endpoint.answer(answer);
    expect(await renewal).toEqual({ type: 'wait', retryAfterMs: 40 * SECOND, reason });
  });

  it('waits for the budget when an expired token needs a refresh within the minute', async () => {
    const tab = signedInTab({ expiresIn: 30 });
    const forced = tab.tokens.ensureValidToken(true);
    await tab.issue('second', 30);
    await forced;
    await tab.clock.run(40 * SECOND);
    expect(await tab.tokens.renew(null)).toEqual({ type: 'wait', retryAfterMs: 20 * SECOND, reason: 'limited' });
    await tab.clock.run(20 * SECOND);
    const renewal = tab.tokens.renew(null);
    await tab.issue('third');
    expect(await renewal).toEqual({ type: 'renewed' });
  });

  it('obeys a Retry-After that is longer than the minute', async () => {
    const tab = signedInTab();
    await tab.clock.run(HOUR);
    const renewal = tab.tokens.renew(null);
    await tab.endpoint.answer({ type: 'limited', retryAfterMs: 5 * MINUTE });
    expect(await renewal).toEqual({ type: 'wait', retryAfterMs: 5 * MINUTE, reason: 'limited' });
  });

  it('ends the session when the refresh itself is rejected, without another refresh', async () => {
    const tab = signedInTab();
    tab.listen();
    const renewals = [tab.tokens.renew(1), tab.tokens.renew(1)];
    await tab.endpoint.answer({ type: 'rejected' });
    expect(await Promise.all(renewals)).toEqual([{ type: 'rejected' }, { type: 'rejected' }]);
    expect(await tab.tokens.renew(1)).toEqual({ type: 'rejected' });
    expect(await tab.tokens.renew(null)).toEqual({ type: 'rejected' });
    expect(tab.endpoint.requests).toBe(1);
    expect(tab.held).toBeNull();
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'rejected' }]);
  });

  it('adopts a token with a longer lifetime although its text is the same', async () => {
    const tab = signedInTab();
    await tab.clock.run(HOUR);
    const renewal = tab.tokens.renew(null);
    await tab.issue('first');
    expect(await renewal).toEqual({ type: 'renewed' });
    expect(tab.tokens.current()).toMatchObject({ value: 'first', generation: 2 });
  });
});

describe('a fresh token that is rejected', () => {
  it('means an outage of the verifier: the session is kept and nothing is refreshed', async () => {
    const tab = signedInTab({ random: () => 0.5 });
    tab.listen();
    await refuseAndReplace(tab);
    tab.heard.length = 0;
    for (let minutes = 0; minutes < 9; minutes += 1) {
      await tab.clock.run(MINUTE);
      expect(await tab.tokens.renew(2)).toMatchObject({ type: 'outage' });
    }
    expect(tab.held).toBe('second');
    expect(tab.heard).toEqual([]);
    expect(tab.endpoint.requests).toBe(1);
  });

  it('is used again after a wait that grows to a minute and is never zero', async () => {
    const waitsOf = async (random: () => number) => {
      const tab = signedInTab({ random });
      await refuseAndReplace(tab);
      const waits: unknown[] = [];
      for (let refusals = 0; refusals < 6; refusals += 1) waits.push(await tab.tokens.renew(2));
      return waits;
    };
    const outages = (...waits: number[]) => waits.map((retryAfterMs) => ({ type: 'outage', retryAfterMs }));
    expect(await waitsOf(() => 1)).toEqual(outages(40_000, 60_000, 60_000, 60_000, 60_000, 60_000));
    expect(await waitsOf(() => 0)).toEqual(outages(15_000, 15_000, 15_000, 15_000, 15_000, 15_000));
  });

  it('ends the session when every token was rejected for the whole patience, over all renewals', async () => {
    const tab = signedInTab();
    const first = tab.tokens.renew(1);
    await tab.issue('second', 300);
    expect(await first).toEqual({ type: 'renewed' });
    expect(await tab.tokens.renew(2)).toMatchObject({ type: 'outage' });
    await tab.clock.run(5 * MINUTE);
    const renewal = tab.tokens.renew(2);
    await tab.issue('third');
    expect(await renewal).toEqual({ type: 'renewed' });
    await tab.clock.run(5 * MINUTE - 1);
    expect(await tab.tokens.renew(3)).toMatchObject({ type: 'outage' });
    await tab.clock.run(1);
    expect(await tab.tokens.renew(3)).toEqual({ type: 'rejected' });
    expect([tab.endpoint.requests, tab.held]).toEqual([2, null]);
  });

  it('of unknown lifetime that is refused a minute later is refreshed, because it may have expired', async () => {
    const tab = signedInTab();
    const endless = async (accessToken: string) => {
      const renewal = tab.tokens.renew(tab.tokens.current()?.generation ?? 0);
      await tab.endpoint.answer({ type: 'issued', token: { accessToken }, sentAt: tab.clock.now() });
      return renewal;
    };
    expect(await endless('second')).toEqual({ type: 'renewed' });
    await tab.clock.run(MINUTE - 1);
    expect(await tab.tokens.renew(2)).toMatchObject({ type: 'outage' });
    await tab.clock.run(1);
    expect(await endless('third')).toEqual({ type: 'renewed' });
    expect(await tab.tokens.renew(3)).toMatchObject({ type: 'outage' });
    // Refused for the whole patience by now, but never soon after a refresh.
    await tab.clock.run(OUTAGE_PATIENCE);
    expect(await endless('fourth')).toEqual({ type: 'renewed' });
    expect(await tab.tokens.renew(4)).toEqual({ type: 'rejected' });
  });

  it('ends no session while the token after it has not been tried', async () => {
    const tab = signedInTab();
    await refuseAndReplace(tab);
    for (const _ of [1, 2]) expect(await tab.tokens.renew(2)).toMatchObject({ type: 'outage' });
    await tab.clock.run(OUTAGE_PATIENCE);
    // Known to have expired, and not refused since.
    const other = tab.tokens.renew(2);
    await tab.issue('third', 60);
    expect(await other).toEqual({ type: 'renewed' });
    await tab.clock.run(MINUTE);
    expect(tab.held).toBeNull();
    expect(await refuseAndReplace(tab, 'fourth')).toEqual({ type: 'renewed' });
  });

  it('is waited for without an end while refreshes fail too: nothing says that the session is over', async () => {
    const tab = signedInTab({ expiresIn: 7_200 });
    for (let minute = 0; minute < 30; minute += 3) {
      const renewal = tab.tokens.renew(1);
      await tab.endpoint.answer(down);
      // From the second failure on, the token itself is tried again as well.
      expect(await renewal).toMatchObject({ type: minute === 0 ? 'wait' : 'outage' });
      await tab.clock.run(3 * MINUTE);
    }
  });

  it('begins its patience again when the server accepts a token in between', async () => {
    const tab = signedInTab();
    await refuseAndReplace(tab);
    await tab.tokens.renew(2);
    await tab.clock.run(OUTAGE_PATIENCE - MINUTE);
    tab.tokens.accepted(2);
    await refuseAndReplace(tab, 'third');
    await tab.clock.run(MINUTE);
    for (const _ of [1, 2, 3]) expect(await tab.tokens.renew(3)).toMatchObject({ type: 'outage' });
  });

  it('that was issued dead is replaced when the minute is over, and not waited for like an outage', async () => {
    const tab = signedInTab();
    const at = T0 / SECOND;
    const renewal = tab.tokens.renew(1);
    const dead = jwt({ iat: at - 600, exp: at - 300 });
    await tab.endpoint.answer({ type: 'issued', token: { accessToken: dead }, sentAt: T0 });
    expect(await renewal).toEqual({ type: 'renewed' });
    expect(tab.held).toBe(dead);
    expect(await tab.tokens.renew(2)).toEqual({ type: 'wait', retryAfterMs: MINUTE, reason: 'limited' });
    await tab.clock.run(MINUTE);
    expect(await refuseAndReplace(tab, 'third')).toEqual({ type: 'renewed' });
  });

  it('that is issued dead each time, by a clock that is known, is never sent and asks for a sign-in in the end', async () => {
    const tab = signedInTab();
    tab.tokens.observeServerTime(T0);
    await tab.clock.run(HOUR);
    let outcome = '';
    let refreshes = 0;
    while (outcome !== 'rejected' && refreshes < 30) {
      const renewal = tab.tokens.renew(null);
      await settle();
      if (tab.endpoint.requests > refreshes) {
        refreshes += 1;
        const token = { accessToken: jwt({ exp: T0 / SECOND - 60, jti: String(refreshes) }) };
        await tab.endpoint.answer({ type: 'issued', token, sentAt: tab.clock.now() });
      }
      outcome = (await renewal).type;
      expect(tab.held).toBeNull();
      await tab.clock.run(MINUTE);
    }
    expect([outcome, refreshes]).toEqual(['rejected', 10]);
  });

  it('is not issued dead by a clock that was set since the last answer', async () => {
    const tab = signedInTab();
    tab.tokens.observeServerTime(T0);
    tab.clock.jump(HOUR);
    const renewal = tab.tokens.renew(null);
    const token = { accessToken: jwt({ exp: T0 / SECOND + 300 }) };
    await tab.endpoint.answer({ type: 'issued', token, sentAt: tab.clock.now() });
    await renewal;
    expect(tab.held).toBeNull();
    tab.tokens.recheck();
    expect(tab.held).toBe(token.accessToken);
    // Two answers agree on the time.
    for (const seconds of [1, 2]) tab.tokens.observeServerTime(T0 + seconds * SECOND);
    expect(tab.held).toBe(token.accessToken);
    tab.tokens.observeServerTime(T0 + 300 * SECOND);
    tab.tokens.observeServerTime(T0 + 300 * SECOND);
    expect(tab.held).toBeNull();
  });

  it('is refreshed immediately when the clock was set back, because it may have expired', async () => {
    const tab = signedInTab();
    await refuseAndReplace(tab);
    tab.clock.jump(-HOUR);
    expect(await refuseAndReplace(tab, 'third')).toEqual({ type: 'renewed' });
    expect(await tab.tokens.renew(3)).toMatchObject({ type: 'outage' });
    expect(tab.endpoint.requests).toBe(2);
  });

  it('is an ordinary token once the server has accepted it', async () => {
    const tab = signedInTab();
    await refuseAndReplace(tab);
    tab.tokens.accepted(2);
    await tab.clock.run(MINUTE);
    expect(await refuseAndReplace(tab, 'third')).toEqual({ type: 'renewed' });
  });

  it('is not every accepted token: the token of a sign-in that is rejected later is refreshed', async () => {
    const tab = signedInTab();
    tab.tokens.accepted(1);
    expect(await refuseAndReplace(tab)).toEqual({ type: 'renewed' });
    expect([tab.held, tab.endpoint.requests]).toEqual(['second', 1]);
  });

  it('is still unproven after the server accepts an older token', async () => {
    const tab = signedInTab();
    await refuseAndReplace(tab);
    tab.tokens.accepted(1);
    expect(await tab.tokens.renew(2)).toMatchObject({ type: 'outage' });
  });

  it('differs from the token of a sign-in, which is refreshed first', async () => {
    const tab = signedInTab();
    await refuseAndReplace(tab);
    tab.tokens.signIn({ accessToken: 'another', expiresIn: 3_600 });
    await tab.clock.run(MINUTE);
    expect(await refuseAndReplace(tab, 'better')).toEqual({ type: 'renewed' });
  });

  it('is logged as an outage', async () => {
    const tab = signedInTab();
    await refuseAndReplace(tab);
    await tab.tokens.renew(2);
    expect(tab.recorded.of('token.refused')).toEqual([
      { type: 'token.refused', generation: 1, outage: false },
      { type: 'token.refused', generation: 2, outage: true },
    ]);
  });
});

describe('a login page in place of an answer', () => {
  const page: RefreshAnswer = { type: 'transient', retryAfterMs: null, isLoginPage: true };

  it('of a refresh alone is a hiccup of a proxy', async () => {
    const tab = signedInTab();
    const renewal = tab.tokens.renew(1);
    await tab.endpoint.answer(page);
    expect(await renewal).toMatchObject({ type: 'wait', reason: 'transient' });
    tab.tokens.accepted(1);
    await tab.clock.run(2 * MINUTE);
    const second = tab.tokens.renew(1);
    await tab.endpoint.answer(page);
    expect(await second).toMatchObject({ type: 'wait' });
  });

  it('of a call and of the refresh after it ends the session', async () => {
    const tab = signedInTab();
    tab.listen();
    tab.tokens.metLoginPage(tab.clock.now());
    const renewal = tab.tokens.renew(1);
    await tab.endpoint.answer(page);
    expect(await renewal).toEqual({ type: 'rejected' });
    expect(tab.heard).toContainEqual({ type: 'session.ended', reason: 'rejected' });
  });

  it('counts once for callers that share a refresh', async () => {
    const tab = signedInTab();
    const renewals = [tab.tokens.renew(1), tab.tokens.renew(1), tab.tokens.ensureValidToken(true)];
    await tab.endpoint.answer(page);
    await Promise.all(renewals);
    expect(tab.held).toBe('first');
  });

  it('ends the session when it is the third in a row, without a wait for the next refresh', async () => {
    const tab = signedInTab();
    await refuseAndReplace(tab);
    for (const _ of [1, 2]) {
      await tab.clock.run(SECOND);
      tab.tokens.metLoginPage(tab.clock.now());
      expect(await tab.tokens.renew(2)).toMatchObject({ type: 'outage' });
    }
    await tab.clock.run(SECOND);
    tab.tokens.metLoginPage(tab.clock.now());
    expect(await tab.tokens.renew(2)).toEqual({ type: 'rejected' });
    expect(tab.endpoint.requests).toBe(1);
  });

  it('that answers calls which were under way together counts once', async () => {
    const tab = signedInTab();
    await refuseAndReplace(tab);
    const sentAt = tab.clock.now();
    await tab.clock.run(SECOND);
    for (const _ of [1, 2, 3, 4, 5]) tab.tokens.metLoginPage(sentAt);
    expect(await tab.tokens.renew(2)).toMatchObject({ type: 'outage' });
  });
});

describe('a token of unproven life whose calls the network does not answer', () => {
  const failing = (tab: Tab, times: number, generation = 1) =>
    Array.from({ length: times }, () => tab.tokens.unanswered(generation));

  it('is suspected after three of them, once, and refreshed once', async () => {
    const tab = signedInTab();
    tab.listen();
    expect(failing(tab, 3)).toEqual([false, false, true]);
    expect(failing(tab, 20)).not.toContain(true);
    expect(tab.heard).toEqual([{ type: 'token.expiring' }]);
    const renewals = [tab.tokens.renew(1), tab.tokens.renew(null)];
    await tab.issue('second');
    expect((await Promise.all(renewals)).map(({ type }) => type)).toEqual(['renewed', 'renewed']);
    expect([tab.held, tab.endpoint.requests]).toEqual(['second', 1]);
    expect(tab.recorded.of('token.refused')).toEqual([]);
  });

  it('is kept when the refresh fails too, and suspected again later', async () => {
    const tab = signedInTab();
    failing(tab, 3);
    const renewal = tab.tokens.renew(1);
    await tab.endpoint.answer({ type: 'ambiguous' });
    expect([await renewal, tab.held]).toEqual([{ type: 'holds' }, 'first']);
    expect(failing(tab, 6)).toEqual([false, false, false, false, false, true]);
  });

  it('starts over after an answer, and is never suspected where its expiry is known and the server accepted it', async () => {
    const tab = signedInTab();
    failing(tab, 2);
    tab.tokens.accepted(1);
    expect(failing(tab, 20)).not.toContain(true);
    tab.tokens.signIn({ accessToken: 'of unknown life' });
    tab.tokens.accepted(2);
    expect(failing(tab, 2, 2)).toEqual([false, false]);
    tab.tokens.accepted(2);
    expect(failing(tab, 3, 2)).toEqual([false, false, true]);
  });

  it('ends the session when the API refuses its refresh', async () => {
    const tab = signedInTab();
    failing(tab, 3);
    const renewal = tab.tokens.renew(1);
    await tab.endpoint.answer({ type: 'rejected' });
    expect(await renewal).toEqual({ type: 'rejected' });
  });

  it('is not the token of another generation, nor one of a session that has ended', () => {
    const tab = signedInTab();
    expect(failing(tab, 5, 7)).not.toContain(true);
    tab.tokens.signOut();
    expect(failing(tab, 5)).not.toContain(true);
  });
});

describe('a refresh ahead of time that the API refuses', () => {
  const refusedAhead = async () => {
    const tab = signedInTab();
    tab.listen();
    await tab.clock.run(56 * MINUTE);
    const renewal = tab.tokens.renew(null);
    await tab.endpoint.answer({ type: 'rejected' });
    expect(await renewal).toEqual({ type: 'holds' });
    return tab;
  };

  it('leaves the token to be used to its end, without another refresh and without an end of the session', async () => {
    const tab = await refusedAhead();
    expect(tab.tokens.isRefreshDue()).toBe(false);
    await tab.clock.run(3 * MINUTE);
    expect(tab.tokens.isRefreshDue()).toBe(false);
    expect(await tab.tokens.ensureValidToken()).toBe('first');
    expect(await tab.tokens.ensureValidToken(true)).toBe('first');
    expect(await tab.tokens.renew(null)).toEqual({ type: 'holds' });
    const token = await tab.tokens.forCall(new AbortController().signal);
    expect([token?.value, token?.inDoubt]).toEqual(['first', false]);
    expect(tab.endpoint.requests).toBe(1);
    expect(tab.heard).toEqual([{ type: 'token.expiring' }]);
  });

  it('asks for the sign-in when the token is over', async () => {
    const tab = await refusedAhead();
    await tab.clock.run(4 * MINUTE);
    expect(tab.heard.filter(({ type }) => type === 'token.expiring')).toHaveLength(2);
    expect(tab.tokens.isRefreshDue()).toBe(true);
    expect(await tab.tokens.renew(null)).toEqual({ type: 'rejected' });
    await expect(tab.tokens.ensureValidToken()).rejects.toBeInstanceOf(SignInRequiredError);
    expect(tab.heard.at(-1)).toEqual({ type: 'session.ended', reason: 'rejected' });
    expect(tab.endpoint.requests).toBe(1);
  });

  it('asks for the sign-in when the server rejects the token before', async () => {
    const tab = await refusedAhead();
    expect(await tab.tokens.renew(1)).toEqual({ type: 'rejected' });
    expect(tab.endpoint.requests).toBe(1);
  });

  it('asks for the sign-in at once after an attempt whose answer was lost: that one may have ended the token', async () => {
    const tab = signedInTab();
    tab.listen();
    await tab.clock.run(56 * MINUTE);
    const lost = tab.tokens.renew(null);
    await tab.endpoint.answer({ type: 'ambiguous' });
    expect(await lost).toEqual({ type: 'holds' });
    await tab.clock.run(MINUTE);
    const renewal = tab.tokens.renew(null);
    await tab.endpoint.answer({ type: 'rejected' });
    expect(await renewal).toEqual({ type: 'rejected' });
    expect(tab.heard.at(-1)).toEqual({ type: 'session.ended', reason: 'rejected' });
  });

  it('is no matter for the next session', async () => {
    const tab = await refusedAhead();
    tab.tokens.signIn({ accessToken: 'next', expiresIn: 300 });
    await tab.clock.run(4 * MINUTE);
    const token = tab.tokens.ensureValidToken();
    await tab.issue('renewed');
    expect(await token).toBe('renewed');
  });
});

describe('a session that ends or changes', () => {
  it('leaves no token behind on sign-out, here or in the storage', () => {
    const tab = openTab();
    tab.listen();
    tab.tokens.signIn({ accessToken: 'first', refreshToken: 'r1', expiresIn: 3_600 });
    tab.tokens.signOut();
    expect(tab.held).toBeNull();
    expect(tab.tokens.isRefreshDue()).toBe(true);
    expect(tab.store.keys()).toEqual([]);
    expect(tab.heard.at(-1)).toEqual({ type: 'session.ended', reason: 'signed-out' });
    expect(tab.recorded.of('session.ended')).toEqual([{ type: 'session.ended', reason: 'signed-out' }]);
  });

  it('ends once, however often the user signs out', () => {
    const tab = signedInTab();
    tab.listen();
    tab.tokens.signOut();
    tab.tokens.signOut();
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'signed-out' }]);
  });

  it('sends no request after a sign-out', async () => {
    const tab = signedInTab();
    tab.tokens.signOut();
    expect(await tab.tokens.renew(1)).toEqual({ type: 'rejected' });
    await expect(tab.tokens.ensureValidToken()).rejects.toBeInstanceOf(SignInRequiredError);
    expect(tab.endpoint.requests).toBe(0);
  });

  it('discards the token of a refresh that the sign-out has overtaken', async () => {
    const tab = signedInTab();
    tab.listen();
    const renewal = tab.tokens.renew(1);
    const caller = watch(tab.tokens.ensureValidToken(true));
    await settle();
    tab.tokens.signOut();
    await tab.issue('too late');
    expect(await renewal).toEqual({ type: 'rejected' });
    expect(caller.error).toBeInstanceOf(SignInRequiredError);
    expect(tab.held).toBeNull();
    expect(tab.store.keys()).toEqual([]);
    expect(tab.heard).toEqual([{ type: 'session.ended', reason: 'signed-out' }]);
    expect(tab.clock.armed()).toBe(0);
  });

  it('discards the token of a refresh that a sign-in has overtaken', async () => {
    const tab = signedInTab();
    tab.listen();
    const renewal = tab.tokens.renew(1);
    const caller = tab.tokens.ensureValidToken(true);
    await settle();
    tab.tokens.signIn({ accessToken: "bob's", expiresIn: 3_600, userId: 'bob' });
    await tab.issue("ann's, too late");
    expect(await renewal).toEqual({ type: 'renewed' });
    expect(await caller).toBe("bob's");
    expect(tab.heard).toEqual([{ type: 'session.restored', userId: 'bob' }]);
    expect(tab.clock.armed()).toBe(1);
  });

  it('does not end because a refresh of the previous session was rejected', async () => {
    const tab = signedInTab();
    const renewal = tab.tokens.renew(1);
    await settle();
    tab.tokens.signIn({ accessToken: "bob's", expiresIn: 3_600, userId: 'bob' });
    await tab.endpoint.answer({ type: 'rejected' });
    expect(await renewal).toEqual({ type: 'renewed' });
    expect(tab.held).toBe("bob's");
  });

  it('never adopts the token of a refresh of the previous session, even if it requests one during it', async () => {
    const tab = signedInTab();
    void tab.tokens.renew(1);
    await settle();
    tab.tokens.signIn({ accessToken: "bob's", expiresIn: 3_600, userId: 'bob' });
    const forced = tab.tokens.ensureValidToken(true);
    const renewal = tab.tokens.renew(2);
    await tab.issue("ann's, too late");
    expect(await forced).toBe("bob's");
    expect(await renewal).toEqual({ type: 'wait', retryAfterMs: MINUTE, reason: 'limited' });
    expect(tab.held).toBe("bob's");
    expect(tab.tokens.userId()).toBe('bob');
  });

  it('is not ended by the rejection of a refresh of the previous session, even if it requests one during it', async () => {
    const tab = signedInTab();
    void tab.tokens.renew(1);
    await settle();
    tab.tokens.signIn({ accessToken: "bob's", expiresIn: 3_600, userId: 'bob' });
    const forced = tab.tokens.ensureValidToken(true);
    await tab.endpoint.answer({ type: 'rejected' });
    expect(await forced).toBe("bob's");
  });

  it('that begins after a sign-out does not adopt a refresh of the previous session either', async () => {
    const tab = signedInTab();
    void tab.tokens.renew(1);
    await settle();
    tab.tokens.signOut();
    tab.tokens.signIn({ accessToken: "bob's", expiresIn: 3_600, userId: 'bob' });
    const forced = tab.tokens.ensureValidToken(true);
    await tab.issue("ann's, too late");
    expect(await forced).toBe("bob's");
    expect(tab.held).toBe("bob's");
  });

  it('sends no request when it ends before its refresh could start', async () => {
    const tab = signedInTab();
    void tab.tokens.renew(1);
    await settle();
    tab.tokens.signIn({ accessToken: "bob's", expiresIn: 3_600, userId: 'bob' });
    const forced = watch(tab.tokens.ensureValidToken(true));
    await tab.clock.run(2 * MINUTE);
    tab.tokens.signOut();
    await tab.issue("ann's, too late");
    expect(forced.error).toBeInstanceOf(SignInRequiredError);
    expect(tab.endpoint.requests).toBe(1);
  });

  it('gives a caller that waits for a refresh of the previous session the current token', async () => {
    const tab = signedInTab();
    void tab.tokens.renew(1);
    await settle();
    tab.tokens.signIn({ accessToken: "bob's", expiresIn: 3_600, userId: 'bob' });
    const forced = tab.tokens.ensureValidToken(true);
    tab.tokens.signIn({ accessToken: "cat's", expiresIn: 3_600, userId: 'cat' });
    await tab.issue("ann's, too late");
    expect(await forced).toBe("cat's");
    expect(tab.endpoint.requests).toBe(1);
  });

  it('begins again with a sign-in after it was rejected', async () => {
    const tab = signedInTab();
    tab.listen();
    const renewal = tab.tokens.renew(1);
    await tab.endpoint.answer({ type: 'rejected' });
    await renewal;
    tab.tokens.signIn({ accessToken: 'again', expiresIn: 3_600, userId: 'ann' });
    expect(await tab.tokens.ensureValidToken()).toBe('again');
    expect(tab.heard.at(-1)).toEqual({ type: 'session.restored', userId: 'ann' });
    expect(tab.recorded.of('session.restored')).toHaveLength(2);
  });

  it('never decreases generations, so that a late rejection of an old token never concerns a new one', async () => {
    const tab = signedInTab();
    const generations = [tab.tokens.current()?.generation];
    await refuseAndReplace(tab);
    generations.push(tab.tokens.current()?.generation);
    tab.tokens.signOut();
    tab.tokens.signIn({ accessToken: 'again', expiresIn: 3_600 });
    generations.push(tab.tokens.current()?.generation);
    expect(generations).toEqual([1, 2, 3]);
    expect(await tab.tokens.renew(2)).toEqual({ type: 'renewed' });
  });
});

describe('the user of the session', () => {
  it('is null as long as it is unknown', () => {
    const tab = openTab();
    expect(tab.tokens.userId()).toBeNull();
    tab.tokens.signIn({ accessToken: 'opaque' });
    expect(tab.tokens.userId()).toBeNull();
  });

  it('is stated at the sign-in or by the token', () => {
    const tab = openTab();
    tab.tokens.signIn({ accessToken: jwt({ sub: 'ann' }) });
    expect(tab.tokens.userId()).toBe('ann');
    tab.tokens.signIn({ accessToken: jwt({ sub: 'ann' }), userId: 'bob' });
    expect(tab.tokens.userId()).toBe('bob');
  });

  it('stays the same when a refreshed token does not name one', async () => {
    const tab = signedInTab();
    tab.listen();
    await refuseAndReplace(tab);
    expect(tab.tokens.userId()).toBe('ann');
    expect(tab.heard).toEqual([{ type: 'token.renewed', generation: 2, userId: 'ann' }]);
  });

  it('is announced when a refreshed token names another one', async () => {
    const tab = signedInTab();
    tab.listen();
    await refuseAndReplace(tab, jwt({ sub: 'bob' }));
    expect(tab.heard).toEqual([{ type: 'token.renewed', generation: 2, userId: 'bob' }]);
  });

  it('is not taken from the previous session when a sign-in does not name one', () => {
    const tab = signedInTab();
    tab.listen();
    tab.tokens.signOut();
    tab.tokens.signIn({ accessToken: 'opaque' });
    expect(tab.tokens.userId()).toBeNull();
    expect(tab.heard.at(-1)).toEqual({ type: 'session.restored', userId: null });
  });
});

describe('a refresh token in the storage', () => {
  const stored = (tab: Tab) => tab.store.get(REFRESH_TOKEN_KEY);

  it('is the one of the sign-in', () => {
    const tab = openTab();
    tab.tokens.signIn({ accessToken: 'first', refreshToken: 'r1', userId: 'ann' });
    expect(stored(tab)).toBe('r1');
  });

  it('is removed when another user signs in without one', () => {
    for (const userId of ['bob', undefined]) {
      const tab = openTab();
      tab.tokens.signIn({ accessToken: 'first', refreshToken: "ann's", userId: 'ann' });
      tab.tokens.signIn({ accessToken: 'second', userId });
      expect(stored(tab)).toBeNull();
    }
  });

  it('is removed when the users of both sign-ins are unknown', () => {
    const tab = openTab();
    tab.tokens.signIn({ accessToken: 'opaque', refreshToken: 'r1' });
    tab.tokens.signIn({ accessToken: 'another opaque' });
    expect(stored(tab)).toBeNull();
  });

  it('is removed with the access token when the page opens in the session of another user', () => {
    const before = signedInTab();
    before.store.set(REFRESH_TOKEN_KEY, "ann's");
    signedInTab({ budgetStore: before.budgetStore });
    const after = openTab({ store: before.store, budgetStore: before.budgetStore });
    expect([after.held, after.store.keys()]).toEqual([null, []]);
  });

  it.each([
    ['together with the access token', [TOKEN_KEY, REFRESH_TOKEN_KEY]],
    ['without an access token', [REFRESH_TOKEN_KEY]],
  ])('is removed when the page opens after a sign-out, %s', (_what, keys) => {
    const before = signedInTab();
    before.store.set(REFRESH_TOKEN_KEY, "ann's");
    const left = memoryStore();
    for (const key of keys) left.set(key, before.store.get(key) ?? '');
    before.tokens.signOut();
    const after = openTab({ store: left, budgetStore: before.budgetStore });
    expect([after.held, left.keys()]).toEqual([null, []]);
  });

  it('is kept when the page opens again in the same session', () => {
    const before = signedInTab();
    before.store.set(REFRESH_TOKEN_KEY, "ann's");
    const after = openTab({ store: before.store, budgetStore: before.budgetStore });
    expect([after.held, stored(after)]).toEqual(['first', "ann's"]);
  });

  it('is kept for the same user', () => {
    const tab = openTab();
    tab.tokens.signIn({ accessToken: 'first', refreshToken: "ann's", userId: 'ann' });
    tab.tokens.signIn({ accessToken: 'second', userId: 'ann' });
    expect(stored(tab)).toBe("ann's");
  });
});

describe('the announcement of the next refresh', () => {
  const expiring = { type: 'token.expiring' } as const;

  it.each([
    [3_600, 0, 55 * MINUTE],
    [3_600, 0.5, 56.375 * MINUTE],
    [3_600, 1, 57.75 * MINUTE],
    [60, 0, 30 * SECOND],
    [60, 1, 46.5 * SECOND],
  ])(
    'for a lifetime of %i s and the random number %d comes after %d ms, in the first part of the window',
    async (expiresIn, luck, ms) => {
      const tab = signedInTab({ expiresIn, random: () => luck });
      tab.listen();
      await tab.clock.run(ms - 1);
      expect(tab.heard).toEqual([]);
      await tab.clock.run(1);
      expect(tab.heard).toEqual([expiring]);
      expect(tab.recorded.of('token.expiring')).toEqual([{ type: 'token.expiring', generation: 1 }]);
    },
  );

  it('comes once', async () => {
    const tab = signedInTab();
    tab.listen();
    await tab.clock.run(2 * HOUR);
    expect(tab.heard).toEqual([expiring]);
    expect(tab.clock.armed()).toBe(0);
  });

  it('comes to every listener, by one timer', async () => {
    const tab = signedInTab();
    tab.listen();
    tab.listen();
    expect(tab.clock.armed()).toBe(1);
    await tab.clock.run(55 * MINUTE);
    expect(tab.heard).toEqual([expiring, expiring]);
  });

  it('is not moved by a later listener', async () => {
    let luck = 0;
    const tab = signedInTab({ random: () => luck });
    tab.listen();
    luck = 1;
    tab.listen();
    await tab.clock.run(55 * MINUTE);
    expect(tab.heard).toEqual([expiring, expiring]);
  });

  it('needs a listener: no timer runs before the first or after the last', () => {
    const tab = signedInTab();
    expect(tab.clock.armed()).toBe(0);
    const subscriptions = [tab.listen(), tab.listen()];
    subscriptions[0]?.unsubscribe();
    expect(tab.clock.armed()).toBe(1);
    subscriptions[1]?.unsubscribe();
    expect(tab.clock.armed()).toBe(0);
    tab.tokens.recheck();
    tab.tokens.signIn({ accessToken: 'another', expiresIn: 60 });
    expect(tab.clock.armed()).toBe(0);
    tab.listen();
    expect(tab.clock.armed()).toBe(1);
  });

  it('comes immediately to the first listener when the token is in its window or expired', async () => {
    for (const ms of [57 * MINUTE, 2 * HOUR]) {
      const tab = signedInTab();
      await tab.clock.run(ms);
      tab.listen();
      await tab.clock.run(0);
      expect(tab.heard).toEqual([expiring]);
    }
  });

  it('does not come for a token of unknown expiry', () => {
    const tab = openTab();
    tab.tokens.signIn({ accessToken: 'opaque' });
    tab.listen();
    expect(tab.clock.armed()).toBe(0);
  });

  it('is rescheduled for a new token, and the old timer is cleared', async () => {
    const tab = signedInTab();
    tab.listen();
    await tab.clock.run(10 * MINUTE);
    await refuseAndReplace(tab);
    tab.heard.length = 0;
    expect(tab.clock.armed()).toBe(1);
    await tab.clock.run(55 * MINUTE - 1);
    expect(tab.heard).toEqual([]);
    await tab.clock.run(1);
    expect(tab.heard).toEqual([expiring]);
  });

  it('waits for the minute, and until then the valid token stays in use', async () => {
    const tab = signedInTab({ expiresIn: 40 });
    tab.listen();
    const forced = tab.tokens.ensureValidToken(true);
    await tab.issue('second', 40);
    await forced;
    tab.heard.length = 0;
    await tab.clock.run(25 * SECOND);
    expect(tab.held).toBe('second');
    expect(tab.tokens.isRefreshDue()).toBe(false);
    await tab.clock.run(35 * SECOND - 1);
    expect(tab.heard).toEqual([]);
    await tab.clock.run(1);
    expect(tab.heard).toEqual([expiring]);
  });

  it('comes again when a refresh has failed and the next one is allowed', async () => {
    const tab = signedInTab();
    tab.listen();
    await tab.clock.run(55 * MINUTE);
    const renewal = tab.tokens.renew(null);
    await tab.endpoint.answer(down);
    await renewal;
    tab.heard.length = 0;
    await tab.clock.run(MINUTE - 1);
    expect(tab.heard).toEqual([]);
    await tab.clock.run(1);
    expect(tab.heard).toEqual([expiring]);
  });

  it('follows the clock although the timer fires early', async () => {
    const tab = signedInTab();
    tab.listen();
    tab.clock.jump(-10 * MINUTE);
    await tab.clock.run(55 * MINUTE);
    expect(tab.heard).toEqual([]);
    expect(tab.clock.armed()).toBe(1);
    await tab.clock.run(10 * MINUTE);
    expect(tab.heard).toEqual([expiring]);
  });

  it('comes immediately when the page wakes from a longer sleep', async () => {
    const tab = signedInTab();
    tab.listen();
    tab.clock.jump(2 * HOUR);
    expect(tab.held).toBeNull();
    tab.tokens.recheck();
    await tab.clock.run(0);
    expect(tab.heard).toEqual([expiring]);
  });

  it('does not come when the page wakes and there is time left', async () => {
    const tab = signedInTab();
    tab.listen();
    tab.clock.jump(10 * MINUTE);
    tab.tokens.recheck();
    await tab.clock.run(45 * MINUTE - 1);
    expect(tab.heard).toEqual([]);
    await tab.clock.run(1);
    expect(tab.heard).toEqual([expiring]);
  });

  it('does not come when the session has ended, neither on a wake nor to a new listener', async () => {
    const tab = signedInTab();
    const subscription = tab.listen();
    tab.tokens.signOut();
    tab.heard.length = 0;
    tab.tokens.recheck();
    expect(tab.clock.armed()).toBe(0);
    subscription.unsubscribe();
    tab.listen();
    await tab.clock.run(HOUR);
    expect(tab.heard).toEqual([]);
  });

  it('has one timer after the late refresh of an earlier session', async () => {
    const tab = signedInTab();
    tab.listen();
    void tab.tokens.renew(1);
    await settle();
    tab.tokens.signIn({ accessToken: 'another', expiresIn: 3_600 });
    await tab.issue('too late', 60);
    expect(tab.clock.armed()).toBe(1);
    await tab.clock.run(55 * MINUTE - 1);
    expect(tab.heard).toEqual([{ type: 'session.restored', userId: null }]);
  });

  it.each([
    [60, 10],
    [120, 10],
    [300, 4],
    [3_600, 0],
  ])('leads to few refreshes during a job of ten minutes with tokens of %i s', async (expiresIn, most) => {
    const tab = signedInTab({ expiresIn });
    tab.tokens.events$.subscribe((event) => {
      if (event.type === 'token.expiring') void tab.tokens.renew(null);
    });
    for (let ms = 0; ms < 10 * MINUTE; ms += 500) {
      await tab.clock.run(500);
      const asked = tab.recorded.of('refresh.finished').length;
      if (tab.endpoint.requests > asked) await tab.issue(`token ${asked}`, expiresIn);
    }
    expect(tab.endpoint.requests).toBeLessThanOrEqual(most);
    expect(tab.endpoint.requests).toBeGreaterThanOrEqual(most === 0 ? 0 : most - 1);
    expect(tab.clock.armed()).toBe(1);
  });
});

describe('isRefreshDue', () => {
  it('is true without a usable token', async () => {
    expect(openTab().tokens.isRefreshDue()).toBe(true);
    const tab = signedInTab();
    await tab.clock.run(HOUR);
    expect(tab.tokens.isRefreshDue()).toBe(true);
  });

  it('is true in the window, and false before', async () => {
    const tab = signedInTab();
    await tab.clock.run(55 * MINUTE - 1);
    expect(tab.tokens.isRefreshDue()).toBe(false);
    await tab.clock.run(1);
    expect(tab.tokens.isRefreshDue()).toBe(true);
  });

  it('is false in the window while no refresh is allowed', async () => {
    const tab = signedInTab();
    await tab.clock.run(56 * MINUTE);
    const renewal = tab.tokens.renew(null);
    await tab.endpoint.answer(down);
    await renewal;
    expect(tab.tokens.isRefreshDue()).toBe(false);
    await tab.clock.run(MINUTE);
    expect(tab.tokens.isRefreshDue()).toBe(true);
  });
});

describe('a token for a call', () => {
  const { signal } = new AbortController();

  it('is the one that a refresh in flight brings, because the previous one is about to be invalidated', async () => {
    const tab = signedInTab();
    const renewal = tab.tokens.ensureValidToken(true);
    const call = watch(tab.tokens.forCall(signal));
    await tab.clock.run(SECOND);
    expect(call.state).toBe('pending');
    await tab.issue('second');
    await renewal;
    expect(call.state).toBe('resolved');
    expect(await tab.tokens.forCall(signal)).toMatchObject({ value: 'second', inDoubt: false });
  });

  it('is in doubt no more after the server has accepted it', async () => {
    const tab = signedInTab();
    const renewal = tab.tokens.ensureValidToken(true);
    await tab.endpoint.answer({ type: 'ambiguous' });
    await renewal;
    await tab.clock.run(20 * SECOND);
    tab.tokens.accepted(1);
    expect(await tab.tokens.forCall(signal)).toMatchObject({ value: 'first', inDoubt: false });
  });

  it('is in doubt when the refresh brought no token, until one does', async () => {
    const tab = signedInTab();
    const renewal = tab.tokens.ensureValidToken(true);
    await tab.endpoint.answer({ type: 'ambiguous' });
    await renewal;
    expect(await tab.tokens.forCall(signal)).toMatchObject({ value: 'first', inDoubt: true });
    await tab.clock.run(MINUTE);
    const next = tab.tokens.ensureValidToken(true);
    await tab.issue('second');
    await next;
    expect(await tab.tokens.forCall(signal)).toMatchObject({ value: 'second', inDoubt: false });
  });

  it('is not in doubt after a new sign-in', async () => {
    const tab = signedInTab();
    const renewal = tab.tokens.ensureValidToken(true);
    await tab.endpoint.answer({ type: 'ambiguous' });
    await renewal;
    tab.tokens.signIn({ accessToken: 'another', expiresIn: 3_600 });
    expect(await tab.tokens.forCall(signal)).toMatchObject({ value: 'another', inDoubt: false });
  });

  it('is null where there is none, or where it expires during the wait for a refresh', async () => {
    expect(await openTab().tokens.forCall(signal)).toBeNull();
    const tab = signedInTab({ expiresIn: 100 });
    await tab.clock.run(89 * SECOND);
    void tab.tokens.renew(null);
    const call = tab.tokens.forCall(signal);
    await tab.clock.run(2 * SECOND);
    expect(await call).toBeNull();
  });
});

describe('with refreshing switched off', () => {
  it('uses the token as long as it is valid, without a request', async () => {
    const tab = signedInTab();
    tab.settings.refresh = false;
    await tab.clock.run(57 * MINUTE);
    expect(tab.tokens.isRefreshDue()).toBe(false);
    expect(await tab.tokens.ensureValidToken()).toBe('first');
    expect(await tab.tokens.ensureValidToken(true)).toBe('first');
    expect(await tab.tokens.renew(null)).toEqual({ type: 'holds' });
    expect(tab.endpoint.requests).toBe(0);
  });

  it('requires a sign-in when the token has expired or was rejected', async () => {
    const tab = signedInTab();
    tab.settings.refresh = false;
    expect(await tab.tokens.renew(1)).toEqual({ type: 'rejected' });
    await tab.clock.run(HOUR);
    expect(tab.tokens.isRefreshDue()).toBe(true);
    expect(await tab.tokens.renew(null)).toEqual({ type: 'rejected' });
    await expect(tab.tokens.ensureValidToken()).rejects.toBeInstanceOf(SignInRequiredError);
    expect(tab.endpoint.requests).toBe(0);
  });

  it('runs no timer', () => {
    const tab = signedInTab();
    tab.settings.refresh = false;
    tab.listen();
    expect(tab.clock.armed()).toBe(0);
  });

  it('refreshes again as soon as it is switched on, because the session has not ended', async () => {
    const tab = signedInTab();
    tab.settings.refresh = false;
    await tab.clock.run(HOUR);
    expect(await tab.tokens.renew(null)).toEqual({ type: 'rejected' });
    tab.settings.refresh = true;
    const token = tab.tokens.ensureValidToken();
    await tab.issue('second');
    expect(await token).toBe('second');
  });
});

describe('a clock that is wrong or jumps', () => {
  it('does no harm where the server states a lifetime, however wrong it is', async () => {
    for (const offset of [HOUR, -HOUR, 50 * SECOND]) {
      const tab = openTab({ clock: virtualClock(T0 + offset) });
      const iat = T0 / SECOND;
      tab.tokens.signIn({ accessToken: jwt({ iat, exp: iat + 60 }), expiresIn: 60 });
      expect(tab.held).not.toBeNull();
      await tab.clock.run(54 * SECOND);
      expect(tab.held).toBeNull();
    }
  });

  it('does no harm to a refreshed token whose lifetime only its claims state', async () => {
    const tab = openTab({ clock: virtualClock(T0 + HOUR) });
    const iat = T0 / SECOND;
    const renewal = tab.tokens.renew(null);
    const accessToken = jwt({ iat, exp: iat + 300 });
    await tab.endpoint.answer({ type: 'issued', token: { accessToken }, sentAt: tab.clock.now() });
    expect(await renewal).toEqual({ type: 'renewed' });
    expect(tab.held).toBe(accessToken);
    await tab.clock.run(290 * SECOND);
    expect(tab.held).toBeNull();
  });

  it('is corrected by the clock of the server for a token of unknown age', () => {
    const tab = openTab({ clock: virtualClock(T0 + HOUR) });
    for (const _ of [1, 2]) tab.tokens.observeServerTime(T0);
    const iat = T0 / SECOND;
    tab.tokens.signIn({ accessToken: jwt({ iat: iat - 60, exp: iat + 60 }) });
    // Date headers are cut to whole seconds: half a second is the fair correction.
    expect(tab.tokens.current()?.expiresAt).toBe(T0 + HOUR + 60 * SECOND - 500);
  });

  it('that jumps ahead causes one refresh', async () => {
    const tab = signedInTab();
    tab.clock.jump(HOUR);
    const callers = Array.from({ length: 10 }, () => tab.tokens.ensureValidToken());
    await tab.issue('second');
    await Promise.all(callers);
    expect(await tab.tokens.ensureValidToken()).toBe('second');
    expect(tab.endpoint.requests).toBe(1);
  });

  it('that is set back hides the expiry of a token, and one refresh after the 401 replaces it', async () => {
    const tab = signedInTab({ expiresIn: 60 });
    await tab.clock.run(MINUTE);
    tab.clock.jump(-HOUR);
    expect(tab.held).toBe('first');
    expect(await refuseAndReplace(tab)).toEqual({ type: 'renewed' });
    expect(tab.endpoint.requests).toBe(1);
  });

  it('does not end the session when the network is still down after a sleep', async () => {
    const tab = signedInTab();
    tab.listen();
    tab.clock.jump(2 * HOUR);
    tab.tokens.recheck();
    const renewal = tab.tokens.renew(null);
    await tab.endpoint.answer({ type: 'ambiguous' });
    expect(await renewal).toMatchObject({ type: 'wait', reason: 'ambiguous' });
    await tab.clock.run(MINUTE);
    const again = tab.tokens.renew(null);
    await tab.issue('second');
    expect(await again).toEqual({ type: 'renewed' });
    expect(tab.recorded.of('session.ended')).toEqual([]);
  });
});

describe('a refresh whose answer was lost', () => {
  it('is repeated once a minute, never in a burst, until the server decides', async () => {
    const tab = signedInTab();
    await tab.clock.run(HOUR);
    for (let minute = 1; minute <= 3; minute += 1) {
      const renewal = tab.tokens.renew(null);
      await tab.endpoint.answer({ type: 'ambiguous' });
      expect(await renewal).toEqual({ type: 'wait', retryAfterMs: MINUTE, reason: 'ambiguous' });
      expect(await tab.tokens.renew(null)).toMatchObject({ type: 'wait', reason: 'limited' });
      expect(tab.endpoint.requests).toBe(minute);
      await tab.clock.run(MINUTE);
    }
    const renewal = tab.tokens.renew(null);
    await tab.endpoint.answer({ type: 'rejected' });
    expect(await renewal).toEqual({ type: 'rejected' });
  });
});

describe('a refresh without a waiting caller', () => {
  it('is not aborted, and its token is kept', async () => {
    const tab = signedInTab();
    const subscription = tab.listen();
    void tab.tokens.renew(1);
    subscription.unsubscribe();
    await tab.issue('second');
    expect(tab.held).toBe('second');
    expect(tab.clock.armed()).toBe(0);
  });

  it('keeps its token for the next page although the client was disposed during it', async () => {
    const tab = signedInTab();
    tab.listen();
    void tab.tokens.renew(1);
    tab.tokens.dispose();
    await tab.issue('second');
    expect(openTab(tab).held).toBe('second');
    expect(tab.clock.armed()).toBe(0);
  });

  it('keeps nothing for the next page when another user has signed in there after the client was disposed', async () => {
    const tab = signedInTab();
    tab.listen();
    void tab.tokens.renew(1);
    tab.tokens.dispose();
    const next = openTab(tab);
    next.tokens.signIn({ accessToken: 'of bob', userId: 'bob' });
    const kept = tab.store.get(TOKEN_KEY);
    await tab.issue('second');
    expect(tab.store.get(TOKEN_KEY)).toBe(kept);
    next.tokens.dispose();
  });
});

describe('listeners', () => {
  it('may call ensureValidToken when they receive token.renewed', async () => {
    const tab = signedInTab();
    const asked: ReturnType<typeof watch<string>>[] = [];
    tab.tokens.events$.subscribe((event) => {
      if (event.type === 'token.renewed') asked.push(watch(tab.tokens.ensureValidToken()));
    });
    await refuseAndReplace(tab);
    expect(asked).toMatchObject([{ state: 'resolved' }]);
    expect(tab.endpoint.requests).toBe(1);
  });

  it('may force another refresh when they receive token.renewed, which the limit prevents', async () => {
    const tab = signedInTab();
    const asked: Promise<string>[] = [];
    tab.tokens.events$.subscribe((event) => {
      if (event.type === 'token.renewed') asked.push(tab.tokens.ensureValidToken(true));
    });
    await refuseAndReplace(tab);
    expect(await Promise.all(asked)).toEqual(['second']);
    expect(tab.endpoint.requests).toBe(1);
  });

  it('may sign out when they receive token.renewed', async () => {
    const tab = signedInTab();
    tab.tokens.events$.subscribe((event) => {
      if (event.type === 'token.renewed') tab.tokens.signOut();
    });
    const renewals = [tab.tokens.renew(1), tab.tokens.renew(1)];
    await tab.issue('second');
    expect(await Promise.all(renewals)).toContainEqual({ type: 'rejected' });
    expect(tab.held).toBeNull();
    expect(tab.clock.armed()).toBe(0);
  });

  it('may unsubscribe when they receive token.expiring', async () => {
    const tab = signedInTab();
    const subscription: Subscription = tab.tokens.events$.subscribe(() => subscription.unsubscribe());
    await tab.clock.run(HOUR);
    expect(tab.clock.armed()).toBe(0);
  });

  it('receive an event although another one throws, and the error is reported as uncaught', async () => {
    const reported: unknown[] = [];
    config.onUnhandledError = (error) => reported.push(error);
    onTestFinished(() => void (config.onUnhandledError = null));
    const tab = signedInTab();
    const error = new Error('a defect of a listener');
    tab.tokens.events$.subscribe(() => {
      throw error;
    });
    tab.listen();
    await refuseAndReplace(tab);
    expect(tab.heard).toMatchObject([{ type: 'token.renewed' }]);
    expect(tab.held).toBe('second');
    await vi.waitFor(() => expect(reported).toEqual([error]));
  });

  it('receive the completion when the service is disposed, also if they subscribe afterwards', async () => {
    const tab = signedInTab();
    let completions = 0;
    tab.tokens.events$.subscribe({ complete: () => (completions += 1) });
    tab.tokens.dispose();
    tab.tokens.events$.subscribe({ complete: () => (completions += 1) });
    await settle();
    expect(completions).toBe(2);
    expect(tab.clock.armed()).toBe(0);
  });
});

describe('after a reload', () => {
  it('continues with the stored token', async () => {
    const before = signedInTab();
    await before.clock.run(10 * MINUTE);
    const after = openTab(before);
    // The id that the application gave is stored as a digest only.
    expect(after.tokens.current()).toEqual({ ...before.tokens.current(), userId: null });
    expect(after.tokens.identity()).toBe(before.tokens.identity());
    expect(await after.tokens.ensureValidToken()).toBe('first');
    expect(after.endpoint.requests).toBe(0);
  });

  it('announces its refresh', async () => {
    const before = signedInTab();
    await before.clock.run(50 * MINUTE);
    const after = openTab(before);
    after.listen();
    await after.clock.run(5 * MINUTE);
    expect(after.heard).toEqual([{ type: 'token.expiring' }]);
  });

  it('keeps the limit of one refresh a minute', async () => {
    const before = signedInTab();
    void before.tokens.ensureValidToken(true);
    const after = openTab(before);
    expect(await after.tokens.ensureValidToken(true)).toBe('first');
    expect(after.endpoint.requests).toBe(0);
  });

  it('refreshes a token that expired before the reload', async () => {
    const before = signedInTab();
    await before.clock.run(HOUR);
    const after = openTab(before);
    expect(after.held).toBeNull();
    const token = after.tokens.ensureValidToken();
    await after.issue('second');
    expect(await token).toBe('second');
    expect(after.tokens.current()?.generation).toBe(2);
  });

  it('finds no token of a session that was rejected', async () => {
    const before = signedInTab();
    const renewal = before.tokens.renew(1);
    await before.endpoint.answer({ type: 'rejected' });
    await renewal;
    expect(openTab(before).held).toBeNull();
  });

  it.each([
    ['text that is not JSON', '{"value":'],
    ['null', 'null'],
    ['a text', '"token"'],
    ['an array', '[]'],
    ['nothing of a token', '{}'],
    ['a token without a value', { generation: 1, expiresAt: null, ttlMs: null, userId: null }],
    ['an empty token', { value: '', generation: 1, expiresAt: null, ttlMs: null, userId: null }],
    ['a token that is no text', { value: 5, generation: 1, expiresAt: null, ttlMs: null, userId: null }],
    ['a token with an odd expiry', { value: 'x', generation: 1, expiresAt: 'soon', ttlMs: null, userId: null }],
    ['a token without a generation', { value: 'x', expiresAt: null, ttlMs: null, userId: null }],
  ])('ignores %s in the storage and refreshes', async (_case, planted) => {
    const store = memoryStore();
    store.set(TOKEN_KEY, typeof planted === 'string' ? planted : JSON.stringify(planted));
    const tab = openTab({ store });
    expect(tab.held).toBeNull();
    expect(tab.tokens.userId()).toBeNull();
    const token = tab.tokens.ensureValidToken();
    await tab.issue('second');
    expect(await token).toBe('second');
    expect(tab.tokens.current()?.generation).toBe(1);
  });
});

describe('the log line of a new token', () => {
  it('contains its generation, its lifetime and the remaining time', async () => {
    const tab = signedInTab();
    expect(tab.recorded.of('token.renewed')).toEqual([
      { type: 'token.renewed', generation: 1, ttlMs: HOUR, remainingMs: HOUR },
    ]);
    const renewal = tab.tokens.renew(1);
    const sentAt = tab.clock.now();
    await tab.clock.run(2 * SECOND);
    await tab.endpoint.answer({ type: 'issued', token: { accessToken: 'second', expiresIn: '60' }, sentAt });
    await renewal;
    expect(tab.recorded.of('token.renewed').at(-1)).toEqual({
      type: 'token.renewed',
      generation: 2,
      ttlMs: MINUTE,
      remainingMs: 58 * SECOND,
    });
  });

  it('contains null for an unknown lifetime', () => {
    const tab = openTab();
    tab.tokens.signIn({ accessToken: 'opaque' });
    expect(tab.recorded.of('token.renewed')).toMatchObject([{ ttlMs: null, remainingMs: null }]);
  });

  it('never contains the token, nor does an event, an outcome, an error or another storage', async () => {
    const secret = (name: string) => `s3cret-${name}`;
    const said: unknown[] = [];
    const tab = openTab();
    tab.tokens.events$.subscribe((event) => said.push(event));
    tab.tokens.signIn({ accessToken: secret('a1'), refreshToken: secret('r1'), expiresIn: 60 });
    await tab.clock.run(MINUTE);
    const renewal = tab.tokens.renew(1);
    await tab.issue(secret('a2'), 60);
    said.push(await renewal, await tab.tokens.renew(2), await tab.tokens.renew(1));
    expect(tab.store.keys().toSorted()).toEqual([REFRESH_TOKEN_KEY, TOKEN_KEY]);
    await tab.clock.run(MINUTE);
    const failed = watch(tab.tokens.ensureValidToken());
    await tab.endpoint.answer(down);
    await tab.clock.run(MINUTE);
    const rejected = watch(tab.tokens.ensureValidToken());
    await tab.endpoint.answer({ type: 'rejected' });
    for (const { error } of [failed, rejected]) said.push(String(error), JSON.stringify(error));

    const everything = JSON.stringify([said, tab.recorded.events]);
    expect(said.length).toBeGreaterThan(8);
    expect(everything).not.toContain('s3cret');
    expect(tab.budgetStore.keys().map((key) => tab.budgetStore.get(key))).not.toContainEqual(
      expect.stringContaining('s3cret'),
    );
    expect(tab.store.keys()).toEqual([]);
  });
});
