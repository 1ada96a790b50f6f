import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MAX_TIMEOUT_MS, sleep, systemClock } from '../../src/lib/clock.ts';
import { watch } from '../support/deferred.ts';
import { settle, virtualClock } from '../../src/testing/virtual-clock.ts';

describe('sleep', () => {
  it('resolves exactly when the time has passed', async () => {
    const clock = virtualClock();
    const slept = watch(sleep(clock, 500));
    await clock.run(499);
    expect(slept.state).toBe('pending');
    await clock.run(1);
    expect(slept.state).toBe('resolved');
  });

  it('rejects with the reason of the signal as soon as it aborts, and leaves no timer', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const slept = watch(sleep(clock, 500, controller.signal));
    const reason = new Error('left');
    controller.abort(reason);
    await settle();
    expect(slept).toEqual({ state: 'rejected', error: reason });
    expect(clock.armed()).toBe(0);
  });

  it('arms no timer when the signal is already aborted', async () => {
    const clock = virtualClock();
    const reason = new Error('left');
    await expect(sleep(clock, 500, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(clock.armed()).toBe(0);
  });

  it('leaves no listener on the signal, whether it resolves or rejects', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const listeners = () => getEventListeners(controller.signal, 'abort').length;

    const slept = sleep(clock, 500, controller.signal);
    expect(listeners()).toBe(1);
    await clock.run(500);
    await slept;
    expect(listeners()).toBe(0);

    const broken = watch(sleep(clock, 500, controller.signal));
    controller.abort();
    await settle();
    expect(broken.state).toBe('rejected');
    expect(listeners()).toBe(0);
  });
});

describe('systemClock', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('returns the time of the platform', () => {
    vi.setSystemTime(1_234_567);
    expect(systemClock.now()).toBe(1_234_567);
  });

  it('fires a timer after its delay', () => {
    const fired = vi.fn<() => void>();
    systemClock.setTimeout(fired, 1_000);
    vi.advanceTimersByTime(999);
    expect(fired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(fired).toHaveBeenCalledOnce();
  });

  it('never fires a cleared timer', () => {
    systemClock.clearTimeout(systemClock.setTimeout(() => {}, 1_000));
    expect(vi.getTimerCount()).toBe(0);
  });

  it('clamps a delay that setTimeout does not support, instead of firing immediately', () => {
    expect(MAX_TIMEOUT_MS).toBe(2_147_483_647);
    // A spy on the fake timer would stay when the real one comes back.
    vi.useRealTimers();
    const spy = vi.spyOn(globalThis, 'setTimeout');
    for (const ms of [MAX_TIMEOUT_MS + 1, Number.POSITIVE_INFINITY]) {
      systemClock.clearTimeout(systemClock.setTimeout(() => {}, ms));
      expect(spy).toHaveBeenLastCalledWith(expect.any(Function), MAX_TIMEOUT_MS);
    }
    spy.mockRestore();
  });
});
