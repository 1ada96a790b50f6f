import { createAssessmentClient } from 'assessment-monitor';
import { appPage, type AsyncStorageLike, openAsyncStore } from 'assessment-monitor/react-native';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { openScriptedWorld, status } from '../support/scripted-world.ts';

const closings: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closings.splice(0)) close();
});

/** A storage in memory that answers later, as a device does. */
function asyncStorage(entries: Record<string, string> = {}) {
  const stored = new Map(Object.entries(entries));
  const writes: string[] = [];
  const refusing = new Set<string>();
  const later = <T>(action: () => T): Promise<T> => setImmediate().then(action);
  const storage: AsyncStorageLike = {
    getAllKeys: () => later(() => [...stored.keys()]),
    getItem: (key) => later(() => stored.get(key) ?? null),
    setItem: (key, value) =>
      later(() => {
        writes.push(`${key}=${value}`);
        if (refusing.has(key)) throw new Error('full');
        stored.set(key, value);
      }),
    removeItem: (key) =>
      later(() => {
        writes.push(key);
        stored.delete(key);
      }),
  };
  return { storage, stored, writes, refusing };
}
const key = (name: string) => `assessment-monitor:${name}`;

describe('openAsyncStore', () => {
  it('reads what this package stored, and nothing of the application', async () => {
    const store = await openAsyncStore(asyncStorage({ [key('a')]: '1', other: '2' }).storage);
    expect(store.keys()).toEqual([key('a')]);
    expect([store.get(key('a')), store.get('other')]).toEqual(['1', null]);
  });

  it('returns a change at once and writes it later', async () => {
    const { storage, stored } = asyncStorage({ [key('a')]: '1' });
    const store = await openAsyncStore(storage);
    store.set(key('b'), '2');
    store.remove(key('a'));
    expect([store.get(key('a')), store.get(key('b'))]).toEqual([null, '2']);
    expect([...stored]).toEqual([[key('a'), '1']]);
    await store.written();
    expect([...stored]).toEqual([[key('b'), '2']]);
  });

  it('writes the last of several changes of one key, also of one that is being written', async () => {
    const { storage, stored, writes } = asyncStorage();
    const store = await openAsyncStore(storage);
    for (const value of ['1', '2', '3']) store.set(key('a'), value);
    const written = store.written();
    await Promise.resolve();
    store.set(key('a'), '4');
    await written;
    expect(stored.get(key('a'))).toBe('4');
    expect(writes).toEqual([`${key('a')}=3`, `${key('a')}=4`]);
  });

  it('keeps a change that the storage refuses in memory, and writes it with the next change', async () => {
    const { storage, stored, refusing } = asyncStorage();
    const store = await openAsyncStore(storage);
    refusing.add(key('a'));
    store.set(key('a'), '1');
    await store.written();
    expect(store.get(key('a'))).toBe('1');
    refusing.clear();
    store.set(key('b'), '2');
    await store.written();
    expect([...stored.keys()].toSorted()).toEqual([key('a'), key('b')]);
  });

  it('does not let a refused change replace a later one of the same key', async () => {
    const { storage, stored, refusing } = asyncStorage();
    const store = await openAsyncStore(storage);
    refusing.add(key('a'));
    store.set(key('a'), 'old');
    const written = store.written();
    await Promise.resolve();
    store.set(key('a'), 'new');
    await written;
    refusing.clear();
    store.set(key('b'), '1');
    await store.written();
    expect(stored.get(key('a'))).toBe('new');
  });

  it('lets the next start of the app resume an assessment', async () => {
    const { storage } = asyncStorage();
    const open = async () => {
      const store = await openAsyncStore(storage);
      const client = createAssessmentClient({
        baseUrl: 'https://api.example.test',
        socket: false,
        fetch: () => new Promise<never>(() => {}),
        storage: store,
        // React Native has no `sessionStorage`.
        unsentAnswers: 'local',
      });
      closings.push(client.dispose);
      return { client, store };
    };
    const before = await open();
    const { id } = before.client.submit({ answer: 1 });
    await before.store.written();
    before.client.dispose();
    const after = await open();
    expect(after.client.resume().map((it) => it.id)).toEqual([id]);
  });
});

/** An app that comes and goes. */
function fakeAppState() {
  const listeners = new Set<(state: string) => void>();
  return {
    currentState: 'active',
    listeners,
    addEventListener(_type: 'change', listener: (state: string) => void) {
      listeners.add(listener);
      return { remove: () => void listeners.delete(listener) };
    },
    become(state: string) {
      this.currentState = state;
      for (const listener of listeners) listener(state);
    },
  };
}

describe('appPage', () => {
  it('makes the client look at its job when the app returns, and leaves no listener behind', async () => {
    const app = fakeAppState();
    const world = openScriptedWorld({ status: () => status('processing') }, { page: appPage(app), socket: false });
    closings.push(world.close);
    world.signIn();
    world.submit();
    await world.run(5_000);
    app.become('background');
    await world.run(3_000);
    const before = world.events.filter(({ type }) => type === 'page.resumed').length;
    app.become('active');
    await world.run(1_500);
    expect(world.events.filter(({ type }) => type === 'page.resumed').length).toBe(before + 1);
    world.close();
    expect(app.listeners.size).toBe(0);
  });

  it('is hidden while the app is not active', () => {
    const app = fakeAppState();
    const { document } = appPage(app);
    const seen = [document.visibilityState];
    app.become('inactive');
    seen.push(document.visibilityState);
    expect(seen).toEqual(['visible', 'hidden']);
  });
});
