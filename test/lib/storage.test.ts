// @vitest-environment jsdom
import { beforeEach, describe, expect, it } from 'vitest';
import { guardedStore, type KeyValueStore, memoryStore, webStore } from '../../src/lib/storage.ts';
import { recordedLog } from '../support/recorded-log.ts';

beforeEach(() => window.localStorage.clear());

const open = () => window.localStorage;

describe.each<[string, () => KeyValueStore]>([
  ['memoryStore', memoryStore],
  ['webStore', () => webStore(open, () => {})],
  [
    'webStore without a storage',
    () =>
      webStore(
        () => undefined,
        () => {},
      ),
  ],
])('%s', (_name, createStore) => {
  it('returns the value that was set last, and null for a missing key', () => {
    const store = createStore();
    expect(store.get('a')).toBeNull();
    store.set('a', '1');
    store.set('a', '2');
    expect(store.get('a')).toBe('2');
  });

  it('distinguishes an empty text from a missing one', () => {
    const store = createStore();
    store.set('a', '');
    expect(store.get('a')).toBe('');
    expect(store.keys()).toEqual(['a']);
  });

  it('returns null for a removed key', () => {
    const store = createStore();
    store.set('a', '1');
    store.remove('a');
    store.remove('never there');
    expect(store.get('a')).toBeNull();
    expect(store.keys()).toEqual([]);
  });

  it('lists each key once', () => {
    const store = createStore();
    store.set('a', '1');
    store.set('b', '2');
    store.set('a', '3');
    expect(store.keys().toSorted()).toEqual(['a', 'b']);
  });

  it('may be changed while its keys are iterated', () => {
    const store = createStore();
    store.set('a', '1');
    store.set('b', '2');
    for (const key of store.keys()) store.remove(key);
    expect(store.keys()).toEqual([]);
  });
});

/** A real storage whose calls can be made to fail. */
function brokenStorage() {
  const failing = new Set<string | symbol>();
  const storage = new Proxy(window.localStorage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (failing.has(name)) throw new DOMException('no', 'QuotaExceededError');
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { storage, failing };
}

describe('webStore', () => {
  it('reads and writes the storage itself, so that other tabs and the next page see it', () => {
    window.localStorage.setItem('a', 'from elsewhere');
    const store = webStore(open, () => {});
    expect(store.get('a')).toBe('from elsewhere');
    store.set('b', '1');
    expect(window.localStorage.getItem('b')).toBe('1');
    expect(store.keys().toSorted()).toEqual(['a', 'b']);
    store.remove('a');
    expect(window.localStorage.getItem('a')).toBeNull();
  });

  it('logs nothing while the storage works', () => {
    const recorded = recordedLog();
    const store = webStore(open, recorded.log);
    store.set('a', '1');
    store.get('a');
    store.get('never there');
    store.keys();
    store.remove('a');
    expect(recorded.events).toEqual([]);
  });

  it.each([
    [
      'throws when it is opened',
      () => {
        throw new DOMException('denied', 'SecurityError');
      },
    ],
    ['is not there', () => undefined],
  ])('keeps everything in memory where the storage %s, and logs that once', (_case, open) => {
    const recorded = recordedLog();
    const store = webStore(open, recorded.log);
    store.set('a', '1');
    store.set('b', '2');
    expect([store.get('a'), store.get('b'), store.get('c')]).toEqual(['1', '2', null]);
    expect(store.keys()).toEqual(['a', 'b']);
    store.remove('a');
    expect(store.keys()).toEqual(['b']);
    expect(recorded.events).toEqual([{ type: 'storage.unavailable' }]);
  });

  it('keeps in memory the values that a full storage rejects, and prefers them to the older stored ones', () => {
    const recorded = recordedLog();
    const { storage, failing } = brokenStorage();
    const store = webStore(() => storage, recorded.log);
    store.set('a', 'old');
    failing.add('setItem');
    store.set('a', 'new');
    store.set('b', 'also new');
    expect([store.get('a'), store.get('b')]).toEqual(['new', 'also new']);
    expect(store.keys().toSorted()).toEqual(['a', 'b']);
    expect(recorded.events).toEqual([{ type: 'storage.unavailable' }]);
  });

  it('writes to the storage again as soon as it accepts values', () => {
    const { storage, failing } = brokenStorage();
    const store = webStore(
      () => storage,
      () => {},
    );
    failing.add('setItem');
    store.set('a', 'in memory');
    failing.clear();
    store.set('a', 'stored');
    expect(window.localStorage.getItem('a')).toBe('stored');
    window.localStorage.setItem('a', 'changed by another tab');
    expect(store.get('a')).toBe('changed by another tab');
  });

  it('removes from memory and from the storage', () => {
    const { storage, failing } = brokenStorage();
    const store = webStore(
      () => storage,
      () => {},
    );
    store.set('a', 'stored');
    failing.add('setItem');
    store.set('a', 'in memory');
    store.remove('a');
    expect(store.get('a')).toBeNull();
    expect(window.localStorage.getItem('a')).toBeNull();
  });

  it('returns null and never throws when the storage can be written but not read', () => {
    const { storage, failing } = brokenStorage();
    const store = webStore(
      () => storage,
      () => {},
    );
    failing.add('getItem');
    store.set('a', '1');
    expect(store.get('a')).toBeNull();
    failing.clear();
    expect(store.get('a')).toBe('1');
  });

  it('hides a value that the storage does not give up, and removes it with the next write that succeeds', () => {
    const { storage, failing } = brokenStorage();
    const store = webStore(
      () => storage,
      () => {},
    );
    store.set('a', 'the token of a user who signs out');
    failing.add('removeItem');
    store.remove('a');
    expect(store.get('a')).toBeNull();
    expect(store.keys()).toEqual([]);
    failing.clear();
    store.set('b', '1');
    expect(window.localStorage.getItem('a')).toBeNull();
  });

  it('writes what it had to keep in memory with the next write that succeeds', () => {
    const { storage, failing } = brokenStorage();
    const store = webStore(
      () => storage,
      () => {},
    );
    failing.add('setItem');
    store.set('a', 'in memory');
    failing.clear();
    store.set('b', '1');
    expect(window.localStorage.getItem('a')).toBe('in memory');
  });
});

describe('guardedStore', () => {
  const refuse = (): never => {
    throw new Error('the store of the application is broken');
  };

  it('keeps everything in memory when each call of the store throws, and logs that once', () => {
    const recorded = recordedLog();
    const store = guardedStore(() => ({ get: refuse, set: refuse, remove: refuse, keys: refuse }), recorded.log);
    expect([store.get('a'), store.keys()]).toEqual([null, []]);
    store.set('a', '1');
    store.set('b', '2');
    store.remove('b');
    expect([store.get('a'), store.get('b'), store.keys()]).toEqual(['1', null, ['a']]);
    expect(recorded.events).toEqual([{ type: 'storage.unavailable' }]);
  });
});
