import { redactEvent } from 'assessment-monitor/inspect';
import { describe, expect, it } from 'vitest';

const actorOf = {
  type: '@xstate.snapshot',
  sessionId: 'x:1',
  rootId: 'x:0',
  createdAt: '1760000000000',
  _version: '0',
};
const text = (event: object, reveal?: readonly string[]) => JSON.stringify(redactEvent(event, reveal));

/** A result as an application may have one: each of its values is personal. */
const result = {
  name: 'Planted Person',
  id: 'user@example.test',
  status: 'depressed',
  reason: 'burnout',
  type: 'introvert',
  code: 'plantedcode',
  isSmoker: true,
  scores: [73_421, { openness: 73_421, jobId: 'plantedjob', nested: { id: 'plantedid', sourceId: '73421' } }],
};
const VALUES = /planted|user@|depressed|burnout|introvert|73421|true/i;

describe('a redacted event shows structure and no value', () => {
  it.each([
    ['the output of an actor', { ...actorOf, snapshot: { status: 'done', output: result } }],
    ['a context', { ...actorOf, snapshot: { status: 'active', context: { result, answers: result } } }],
    ['an input', { ...actorOf, snapshot: { status: 'active', input: result } }],
    ['an error', { ...actorOf, snapshot: { status: 'error', error: Object.assign(new Error('planted'), result) } }],
    ['an output that is one number', { ...actorOf, snapshot: { status: 'done', output: 73_421, error: 'planted' } }],
    ['the payload of an event', { ...actorOf, event: { ...result, type: 'job.completed' } }],
    [
      'the event of a snapshot',
      { ...actorOf, event: { type: 'xstate.done.actor.poll', output: result }, snapshot: {} },
    ],
    ['a status that is none of XState', { ...actorOf, snapshot: { status: 'planted' } }],
    ['keys of the event itself', { ...result, ...actorOf, name: 'Planted@Person', id: 'planted' }],
    [
      'the static parts of a definition',
      {
        ...actorOf,
        definition: { context: result, meta: result, description: 'planted', states: { a: { output: result } } },
      },
    ],
  ])('of %s', (_, event) => {
    expect(text(event)).not.toMatch(VALUES);
  });

  it('of keys that look like data', () => {
    const keys = [
      'user@example.test',
      '550e8400-e29b-41d4-a716-446655440000',
      'x550e8400e29b41d4',
      'JBSWY3DPEHPK3PXP',
      'aGVsbG9Xb3JsZA',
      'qWeRtYuIoPaSdFgH',
      'V1StGXR8_Z5jdHi6B-myT',
      'job_4815162342',
      'Planted Person',
      '6281234567890',
    ];
    const data = Object.fromEntries(keys.map((key) => [key, 1]));
    const shown = text({ ...actorOf, event: { type: 'told', data }, snapshot: { context: data, output: [data] } });
    expect(keys.filter((key) => shown.includes(key))).toEqual([]);
    const named = { children: data, value: data, tags: new Set(keys), status: 'active' };
    const asNames = text({ ...actorOf, snapshot: named, definition: { states: data } });
    // A state may be called by two words.
    expect(keys.filter((key) => key !== 'Planted Person' && asNames.includes(key))).toEqual([]);
    for (const key of keys.slice(0, 8)) expect(text({ ...actorOf, event: { type: `told.${key}` } })).not.toContain(key);
  });

  it('while names of states, events, actors and keys stay', () => {
    const event = {
      ...actorOf,
      event: { type: 'xstate.done.actor.0.assessment.active.ws-monitoring', msFromServerDoneToResult: 1 },
      snapshot: {
        status: 'active',
        value: { active: { 'auth-failed': 'waiting' } },
        tags: new Set(['needs-sign-in']),
        children: { jobFeed: {}, 'x:12': {} },
        context: { jobId: null, deadlineAt: 1, sha1: 'a', q12: 'b' },
      },
    };
    expect(redactEvent(event)).toEqual({
      ...actorOf,
      event: { ...event.event, msFromServerDoneToResult: '[redacted]' },
      snapshot: {
        ...event.snapshot,
        tags: ['needs-sign-in'],
        context: { jobId: null, deadlineAt: '[redacted]', sha1: '[redacted]', q12: '[redacted]' },
      },
    });
  });

  it('but the values of revealed keys, unless they look like a token', () => {
    const context = { progress: 40, stage: 'analysis', done: false, other: 7, token: `Bearer ${'a'.repeat(20)}` };
    const { snapshot } = redactEvent({ ...actorOf, snapshot: { context } }, ['progress', 'stage', 'done', 'token']);
    expect(snapshot).toEqual({ context: { ...context, other: '[redacted]', token: '[redacted]' } });
  });

  it('also when it is redacted twice', () => {
    const event = { ...actorOf, event: { ...result, type: 'told' }, snapshot: { output: result, value: 'done' } };
    const once = redactEvent(event);
    expect(redactEvent(once)).toEqual(once);
  });
});

describe('the cost of an event is bounded', () => {
  /** An object whose parts are counted when they are read; every part is another one. */
  function counted(reads: { count: number }, keys: readonly string[]): object {
    return new Proxy(Object.fromEntries(keys.map((key) => [key, null])), {
      get: () => ((reads.count += 1), counted(reads, keys)),
    });
  }
  const keys = ['left', 'right', 'above', 'below'];

  it('for a tree without an end', () => {
    const reads = { count: 0 };
    const endless = counted(reads, keys);
    const shown = text({
      ...actorOf,
      event: { type: 'told', endless },
      snapshot: { context: endless, output: endless, value: endless },
      definition: endless,
    });
    expect(reads.count).toBeLessThan(40_000);
    expect(shown.length).toBeLessThan(1_000_000);
  });

  it('for objects that refer to each other', () => {
    const reads = { count: 0 };
    const objects = Array.from({ length: 40 }, () => ({}) as Record<string, unknown>);
    for (const from of objects)
      for (const [index, to] of objects.entries())
        Object.defineProperty(from, `part${'abcdefgh'[index % 8]}${'abcdefgh'[Math.floor(index / 8)]}`, {
          enumerable: true,
          get: () => ((reads.count += 1), to),
        });
    text({ ...actorOf, snapshot: { context: objects[0], output: objects[1] } });
    expect(reads.count).toBeLessThanOrEqual(2 * 40 * 40);
    // A definition shows what it shares as often as it occurs.
    text({ ...actorOf, definition: objects[0] });
    expect(reads.count).toBeLessThan(25_000);
  });

  it('for a long list, a long text, many tags and many children', () => {
    const reads = { count: 0 };
    const list = new Proxy(Array.from({ length: 1_000_000 }), {
      get: (target, key) => (key === 'length' ? target.length : ((reads.count += 1), 1)),
    });
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`actor.${index}`, {}]));
    const shown = text(
      {
        ...actorOf,
        event: { type: 'a'.repeat(1_000_000), list, note: 'b'.repeat(1_000_000) },
        snapshot: { context: { list }, tags: Object.keys(many), children: many },
      },
      ['note', 'list'],
    );
    expect(reads.count).toBeLessThan(1_000);
    expect(shown.length).toBeLessThan(20_000);
  });

  it('for a getter, a proxy or a prototype that throws', () => {
    const context = {
      get broken(): never {
        throw new Error('planted');
      },
    };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(text({ ...actorOf, event: { type: 'told', proxy }, snapshot: { context } })).not.toContain('planted');
  });
});
