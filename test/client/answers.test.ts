import { describe, expect, it } from 'vitest';
import { readAnswers } from '../../src/client/answers.ts';
import { openScriptedWorld } from '../support/scripted-world.ts';
import { sharedStorage } from '../support/shared-storage.ts';

class Unanswered {
  value: number | undefined = undefined;
}
class Hidden {
  get answer() {
    return 1;
  }
}
class Answer {
  value = 1;
}
/** An application's class whose name ends like those of the platform. */
class LifeEvent {
  title = 'a move';
}
class WithJson {
  toJSON() {
    return { value: 1 };
  }
}
const circular: Record<string, unknown> = {};
circular.self = circular;

describe('answers that JSON would garble', () => {
  it.each<[string, unknown, string]>([
    ['a FormData', new FormData(), 'Object.fromEntries(formData)'],
    ['a URLSearchParams', new URLSearchParams('a=1'), 'Object.fromEntries(it)'],
    ['a Map', new Map([['a', 1]]), 'Object.fromEntries(it)'],
    ['a Set', new Set([1]), 'Array.from(it)'],
    ['a typed array', new Uint8Array(2), 'Array.from(it)'],
    ['an ArrayBuffer', new ArrayBuffer(2), 'encode it as text'],
    ['a Blob', new Blob(['a']), 'encode it as text'],
    ['a File', new File(['a'], 'a.txt'), 'encode it as text'],
    ['a Promise', Promise.resolve({}), 'await it'],
    ['an Event', new Event('submit'), 'new FormData(event.currentTarget)'],
    ['a WeakMap', new WeakMap(), 'use a plain object'],
    ['an Error', new Error('no'), 'use a plain object'],
    ['an instance whose fields JSON does not see', new Hidden(), 'use a plain object'],
    ['a bigint', 1n, 'use String(it)'],
    ['a NaN', Number.NaN, 'use null where there is no number'],
    ['an infinite number', Number.POSITIVE_INFINITY, 'use null where there is no number'],
  ])('%s is refused at any depth, with the path and a remedy', (_what, value, remedy) => {
    expect(() => readAnswers(value)).toThrow(TypeError);
    expect(() => readAnswers(value)).toThrow(remedy);
    expect(() => readAnswers({ page: [{ 'the answer': value }] })).toThrow('"page[0].the answer" is');
    expect(() => readAnswers({ page: [{ 'the answer': value }] })).toThrow(/^submit: .*nothing was submitted$/s);
  });

  it.each<[string, unknown]>([
    ['a circular object', circular],
    [
      'a getter that throws',
      {
        get answer() {
          throw new Error('no');
        },
      },
    ],
    ['undefined', undefined],
    ['a function', () => {}],
    ['a symbol', Symbol('answer')],
  ])('%s is refused with a TypeError of the same beginning', (_what, value) => {
    expect(() => readAnswers(value)).toThrow(TypeError);
    expect(() => readAnswers(value)).toThrow(/^submit: the answers must be JSON: .*nothing was submitted$/s);
  });

  it('are neither sent nor stored', async () => {
    const { openTab, store } = sharedStorage();
    const world = openScriptedWorld({}, openTab());
    world.signIn();
    const before = store.keys();
    expect(() => world.client.submit({ form: new FormData() })).toThrow('"form" is a FormData');
    await world.run(1_000);
    expect([store.keys(), world.count('submit'), world.client.getSnapshot().assessments]).toEqual([before, 0, []]);
    world.close();
  });
});

describe('answers that JSON holds', () => {
  it.each<[string, unknown, unknown]>([
    ['plain objects, arrays and primitives', { a: [1, 'b', true, null, {}] }, { a: [1, 'b', true, null, {}] }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['a Date', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    ['an instance with own fields', { it: new Answer() }, { it: { value: 1 } }],
    ['an instance of a class that is named like those of the platform', new LifeEvent(), { title: 'a move' }],
    ['an instance with toJSON', { it: new WithJson() }, { it: { value: 1 } }],
    ['an instance with an own field that is undefined', { it: new Unanswered() }, { it: {} }],
    ['fields that are undefined', { a: undefined, b: 1 }, { b: 1 }],
    ['a boxed primitive', { a: new String('text') }, { a: 'text' }],
  ])('%s are read as JSON does', (_what, value, expected) => {
    expect(readAnswers(value).copy).toEqual(expected);
  });

  it('have one digest whatever the order of their keys, and another for other values', () => {
    const digest = (answers: unknown) => readAnswers(answers).digest;
    const answers = { name: 'a', pages: [{ x: 1, y: { z: 2, w: 3 } }] };
    expect(digest({ pages: [{ y: { w: 3, z: 2 }, x: 1 }], name: 'a', note: undefined })).toBe(digest(answers));
    expect(digest({ ...answers, name: 'b' })).not.toBe(digest(answers));
    expect(digest([1, 2])).not.toBe(digest([2, 1]));
  });
});
