import { createAssessmentClient, memoryStore, type MonitorEvent } from 'assessment-monitor';
import { openTestWorld } from 'assessment-monitor/testing';
import { describe, expect, it, vi } from 'vitest';
import { getNextSnapshot, transition } from 'xstate';
import { invalidToken, ok, openScriptedWorld, type Script, flat } from '../support/scripted-world.ts';

const SECOND = 1_000;

describe('the actor of an assessment', () => {
  it("works with XState's pure functions, during the assessment and after its end", async () => {
    const { client, signIn, run } = openTestWorld({ jobMs: 20 * SECOND });
    signIn();
    const { actor } = client.submit({ answers: [1] });
    await run(5 * SECOND);
    const before = actor.getSnapshot();

    const [next] = transition(actor.logic, before, { type: 'session.ended', reason: 'rejected' });
    expect(next.matches({ active: 'auth-failed' })).toBe(true);
    const back = getNextSnapshot(actor.logic, next, { type: 'session.restored', userId: null });
    expect(back.hasTag('monitoring')).toBe(true);
    // A lost feed makes the chart compute a poll delay.
    expect(getNextSnapshot(actor.logic, before, { type: 'feed.lost' }).hasTag('monitoring')).toBe(true);
    expect(actor.getSnapshot()).toBe(before);

    await run(60 * SECOND);
    expect(actor.getSnapshot().status).toBe('done');
    expect(getNextSnapshot(actor.logic, before, { type: 'feed.lost' }).hasTag('monitoring')).toBe(true);
    client.dispose();
  });

  it('logs each change of state with the event that caused it', async () => {
    const world = openScriptedWorld({
      status: ({ count }) => (count === 1 ? invalidToken() : ok({ status: 'queued' })),
    });
    world.signIn();
    world.submit();
    await world.run(SECOND);
    const changes = world.events.flatMap((it) => (it.type === 'state.changed' ? [[it.to, it.cause]] : []));
    expect(changes.slice(0, 3)).toEqual([
      ['submitting', 'assessment.submit'],
      ['polling', 'xstate.done.actor.submitAssessment'],
      ['refreshing-token', 'xstate.done.actor.checkStatus'],
    ]);
    world.close();
  });
});

describe('a machine that broke', () => {
  /** A world whose random numbers, which the delays of the chart need, can be made to throw. */
  const openFragile = (script: Script = {}) => {
    const storage = memoryStore();
    let isBroken = false;
    const random = () => {
      if (isBroken) throw new RangeError('no random numbers');
      return 0.5;
    };
    const world = openScriptedWorld(script, { storage, random });
    world.signIn();
    return { ...world, storage, breakRandom: () => void (isBroken = true) };
  };

  it('is shown as failed with the code `unexpected`, settles, and keeps its record', async () => {
    const world = openFragile();
    const assessment = world.submit();
    const settled = assessment.settled();
    world.breakRandom();
    await world.run(5 * SECOND);
    expect(assessment.actor.getSnapshot().status).toBe('error');
    expect(await settled).toMatchObject({ phase: 'failed', error: { code: 'unexpected' } });
    expect(await assessment.settled()).toBe(assessment.getSnapshot());
    expect(world.phase()).toBe('failed');
    expect(world.storage.keys().filter((key) => key.includes(':job:'))).toHaveLength(1);
    expect(world.close()).toEqual({ timers: 0, requests: 0, sockets: 0 });
  });

  it.each<[string, Script]>([
    ['with a job id', {}],
    ['before it has a job id', { submit: () => flat(503, 'SERVICE_UNAVAILABLE') }],
  ])('does not reach the global error handler %s', async (_when, script) => {
    const unhandled = vi.fn<(error: Error) => void>();
    process.on('uncaughtException', unhandled);
    const world = openFragile(script);
    const { actor } = world.submit();
    world.breakRandom();
    await world.run(5 * SECOND);
    // XState throws an error that a subscriber does not handle in a timer of 0 ms.
    await new Promise((resolve) => setTimeout(resolve));
    process.off('uncaughtException', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(actor.getSnapshot().status).toBe('error');
    world.close();
  });
});

describe('the log', () => {
  it('reports what a client finds while it is created', () => {
    vi.stubGlobal('window', { location: { href: 'https://page.example.test/' } });
    vi.stubGlobal('document', {});
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('BroadcastChannel', undefined);
    const events: (MonitorEvent & { at: number })[] = [];
    const target = { addEventListener: () => {}, removeEventListener: () => {} };
    const client = createAssessmentClient({
      baseUrl: 'https://api.example.test',
      socket: false,
      page: { window: target, document: { ...target, visibilityState: 'visible' } },
      onEvent: (event) => events.push(event),
    });
    client.dispose();
    vi.unstubAllGlobals();
    const missing = events.flatMap((it) => (it.type === 'tabs.uncoordinated' ? [it.missing] : []));
    expect(missing.toSorted()).toEqual(['channel', 'locks']);
    expect(events.map(({ type }) => type)).toContain('storage.unavailable');
    expect(events.every(({ at }) => at > 0)).toBe(true);
  });
});
