import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { createRefreshCoordinator, type RefreshAnswer } from '../../../src/services/auth/refresh-coordinator.ts';
import { type KeyValueStore, memoryStore } from '../../../src/lib/storage.ts';
import { watch } from '../../support/deferred.ts';
import { loneTab } from '../../support/lone-tab.ts';
import { recordedLog } from '../../support/recorded-log.ts';
import { refreshEndpoint } from '../../support/refresh-endpoint.ts';
import { settle, T0, virtualClock } from '../../../src/testing/virtual-clock.ts';

// Time is virtual here: a test that waits longer waits for something that never comes.
vi.setConfig({ testTimeout: 5_000 });

const MINUTE = 60_000;
const BUDGET_KEY = 'refresh-budget';

const issued = { type: 'issued', token: { accessToken: 'fresh' }, sentAt: T0 } as const;
const transient = { type: 'transient', retryAfterMs: null } as const;

function openPage({ store = memoryStore(), clock = virtualClock(), luck = 0 } = {}) {
  const endpoint = refreshEndpoint();
  const recorded = recordedLog();
  const tab = loneTab(clock, store);
  const options = {
    request: endpoint.request,
    clock,
    random: () => luck,
    store,
    ...tab,
    log: recorded.log,
    minIntervalMs: MINUTE,
  };
  /** The number of the token that this page holds. */
  const held = () => tab.shared.position().generation;
  return { clock, store, endpoint, recorded, held, coordinator: createRefreshCoordinator(options) };
}

type Page = ReturnType<typeof openPage>;

async function refreshOnce({ coordinator, endpoint }: Page, answer: RefreshAnswer) {
  const outcome = coordinator.refresh();
  await endpoint.answer(answer);
  return outcome;
}

const plant = (store: KeyValueStore, budget: unknown) =>
  store.set(BUDGET_KEY, typeof budget === 'string' ? budget : JSON.stringify(budget));

describe('single flight', () => {
  it('sends one request for all callers that arrive during it', async () => {
    const { coordinator, endpoint } = openPage();
    const outcomes = Array.from({ length: 50 }, () => coordinator.refresh());
    await endpoint.answer(issued);
    expect(await Promise.all(outcomes)).toEqual([
      { type: 'refreshed' },
      ...Array.from({ length: 49 }, () => ({ type: 'joined' })),
    ]);
    expect(endpoint.requests).toBe(1);
  });

  it.each<[string, RefreshAnswer, object]>([
    ['limited', { type: 'limited', retryAfterMs: null }, { type: 'limited', until: T0 + MINUTE }],
    ['transient', transient, { type: 'transient', until: T0 + MINUTE }],
    ['ambiguous', { type: 'ambiguous' }, { type: 'ambiguous', until: T0 + MINUTE }],
    ['rejected', { type: 'rejected' }, { type: 'rejected' }],
  ])('resolves all callers with the same outcome: %s', async (_type, answer, expected) => {
    const { coordinator, endpoint } = openPage();
    const outcomes = [coordinator.refresh(), coordinator.refresh()];
    await endpoint.answer(answer);
    expect(await Promise.all(outcomes)).toEqual([expected, expected]);
  });

  it('accepts the next refresh after any outcome', async () => {
    const page = openPage();
    for (const answer of [transient, { type: 'rejected' }, issued] as const) {
      await refreshOnce(page, answer);
      await page.clock.run(MINUTE);
    }
    expect(page.endpoint.requests).toBe(3);
  });
});

describe('the budget of one attempt a minute', () => {
  it.each<[string, RefreshAnswer]>([
    ['succeeded', issued],
    ['was limited', { type: 'limited', retryAfterMs: null }],
    ['failed', transient],
    ['had an unknown end', { type: 'ambiguous' }],
    ['was rejected', { type: 'rejected' }],
  ])('is spent by an attempt that %s', async (_how, answer) => {
    const page = openPage();
    await refreshOnce(page, answer);
    await page.clock.run(MINUTE - 1);
    expect(await page.coordinator.refresh()).toEqual({ type: 'limited', until: T0 + MINUTE });
    expect(page.endpoint.requests).toBe(1);
    await page.clock.run(1);
    expect(await refreshOnce(page, issued)).toMatchObject({ type: 'refreshed' });
  });

  it('counts from the time of sending, not from the answer', async () => {
    const page = openPage();
    const outcome = page.coordinator.refresh();
    await page.clock.run(20_000);
    await page.endpoint.answer(transient);
    expect(await outcome).toEqual({ type: 'transient', until: T0 + MINUTE });
    expect(page.coordinator.availableAt()).toBe(T0 + MINUTE);
  });

  it('is spent before the request is sent, so that a reload during it sends no second one', async () => {
    const before = openPage();
    void before.coordinator.refresh();
    const after = openPage(before);
    expect(await after.coordinator.refresh()).toEqual({ type: 'limited', until: T0 + MINUTE });
    expect(after.endpoint.requests).toBe(0);
  });

  it('survives a reload', async () => {
    const before = openPage();
    await refreshOnce(before, issued);
    await before.clock.run(30_000);
    const after = openPage(before);
    expect(await after.coordinator.refresh()).toEqual({ type: 'limited', until: T0 + MINUTE });
    await after.clock.run(30_000);
    expect(await refreshOnce(after, issued)).toMatchObject({ type: 'refreshed' });
  });

  it.each(['forgets', 'is cleared by the application'])('holds in this page although the storage %s', async (how) => {
    const store = how === 'forgets' ? { ...memoryStore(), set: () => {} } : memoryStore();
    const page = openPage({ store });
    await refreshOnce(page, transient);
    for (const key of store.keys()) store.remove(key);
    await page.clock.run(MINUTE - 1);
    expect(await page.coordinator.refresh()).toEqual({ type: 'limited', until: T0 + MINUTE });
    await page.clock.run(1);
    expect(await refreshOnce(page, issued)).toMatchObject({ type: 'refreshed' });
  });

  it('is shared with other tabs, also when this tab spent it last', async () => {
    const one = openPage();
    const other = openPage(one);
    await refreshOnce(one, transient);
    await one.clock.run(MINUTE);
    await refreshOnce(other, transient);
    expect(await one.coordinator.refresh()).toEqual({ type: 'limited', until: T0 + 2 * MINUTE });
  });

  it('is available from the start', () => {
    const { coordinator, clock } = openPage();
    expect(coordinator.availableAt()).toBeLessThanOrEqual(clock.now());
  });

  it('is not extended by calls that exceed the limit', async () => {
    const page = openPage();
    await refreshOnce(page, transient);
    await page.clock.run(30_000);
    await page.coordinator.refresh();
    expect(page.coordinator.availableAt()).toBe(T0 + MINUTE);
  });
});

describe('a server that rejects no token and issues none', () => {
  it.each(['limited', 'transient'] as const)(
    'with the outcome %s, receives the next request of each page at a random time within two minutes',
    async (type) => {
      const waitWith = async (luck: number) => {
        const page = openPage({ luck });
        await refreshOnce(page, { type, retryAfterMs: null });
        return page.coordinator.availableAt() - T0;
      };
      expect([await waitWith(0), await waitWith(0.5), await waitWith(1)]).toEqual([60_000, 87_000, 114_000]);
    },
  );

  it('receives no request before its Retry-After', async () => {
    const page = openPage({ luck: 0.5 });
    await refreshOnce(page, { type: 'transient', retryAfterMs: 90_000 });
    expect(page.coordinator.availableAt()).toBe(T0 + 90_000);
  });

  it('delays the next refresh by no more than a minute after a lost answer or a success', async () => {
    for (const answer of [{ type: 'ambiguous' }, issued] as const) {
      const page = openPage({ luck: 1 });
      await refreshOnce(page, answer);
      expect(page.coordinator.availableAt()).toBe(T0 + MINUTE);
    }
  });
});

describe('a Retry-After', () => {
  it.each(['limited', 'transient'] as const)('of the outcome %s is obeyed, also after a reload', async (type) => {
    const page = openPage();
    expect(await refreshOnce(page, { type, retryAfterMs: 300_000 })).toEqual({ type, until: T0 + 300_000 });
    await page.clock.run(299_999);
    expect(await openPage(page).coordinator.refresh()).toEqual({ type: 'limited', until: T0 + 300_000 });
    await page.clock.run(1);
    expect(await refreshOnce(page, issued)).toMatchObject({ type: 'refreshed' });
  });

  it('is obeyed from the arrival of its answer', async () => {
    const page = openPage();
    const outcome = page.coordinator.refresh();
    await page.clock.run(10_000);
    await page.endpoint.answer({ type: 'limited', retryAfterMs: 55_000 });
    expect(await outcome).toEqual({ type: 'limited', until: T0 + 65_000 });
    expect(page.coordinator.availableAt()).toBe(T0 + 65_000);
  });

  it('does not shorten the minute', async () => {
    const page = openPage();
    expect(await refreshOnce(page, { type: 'limited', retryAfterMs: 5_000 })).toEqual({
      type: 'limited',
      until: T0 + MINUTE,
    });
    expect(page.coordinator.availableAt()).toBe(T0 + MINUTE);
  });

  it('is obeyed for ten minutes at most', async () => {
    const page = openPage();
    expect(await refreshOnce(page, { type: 'limited', retryAfterMs: 3_600_000 })).toEqual({
      type: 'limited',
      until: T0 + 600_000,
    });
    expect(openPage(page).coordinator.availableAt()).toBe(T0 + 600_000);
  });
});

describe('the word that the auth service is back', () => {
  it('shortens the wait after a failure to the minute', async () => {
    const page = openPage({ luck: 0.5 });
    await refreshOnce(page, transient);
    expect(page.coordinator.availableAt()).toBeGreaterThan(T0 + MINUTE);
    expect(page.coordinator.recovered()).toBe(T0 + MINUTE);
    await page.clock.run(MINUTE - 1);
    expect(await page.coordinator.refresh()).toEqual({ type: 'limited', until: T0 + MINUTE });
    await page.clock.run(1);
    await refreshOnce(page, issued);
    expect(page.endpoint.requests).toBe(2);
  });

  it('shortens no Retry-After', async () => {
    const page = openPage({ luck: 0.5 });
    await refreshOnce(page, { type: 'transient', retryAfterMs: 2 * MINUTE });
    expect(page.coordinator.recovered()).toBe(T0 + 2 * MINUTE);
  });
});

describe('a clock that jumps', () => {
  it('does not lock the user out when it is set back', async () => {
    const page = openPage();
    await refreshOnce(page, transient);
    page.clock.jump(-3_600_000);
    expect(page.coordinator.availableAt()).toBeLessThanOrEqual(page.clock.now());
    expect(await refreshOnce(page, issued)).toMatchObject({ type: 'refreshed' });
  });

  it('keeps to one attempt a minute after that', async () => {
    const page = openPage();
    await refreshOnce(page, transient);
    page.clock.jump(-3_600_000);
    await refreshOnce(page, transient);
    expect(await page.coordinator.refresh()).toMatchObject({ type: 'limited' });
    expect(page.endpoint.requests).toBe(2);
  });
});

describe('the token that a refresh invalidates', () => {
  const { signal } = new AbortController();
  const isInDoubt = (pages: Page[]) => pages.map(({ coordinator, held }) => coordinator.isInDoubt(held()));

  it.each<[string, RefreshAnswer, boolean[]]>([
    // No message reaches the other page in this test, so its token is invalid.
    ['a new token', issued, [false, true]],
    ['a 429', { type: 'limited', retryAfterMs: null }, [false, false]],
    ['a server error', transient, [true, true]],
    ['none, it was lost', { type: 'ambiguous' }, [true, true]],
  ])(
    'is in doubt in all tabs while the request is in flight; after the answer "%s": %j, %j',
    async (_how, answer, after) => {
      const page = openPage();
      const pages = [page, openPage(page)];
      expect(isInDoubt(pages)).toEqual([false, false]);
      const outcome = page.coordinator.refresh();
      await page.clock.run(1);
      // After a reload as well.
      expect(isInDoubt([...pages, openPage(page)])).toEqual([true, true, true]);
      await page.endpoint.answer(answer);
      await outcome;
      expect(isInDoubt(pages)).toEqual(after);
    },
  );

  it('is in doubt no more when the server accepts it in a call that left after the refresh', async () => {
    const page = openPage();
    await refreshOnce(page, { type: 'ambiguous' });
    page.coordinator.accepted(page.held());
    expect(page.coordinator.isInDoubt(page.held())).toBe(true);
    await page.clock.run(15_000);
    page.coordinator.accepted(page.held());
    expect(page.coordinator.isInDoubt(page.held())).toBe(false);
    expect(await page.coordinator.refresh()).toEqual({ type: 'limited', until: T0 + MINUTE });
  });

  it('is in doubt for two minutes at most, and not after the clock was set back', async () => {
    const page = openPage();
    await refreshOnce(page, { type: 'ambiguous' });
    await page.clock.run(2 * MINUTE - 1);
    expect(isInDoubt([page])).toEqual([true]);
    await page.clock.run(1);
    expect(isInDoubt([page])).toEqual([false]);
    await refreshOnce(page, { type: 'ambiguous' });
    page.clock.jump(-1);
    expect(isInDoubt([page])).toEqual([false]);
  });

  it.each<[string, RefreshAnswer]>([
    ['a new token', issued],
    ['none', transient],
  ])('delays calls until the answer arrives, which brings %s', async (_what, answer) => {
    const page = openPage();
    const outcome = page.coordinator.refresh();
    // It has not left yet, and is about to.
    const calls = [watch(page.coordinator.settled(page.held(), signal))];
    await page.clock.run(1_000);
    calls.push(watch(page.coordinator.settled(page.held(), signal)));
    await settle();
    expect(calls.map(({ state }) => state)).toEqual(['pending', 'pending']);
    await page.endpoint.answer(answer);
    await outcome;
    await settle();
    expect(calls.map(({ state }) => state)).toEqual(['resolved', 'resolved']);
    expect(page.clock.armed()).toBe(0);
  });

  it.each<[string, (page: Page) => Page, number]>([
    ['in this page', (page) => page, 2_000],
    ['in another page, from when it left', (page) => openPage(page), 1_000],
  ])('delays calls no longer than a request takes: %s', async (_where, waitingPage, remaining) => {
    const page = openPage();
    void page.coordinator.refresh();
    await page.clock.run(1_000);
    const { coordinator, held } = waitingPage(page);
    const call = watch(coordinator.settled(held(), signal));
    await page.clock.run(remaining - 1);
    expect(call.state).toBe('pending');
    await page.clock.run(1);
    expect(call.state).toBe('resolved');
    expect(page.clock.armed()).toBe(0);
  });

  it('delays no call when no refresh was sent, or when its answer has arrived', async () => {
    const page = openPage();
    const before = watch(page.coordinator.settled(page.held(), signal));
    await settle();
    expect([before.state, page.clock.armed()]).toEqual(['resolved', 0]);
    await refreshOnce(page, { type: 'ambiguous' });
    const after = watch(page.coordinator.settled(page.held(), signal));
    await settle();
    expect([after.state, page.clock.armed()]).toEqual(['resolved', 0]);
  });

  it('stops waiting when the call is aborted, and leaves no timer or listener', async () => {
    const page = openPage();
    void page.coordinator.refresh();
    await page.clock.run(1);
    const controller = new AbortController();
    const call = watch(page.coordinator.settled(page.held(), controller.signal));
    controller.abort();
    await settle();
    expect(call.state).toBe('resolved');
    expect([page.clock.armed(), getEventListeners(controller.signal, 'abort').length]).toEqual([0, 0]);
  });
});

describe('the stored budget', () => {
  it.each([
    ['is not JSON', '{'],
    ['is null', 'null'],
    ['is an array', [T0, T0 + MINUTE]],
    ['lacks a part', { availableAt: T0 + MINUTE }],
    ['holds texts', { attemptedAt: String(T0), availableAt: String(T0 + MINUTE) }],
    ['would lock the user out for good', { attemptedAt: T0, availableAt: T0 + 10 ** 12 }],
    ['says that the attempt is still to come', { attemptedAt: T0 + 1, availableAt: T0 + MINUTE }],
  ])('does not stop a refresh when it %s', async (_case, budget) => {
    const page = openPage();
    plant(page.store, budget);
    expect(await refreshOnce(page, issued)).toMatchObject({ type: 'refreshed' });
  });

  it('applies when it is valid, up to the longest cooldown', async () => {
    const page = openPage();
    plant(page.store, { attemptedAt: T0, availableAt: T0 + 600_000 });
    expect(await page.coordinator.refresh()).toEqual({ type: 'limited', until: T0 + 600_000 });
    plant(page.store, { attemptedAt: T0, availableAt: T0 + 600_001 });
    expect(page.coordinator.availableAt()).toBeLessThanOrEqual(T0);
  });

  it('contains no token', async () => {
    const page = openPage();
    await refreshOnce(page, { ...issued, token: { accessToken: 's3cret', refreshToken: 's3cret' } });
    expect(JSON.stringify(page.store.keys().map((key) => page.store.get(key)))).not.toContain('s3cret');
  });
});

describe('the log', () => {
  it('has one line for each attempt: how it ended, and how long it took', async () => {
    const page = openPage();
    const outcomes = [page.coordinator.refresh(), page.coordinator.refresh()];
    await page.clock.run(1_234);
    await page.endpoint.answer(issued);
    await Promise.all(outcomes);
    await page.coordinator.refresh();
    expect(page.recorded.events).toEqual([{ type: 'refresh.finished', outcome: 'refreshed', ms: 1_234 }]);
  });

  it.each(['limited', 'transient', 'ambiguous', 'rejected'] as const)('names the outcome %s', async (type) => {
    const page = openPage();
    await refreshOnce(page, { type, retryAfterMs: null });
    expect(page.recorded.of('refresh.finished')).toMatchObject([{ outcome: type }]);
  });
});
