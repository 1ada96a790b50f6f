import type { RuntimeSettings, SettingsSource } from 'assessment-monitor';
import { describe, expect, it } from 'vitest';
import { openScriptedWorld, type Script, status } from '../support/scripted-world.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Settings that announce their changes. */
function switchboard(first: RuntimeSettings = {}) {
  let settings = first;
  const listeners = new Set<() => void>();
  const source: SettingsSource = {
    get: () => settings,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return {
    source,
    listeners,
    set(change: RuntimeSettings): void {
      settings = { ...settings, ...change };
      for (const listener of listeners) listener();
    },
  };
}

function openWorld(first: RuntimeSettings = {}, script: Script = {}, isFunction = false, isPolling = true) {
  const board = switchboard(first);
  const settings = isFunction ? () => board.source.get() : board.source;
  const world = openScriptedWorld(script, { settings, ...(isPolling && { socket: false as const }) });
  const changed = () => world.events.flatMap((it) => (it.type === 'settings.changed' ? [it.field] : []));
  return { ...world, board, set: board.set, changed };
}
const deadlineOf = ({ client }: Pick<ReturnType<typeof openWorld>, 'client'>) =>
  client.getSnapshot().assessments[0]?.actor.getSnapshot().context.deadlineAt;
const distances = (calls: readonly { route: string; at: number }[]) => {
  const times = calls.filter(({ route }) => route === 'status').map(({ at }) => at);
  return times.slice(1).map((at, index) => at - (times[index] ?? 0));
};

describe.each([
  ['a source', false],
  ['a function', true],
])('settings from %s that change while an assessment runs', (_what, isFunction) => {
  it('resume a job that paused while refresh was off, with the same job and no second submission', async () => {
    const world = openWorld({ refresh: false }, {}, isFunction);
    world.signIn('first', 60);
    world.submit();
    await world.run(2 * MINUTE);
    expect([world.count('refresh'), world.phase()]).toEqual([0, 'sign-in-needed']);
    world.set({ refresh: true });
    await world.run(11 * SECOND);
    expect([world.count('refresh'), world.phase(), world.count('submit')]).toEqual([1, 'waiting', 1]);
    expect(world.changed()).toEqual(['refresh']);
    expect(world.close()).toEqual({ timers: 0, requests: 0, sockets: 0 });
  });

  it('survive refresh off, on, off and on', async () => {
    const world = openWorld(
      { refresh: true },
      {
        // Tokens of a minute, so that each phase outlives one.
        refresh: ({ count }) => [200, { success: true, data: { idToken: `fresh-${count}`, expiresIn: '60' } }],
      },
      isFunction,
    );
    world.signIn('first', 60);
    world.submit();
    for (const refresh of [false, true, false]) {
      world.set({ refresh });
      await world.run(3 * MINUTE);
      expect(world.phase()).toBe(refresh ? 'waiting' : 'sign-in-needed');
    }
    world.set({ refresh: true });
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('submit')]).toEqual(['waiting', 1]);
    expect(world.close()).toEqual({ timers: 0, requests: 0, sockets: 0 });
  });

  it('refresh a token only after its expiry once preventive refresh is off', async () => {
    const world = openWorld({}, {}, isFunction);
    world.signIn('first', 600);
    world.submit();
    await world.run(SECOND);
    world.set({ preventiveRefresh: false });
    await world.run(9 * MINUTE + 45 * SECOND);
    expect(world.count('refresh')).toBe(0);
    await world.run(30 * SECOND);
    expect([world.count('refresh'), world.phase()]).toEqual([1, 'waiting']);
    expect(world.calls.filter(({ token, at }) => token === 'first' && at > 10 * MINUTE)).toEqual([]);
    world.close();
  });

  it('refresh ahead again once preventive refresh is on', async () => {
    const world = openWorld({ preventiveRefresh: false }, {}, isFunction);
    world.signIn('first', 600);
    world.submit();
    await world.run(5 * MINUTE);
    world.set({ preventiveRefresh: true });
    await world.run(4 * MINUTE);
    expect(world.count('refresh')).toBe(1);
    world.close();
  });

  it('replace the poll interval', async () => {
    const world = openWorld({}, {}, isFunction);
    world.signIn();
    world.submit();
    await world.run(2 * MINUTE);
    expect(Math.max(...distances(world.calls))).toBeLessThan(13 * SECOND);
    world.set({ pollIntervalMs: 30_000 });
    await world.run(30 * SECOND);
    const before = world.calls.length;
    await world.run(3 * MINUTE);
    expect(Math.min(...distances(world.calls.slice(before)))).toBeGreaterThan(23 * SECOND);
    world.close();
  });

  it('move the deadline of an assessment that runs by the difference', async () => {
    const world = openWorld({ monitoringTimeoutMs: 30 * MINUTE }, {}, isFunction);
    world.signIn();
    world.submit();
    await world.run(5 * MINUTE);
    const before = deadlineOf(world) ?? 0;
    world.set({ monitoringTimeoutMs: 10 * MINUTE });
    await world.run(11 * SECOND);
    expect(deadlineOf(world)).toBe(before - 20 * MINUTE);
    await world.run(5 * MINUTE);
    expect(world.phase()).toBe('delayed');
    world.set({ monitoringTimeoutMs: 40 * MINUTE });
    await world.run(12 * SECOND);
    expect([deadlineOf(world), world.phase()]).toEqual([before + 10 * MINUTE, 'waiting']);
    expect(world.close()).toEqual({ timers: 0, requests: 0, sockets: 0 });
  });

  it('close the socket when it is off, and open it again when it is on', async () => {
    const world = openWorld({}, {}, isFunction, false);
    const open = () => world.sockets.sockets.filter(({ isOpen }) => isOpen).length;
    world.signIn();
    world.submit();
    await world.run(SECOND);
    expect(open()).toBe(1);
    world.set({ socket: false });
    await world.run(11 * SECOND);
    expect(open()).toBe(0);
    const polled = world.count('status');
    await world.run(MINUTE);
    expect(world.count('status')).toBeGreaterThan(polled);
    world.set({ socket: true });
    await world.run(11 * SECOND);
    expect(open()).toBe(1);
    expect(world.close()).toEqual({ timers: 0, requests: 0, sockets: 0 });
  });
});

describe('settings from a source', () => {
  it('are listened to only while an assessment is under way', async () => {
    const world = openWorld({}, { status: () => status('completed') });
    world.signIn();
    const assessment = world.submit();
    await world.run(SECOND);
    expect(assessment.getSnapshot().phase).toBe('completed');
    expect(world.board.listeners.size).toBe(0);
    world.close();
  });

  it('change nothing where the source throws, and the log says so once', async () => {
    const broken: SettingsSource = {
      get: () => {
        throw new Error('the flags are not there');
      },
      subscribe: () => {
        throw new Error('the flags are not there');
      },
    };
    const world = openScriptedWorld({}, { settings: broken, socket: false });
    world.signIn('first', 60);
    world.submit();
    await world.run(2 * MINUTE);
    expect([world.phase(), world.count('refresh')]).toEqual(['waiting', 1]);
    expect(world.events.flatMap((it) => (it.type === 'settings.invalid' ? [it.field] : []))).toEqual(['settings']);
    world.close();
  });

  it.each<[string, RuntimeSettings]>([
    ['a poll interval of 10 ms', { pollIntervalMs: 10 }],
    ['a poll interval of an hour', { pollIntervalMs: 3_600_000 }],
    ['a poll interval that is no number', { pollIntervalMs: Number.NaN }],
  ])('keep the last good value for %s', async (_what, nonsense) => {
    const world = openWorld({ pollIntervalMs: 20_000 });
    world.signIn();
    world.submit();
    await world.run(MINUTE);
    world.set(nonsense);
    await world.run(5 * MINUTE);
    const later = distances(world.calls.slice(4));
    expect(Math.min(...later)).toBeGreaterThan(15 * SECOND);
    expect(Math.max(...later)).toBeLessThan(25 * SECOND);
    world.close();
  });
});
