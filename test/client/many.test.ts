import { type AssessmentClientOptions, createAssessmentClient } from 'assessment-monitor';
import { afterEach, describe, expect, it } from 'vitest';
import { type KeyValueStore, memoryStore } from '../../src/lib/storage.ts';
import { accepted, ok, openScriptedWorld, status } from '../support/scripted-world.ts';

/*
 * Thousands of assessments at once. Work is counted and never timed: the elements that array methods and iterators of maps visit, the
 * calls of the storage, and the characters that JSON reads and writes.
 */

const closings: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closings.splice(0)) close();
});

/** Counts the work of an action. */
function workOf(action: () => void): number {
  let work = 0;
  const undo: (() => void)[] = [];
  const count = (owner: object, name: string, cost: (self: unknown, returned: unknown) => number): void => {
    const original = Reflect.get(owner, name) as (...args: unknown[]) => unknown;
    const counted = function (this: unknown, ...args: unknown[]): unknown {
      const returned = Reflect.apply(original, this, args);
      work += cost(this, returned);
      return returned;
    };
    Object.defineProperty(owner, name, { value: counted, configurable: true, writable: true });
    undo.push(() => Object.defineProperty(owner, name, { value: original, configurable: true, writable: true }));
  };
  const visiting = ['filter', 'map', 'flatMap', 'find', 'findIndex', 'some', 'every', 'forEach', 'reduce'];
  const copying = ['concat', 'slice', 'splice', 'indexOf', 'includes', 'sort'];
  for (const name of [...visiting, ...copying]) count(Array.prototype, name, (self) => (self as unknown[]).length);
  for (const one of [new Map().entries(), new Set().values()])
    count(Object.getPrototypeOf(one) as object, 'next', () => 1);
  count(JSON, 'stringify', (_self, text) => ((text as string | undefined)?.length ?? 0) / 10);
  count(JSON, 'parse', () => 1);
  try {
    action();
  } finally {
    for (const it of undo) it();
  }
  return work;
}

/** A store in memory that counts its calls, and the keys that it lists. */
function countedStore() {
  const store = memoryStore();
  const counts = { calls: 0, listed: 0 };
  const counted = <Args extends unknown[], Returned>(call: (...args: Args) => Returned) => {
    return (...args: Args): Returned => {
      counts.calls += 1;
      return call(...args);
    };
  };
  const own: KeyValueStore = {
    get: counted(store.get),
    set: counted(store.set),
    remove: counted(store.remove),
    keys: () => {
      const keys = store.keys();
      counts.listed += keys.length;
      return keys;
    },
  };
  return { store: own, counts };
}

const open = (options: Partial<AssessmentClientOptions> = {}) => {
  const client = createAssessmentClient({
    baseUrl: 'https://api.example.test',
    socket: false,
    fetch: () => new Promise<never>(() => {}),
    ...options,
  });
  closings.push(client.dispose);
  client.signedIn({ accessToken: 'a-token', expiresIn: 3_600, userId: 'user-1' });
  return client;
};

/** Work and storage calls of each step, for so many assessments. */
function measure(count: number) {
  const { store, counts } = countedStore();
  const answers = Array.from({ length: count }, (_, answer) => ({ answer }));
  const step = (action: () => void) => {
    const before = counts.calls + counts.listed;
    const work = workOf(action);
    return work + counts.calls + counts.listed - before;
  };
  const client = open({ storage: store, unsentAnswers: 'local' });
  const submit = step(() => answers.forEach(client.submit));
  const again = step(() => answers.forEach(client.submit));
  client.dispose();
  const next = open({ storage: store, unsentAnswers: 'local' });
  const resume = step(() => next.resume());
  const { assessments } = next.getSnapshot();
  expect(assessments).toHaveLength(count);
  const view = step(() => assessments.forEach((it) => it.getSnapshot()));
  assessments.forEach((it) => it.cancel());
  const dismiss = step(() => assessments.forEach(({ id }) => next.dismiss(id)));
  expect(next.getSnapshot().assessments).toEqual([]);
  return { submit, again, resume, view, dismiss };
}

/** How often the work of many is that of a sixth of them: 6 where it grows with their number, 36 where with its square. */
const GROWTH = 7;

describe('the work of many assessments', () => {
  it('grows with their number and not with its square, for each step of the client', () => {
    measure(10);
    const few = measure(50);
    const many = measure(300);
    for (const step of Object.keys(few) as (keyof typeof few)[])
      expect.soft(many[step] / few[step], step).toBeLessThan(GROWTH);
  });

  it('grows with their number while the storage takes small texts only', () => {
    const attemptsOf = (count: number): number => {
      let attempts = 0;
      const store = memoryStore();
      const full: KeyValueStore = {
        ...store,
        set: (key, value) => {
          attempts += 1;
          if (value.length > 100) throw new Error('full');
          store.set(key, value);
        },
      };
      const client = open({ storage: full });
      for (let answer = 0; answer < count; answer += 1) client.submit({ answer });
      return attempts;
    };
    expect(attemptsOf(300) / attemptsOf(50)).toBeLessThan(GROWTH);
  });

  it('grows with their number for an event of the feed that names a result and no job', async () => {
    const workFor = async (count: number): Promise<number> => {
      const { world } = await openWorld(count);
      return workOf(() => world.sockets.socket.fire('analysis-complete', { resultId: 'result-1' }));
    };
    await workFor(10);
    expect((await workFor(300)) / (await workFor(50))).toBeLessThan(GROWTH);
  });
});

/** Accepted assessments of one client with a live feed. */
async function openWorld(count: number, options: Partial<AssessmentClientOptions> = {}) {
  let ids = 0;
  const world = openScriptedWorld(
    {
      submit: (call) =>
        accepted({ jobId: `job-${call.count}`, resultId: `result-${call.count}`, remainingTokens: count - call.count }),
      status: ({ id }) => status('processing', { jobId: id, resultId: id.replace('job', 'result') }),
      balance: () => ok({ token_balance: 0 }),
    },
    { createId: () => `submission-${(ids += 1)}`, ...options },
  );
  closings.push(world.close);
  world.signIn();
  const assessments = Array.from({ length: count }, (_, answer) => world.client.submit({ answer }));
  await world.run(10);
  world.sockets.socket.goLive();
  await world.run(2_000);
  expect(assessments.map((it) => it.getSnapshot().phase)).toEqual(assessments.map(() => 'waiting'));
  return { world, assessments };
}

it('asks for the balance twice and not once for each of the submissions that were answered together', async () => {
  const { world } = await openWorld(40);
  expect(world.count('balance')).toBeLessThanOrEqual(2);
  expect(world.client.getSnapshot().balance).toBe(0);
});

it('brings an event that names a job to the machine of that job, and to no other', async () => {
  const reached = new Set<unknown>();
  const { world, assessments } = await openWorld(3, {
    inspect: ({ type, actorRef, ...inspected }) => {
      if (type === '@xstate.event' && 'event' in inspected && inspected.event.type === 'job.progressed')
        reached.add(actorRef);
    },
  });
  world.sockets.socket.fire('analysis-started', { jobId: 'job-2', progress: 40 });
  expect(assessments.map(({ actor }) => reached.has(actor))).toEqual([false, true, false]);
});

it('notifies the listeners of the client once of all the assessments that it resumes', () => {
  const storage = memoryStore();
  const page = open({ storage, unsentAnswers: 'local' });
  for (let answer = 0; answer < 20; answer += 1) page.submit({ answer });
  page.dispose();
  const next = open({ storage, unsentAnswers: 'local' });
  const counts: number[] = [];
  next.subscribe(() => counts.push(next.getSnapshot().assessments.length));
  expect(next.resume()).toHaveLength(20);
  expect(counts).toEqual([20]);
});
