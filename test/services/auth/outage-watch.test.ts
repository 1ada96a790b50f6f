import { describe, expect, it } from 'vitest';
import type { Health } from '../../../src/services/auth/health-request.ts';
import { createOutageWatch } from '../../../src/services/auth/outage-watch.ts';
import { memoryStore } from '../../../src/lib/storage.ts';
import { recordedLog } from '../../support/recorded-log.ts';
import { virtualClock } from '../../../src/testing/virtual-clock.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** A watch whose health route is in the hands of the test. `null`: it is not asked. `refreshAt`: the token has expired. */
function openWatch(
  first: Health | null = 'down',
  refreshAt: () => number | null = () => null,
  { clock = virtualClock(), store = memoryStore() } = {},
) {
  const state = { health: first, looks: 0, recovered: 0 };
  const recorded = recordedLog();
  const watch = createOutageWatch({
    clock,
    random: () => 0.5,
    log: recorded.log,
    askHealth:
      first === null
        ? null
        : async () => {
            state.looks += 1;
            return state.health ?? 'unknown';
          },
    refreshAt,
    store,
    onRecovered: () => (state.recovered += 1),
  });
  watch.observe(true);
  const refuse = () => watch.refused(1, clock.now());
  return { clock, store, state, watch, recorded, refuse };
}

/** A token was refused, and a caller waits for the end of the outage. */
async function openOutage(first: Health | null = 'down', isUrgent = false) {
  const opened = openWatch(first);
  opened.refuse();
  await opened.watch.isDown();
  opened.watch.waits(10 * MINUTE, isUrgent);
  return opened;
}

describe('a refused token', () => {
  it('is trusted again after a good answer, a socket that authenticates, or the word of the health route', async () => {
    const byAnswer = await openOutage();
    byAnswer.watch.accepted(1);
    await byAnswer.clock.run(5 * SECOND);
    const bySocket = await openOutage();
    bySocket.watch.authenticated(1);
    await bySocket.clock.run(5 * SECOND);
    const byHealth = await openOutage();
    byHealth.state.health = 'up';
    await byHealth.clock.run(MINUTE);
    for (const { watch, state, clock } of [byAnswer, bySocket, byHealth]) {
      expect([watch.isTrusted(1), state.recovered, clock.armed()]).toEqual([true, 1, 0]);
    }
    expect(byHealth.recorded.of('token.trusted')).toEqual([{ type: 'token.trusted', generation: 1, by: 'health' }]);
  });

  it('is not trusted for the sign of another token', async () => {
    const { watch, clock, state } = await openOutage(null);
    watch.authenticated(2);
    await clock.run(MINUTE);
    expect([watch.isTrusted(1), state.recovered]).toEqual([false, 0]);
  });

  it('is held back from calls that can wait for a minute', async () => {
    const { watch, clock } = await openOutage(null);
    expect([watch.isRefused(1), watch.isRefusedOfLate(1)]).toEqual([true, true]);
    await clock.run(MINUTE);
    expect([watch.isRefused(1), watch.isRefusedOfLate(1)]).toEqual([true, false]);
  });

  it('is not trusted for ever because the clock was set back after the sign', async () => {
    const { watch, clock, refuse } = await openOutage();
    watch.accepted(1);
    await clock.run(5 * SECOND);
    expect(watch.isTrusted(1)).toBe(true);
    clock.jump(-60 * MINUTE);
    refuse();
    expect(watch.isTrusted(1)).toBe(false);
  });

  it('stays trusted when a late answer refuses it that left before the sign', async () => {
    const { watch, clock } = await openOutage();
    const leftAt = clock.now();
    watch.authenticated(1);
    await clock.run(5 * SECOND);
    watch.refused(1, leftAt);
    expect(watch.isTrusted(1)).toBe(true);
    watch.refused(1, clock.now());
    expect(watch.isTrusted(1)).toBe(false);
  });

  it('is not trusted twice in one outage for a socket that was wrong', async () => {
    const { watch, clock, refuse, state } = await openOutage(null);
    for (const _ of [1, 2]) {
      watch.authenticated(1);
      await clock.run(5 * SECOND);
      refuse();
    }
    expect(state.recovered).toBe(1);
    watch.accepted(1);
    refuse();
    watch.authenticated(1);
    await clock.run(5 * SECOND);
    expect(state.recovered).toBe(2);
  });
});

describe('a token that another tab saw refused', () => {
  it('is held back as long as that tab knows of the outage, and a minute after it was closed', async () => {
    const first = await openOutage();
    const { watch } = openWatch('down', () => null, first);
    expect([watch.isRefusedElsewhere(1), watch.isRefusedElsewhere(2)]).toEqual([true, false]);
    expect([watch.isRefusedElsewhere(1), first.watch.isRefusedElsewhere(1)]).toEqual([true, false]);
    await first.clock.run(3 * MINUTE);
    expect([first.watch.isRefusedOfLate(1), watch.isRefusedElsewhere(1)]).toEqual([false, true]);
    first.watch.observe(false);
    await first.clock.run(MINUTE);
    expect(watch.isRefusedElsewhere(1)).toBe(false);
  });

  it('is sent again as soon as one tab knows that it is good', async () => {
    for (const recover of ['here', 'there']) {
      const first = await openOutage();
      const second = openWatch('down', () => null, first);
      (recover === 'here' ? second : first).watch.accepted(1);
      expect(second.watch.isRefusedElsewhere(1)).toBe(false);
    }
  });
});

describe('the health route', () => {
  it('is asked at growing intervals of at most 15 s, and every 8 s for a finished result', async () => {
    const usual = await openOutage();
    await usual.clock.run(2 * MINUTE);
    const urgent = await openOutage('down', true);
    await urgent.clock.run(2 * MINUTE);
    expect([usual.state.looks, urgent.state.looks]).toEqual([10, 16]);
  });

  it('is asked no more when nothing waits any longer', async () => {
    const { watch, state, clock, refuse } = openWatch();
    refuse();
    await watch.isDown();
    watch.waits(20 * SECOND, false);
    await clock.run(10 * MINUTE);
    expect(state.looks).toBeLessThan(6);
    expect(clock.armed()).toBe(0);
  });

  it('is asked no more when nothing listens any longer', async () => {
    const { watch, clock, state } = await openOutage();
    watch.observe(false);
    await clock.run(10 * MINUTE);
    expect([state.looks, clock.armed()]).toEqual([1, 0]);
  });

  it('is asked once by callers that ask together', async () => {
    const { watch, refuse, state } = openWatch();
    refuse();
    expect(await Promise.all([watch.isDown(), watch.isDown(), watch.isDown()])).toEqual([true, true, true]);
    expect(state.looks).toBe(1);
  });

  it('that does not exist is asked again after ten minutes', async () => {
    const { watch, clock, state } = await openOutage('unknown');
    expect(watch.isTroubled()).toBe(false);
    expect(await watch.isDown()).toBe(false);
    await clock.run(10 * MINUTE);
    state.health = 'down';
    expect(watch.isTroubled()).toBe(true);
    expect(state.looks).toBe(1);
  });

  it('that says up at once is not taken for a sign: it may not know of the outage', async () => {
    const { state, clock } = await openOutage('up');
    await clock.run(5 * MINUTE);
    expect([state.looks, state.recovered]).toEqual([1, 0]);
  });

  it('that announces two ends which are none is not asked again in this outage', async () => {
    const { watch, state, clock, refuse } = await openOutage();
    for (const _ of [1, 2]) {
      state.health = 'up';
      await clock.run(MINUTE);
      refuse();
      state.health = 'down';
      await watch.isDown();
      watch.waits(MINUTE, false);
    }
    expect([state.recovered, await watch.isDown(), watch.isTroubled()]).toEqual([2, false, false]);
  });

  it('that says down for five minutes is no reason to keep the refresh any longer', async () => {
    const { watch, clock } = await openOutage();
    await clock.run(5 * MINUTE - 1);
    expect(await watch.isDown()).toBe(true);
    await clock.run(1);
    expect(await watch.isDown()).toBe(false);
  });
});

describe('the end of an outage', () => {
  /** Minutes of outage, a moment after the latest good answer. */
  async function endAfter(minutes: number, refreshAt: () => number | null) {
    const opened = openWatch('down', refreshAt);
    const { watch, clock, state, refuse } = opened;
    watch.accepted(1);
    refuse();
    await watch.isDown();
    watch.waits(10 * MINUTE, false);
    await clock.run(minutes * MINUTE);
    state.health = 'up';
    const endedAt = clock.now();
    while (state.recovered === 0) await clock.run(SECOND);
    return { ...opened, endedAt, afterMs: clock.now() - endedAt };
  }

  it('brings a good token back within the next look, and expired ones in proportion to its length', async () => {
    const [good, short, long] = [await endAfter(3, () => null), await endAfter(1, () => 0), await endAfter(3, () => 0)];
    expect([good.afterMs, short.afterMs, long.afterMs].map((ms) => Math.round(ms / SECOND))).toEqual([4, 12, 36]);
  });

  it('brings a client that waits for its minute back in that minute', async () => {
    let allowedAt = 0;
    const { afterMs } = await endAfter(3, () => (allowedAt ||= virtualClock().now() + 3 * MINUTE + 30 * SECOND));
    expect(Math.round(afterMs / SECOND)).toBe(30);
  });

  it('once announced, asks the health route no more before a refresh', async () => {
    const { watch, state, refuse } = await endAfter(1, () => null);
    expect([watch.isReturning(), watch.isTroubled()]).toEqual([false, false]);
    const { looks } = state;
    refuse();
    expect(watch.isTroubled()).toBe(true);
    expect(state.looks).toBe(looks);
  });

  it('that a failed refresh contradicts counts as a mistake of its source', async () => {
    const { watch, clock, state } = await endAfter(1, () => 0);
    for (const _ of [1, 2]) {
      watch.refreshFailed();
      state.health = 'down';
      await watch.isDown();
      watch.waits(10 * MINUTE, false);
      state.health = 'up';
      await clock.run(2 * MINUTE);
    }
    expect([state.recovered, watch.isTroubled()]).toEqual([2, false]);
  });
});
