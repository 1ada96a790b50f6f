import { type AssessmentClient, type AssessmentClientOptions } from 'assessment-monitor';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/lib/digest.ts';
import { SignInRequiredError } from '../../src/lib/errors.ts';
import { memoryStore } from '../../src/lib/storage.ts';
import { fakeTabs } from '../../src/testing/fake-tabs.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { deferred } from '../support/deferred.ts';
import { jwt } from '../support/jwt.ts';
import { sharedStorage } from '../support/shared-storage.ts';
import {
  accepted,
  type Answerer,
  flat,
  listed,
  ok,
  openScriptedWorld,
  type Reply,
  result,
  type Script,
  status,
} from '../support/scripted-world.ts';

/* Two users on one computer, one after the other: nothing of the first reaches the second. */

const SECOND = 1_000;
/** What the clock of every world shows at first. */
const START = virtualClock().now();
const later = { expiresIn: 3_600 };
const answers = { answers: [1, 2, 3] };

let world: ReturnType<typeof openScriptedWorld>;
const open = (script: Script = {}, options: Parameters<typeof openScriptedWorld>[1] = {}) => {
  world = openScriptedWorld(script, { storage: memoryStore(), tokenStorage: memoryStore(), ...options });
};
afterEach(() => world.close());
const ids = () => {
  let count = 0;
  return () => `submission-${(count += 1)}`;
};
const phase = () => world.client.getSnapshot().assessments[0]?.getSnapshot().phase;

describe('auth V1', () => {
  it('sends no answers with the token of another user that the application has stored in the same tab', async () => {
    const tokenStorage = memoryStore();
    open({ submit: () => flat(503, 'UNAVAILABLE') }, { tokenStorage, auth: { version: 'v1' } });
    world.client.signedIn({ accessToken: jwt({ sub: 'ann' }) });
    const assessment = world.client.submit(answers);
    await world.run(SECOND);
    tokenStorage.set('token', jwt({ sub: 'bob' }));
    await world.run(600 * SECOND);
    expect(world.calls.filter(({ token }) => token === jwt({ sub: 'bob' })).map(({ route }) => route)).toEqual([]);
    expect(assessment.getSnapshot().phase).toBe('cancelled');
  });

  it('sends no answers of a user who signed in after the submission, by a redirect, with the token of the next user', async () => {
    const shared = { storage: memoryStore(), tokenStorage: memoryStore(), auth: { version: 'v1' as const } };
    open({ submit: () => flat(503, 'UNAVAILABLE') }, shared);
    world.client.submit(answers);
    await world.run(SECOND);
    world.client.dispose();
    shared.tokenStorage.set('token', jwt({ sub: 'ann' }));
    const page = world.openTab(shared);
    const [assessment] = page.resume();
    await world.run(60 * SECOND);
    expect(world.count('submit')).toBeGreaterThan(0);
    shared.tokenStorage.set('token', jwt({ sub: 'bob' }));
    await world.run(600 * SECOND);
    expect(world.calls.filter(({ token }) => token === jwt({ sub: 'bob' })).map(({ route }) => route)).toEqual([]);
    expect(assessment?.getSnapshot().phase).toBe('cancelled');
    page.dispose();
  });

  it.each(['result', 'balance'] as const)(
    'shows no %s that arrives after the application has stored the token of another user',
    async (route) => {
      const tokenStorage = memoryStore();
      const answered = deferred<Reply>();
      const script: Script = { status: () => status('completed'), [route]: () => answered.promise };
      open(script, { tokenStorage, auth: { version: 'v1' } });
      world.client.signedIn({ accessToken: jwt({ sub: 'ann' }) });
      const assessment = world.client.submit(answers);
      const asked = world.client.refreshBalance();
      await world.run(10 * SECOND);
      expect(world.count(route)).toBeGreaterThan(0);
      tokenStorage.set('token', jwt({ sub: 'bob' }));
      answered.resolve(route === 'result' ? result() : ok({ token_balance: 77 }));
      await world.run(SECOND);
      await asked;
      expect(world.client.getSnapshot().balance).toBeNull();
      if (route === 'result') expect(assessment.getSnapshot().phase).toBe('cancelled');
    },
  );

  it('continues with a newer token of the same user', async () => {
    const tokenStorage = memoryStore();
    open({}, { tokenStorage, auth: { version: 'v1' } });
    world.client.signedIn({ accessToken: jwt({ sub: 'ann', n: 1 }) });
    world.client.submit(answers);
    await world.run(SECOND);
    tokenStorage.set('token', jwt({ sub: 'ann', n: 2 }));
    await world.run(60 * SECOND);
    expect([phase(), world.calls.at(-1)?.token]).toEqual(['waiting', jwt({ sub: 'ann', n: 2 })]);
  });

  it('finds the job of a user whom only the application names after a reload', async () => {
    const shared = { storage: memoryStore(), tokenStorage: memoryStore(), auth: { version: 'v1' as const } };
    open({}, shared);
    world.client.signedIn({ accessToken: 'opaque', userId: 'ann@example.test' });
    world.client.submit(answers);
    await world.run(SECOND);
    world.client.dispose();
    const page = world.openTab(shared);
    expect(page.resume().map(({ id }) => id)).toEqual(['submission-1']);
    page.dispose();
  });
});

describe('a user of two names', () => {
  it.each([
    ['an e-mail address', 'ann@example.test'],
    ['a number', 7],
  ])('keeps the job when the application names %s, and the refreshed token claims another id', async (_, userId) => {
    const shared = { storage: memoryStore(), tokenStorage: memoryStore() };
    open({ refresh: () => ok({ idToken: jwt({ sub: 'pairwise' }), expiresIn: 3_600 }) }, shared);
    world.client.signedIn({ accessToken: jwt({ sub: 'pairwise' }), expiresIn: 60, userId });
    world.client.submit(answers);
    await world.run(120 * SECOND);
    expect([phase(), world.count('refresh') > 0]).toEqual(['waiting', true]);
    world.client.dispose();
    const page = world.openTab({ ...shared, tokenStorage: memoryStore() });
    expect(page.resume().map(({ id }) => id)).toEqual(['submission-1']);
    await world.run(60 * SECOND);
    expect(page.getSnapshot().assessments[0]?.getSnapshot().phase).toBe('waiting');
    page.dispose();
    expect(JSON.stringify(shared.storage.keys().map(shared.storage.get))).not.toContain('ann@example');
  });
});

describe('users of whom nothing is known', () => {
  it.each<[string, object, object, object?]>([
    ['an empty id', { userId: '' }, {}],
    ['the text of a missing id', { userId: 'undefined' }, {}],
    ['a number that is none', { userId: Number.NaN }, {}],
    ['an empty claim', {}, { sub: '' }],
    ['an empty claim before the one that names them', {}, { user_id: '', sub: 'ann' }, { user_id: '', sub: 'bob' }],
  ])('are two users under %s', async (_, named, claims, others = claims) => {
    open({ submit: () => flat(503, 'UNAVAILABLE') });
    world.client.signedIn({ accessToken: jwt({ ...claims, n: 1 }), ...later, ...named });
    const assessment = world.client.submit(answers);
    await world.run(SECOND);
    const second = jwt({ ...others, n: 2 });
    world.client.signedIn({ accessToken: second, ...later, ...named });
    await world.run(60 * SECOND);
    expect(world.calls.filter(({ token }) => token === second).map(({ route }) => route)).not.toContain('submit');
    expect(assessment.getSnapshot().phase).toBe('cancelled');
  });

  it('are two users: the unsent answers of the first are not sent for the second, and no result is shown', async () => {
    open({ submit: () => flat(503, 'UNAVAILABLE'), status: () => status('completed') });
    world.client.signedIn({ accessToken: 'first', ...later });
    const assessment = world.client.submit(answers);
    await world.run(SECOND);
    world.client.signedOut();
    world.client.signedIn({ accessToken: 'second', ...later });
    await world.run(600 * SECOND);
    expect(world.calls.filter(({ token }) => token === 'second').map(({ route }) => route)).not.toContain('submit');
    expect(assessment.getSnapshot().phase).toBe('cancelled');
  });

  it.each([
    ['the first user again, whose job the API lists', 'job-1', ['submission-1']],
    ['another user, whose jobs are others', 'job-of-another', []],
  ])('are distinguished by the API: the next one is %s', async (_, jobId, shown) => {
    const list = () => ok({ jobs: [{ job_id: jobId, status: 'processing', created_at: new Date(0).toISOString() }] });
    open({ jobs: list, job: () => ok({ job_id: 'job-1', status: 'processing' }) });
    world.client.signedIn({ accessToken: 'first', ...later });
    world.client.submit(answers);
    await world.run(SECOND);
    world.client.signedIn({ accessToken: 'second', ...later });
    await world.run(60 * SECOND);
    expect(world.client.getSnapshot().assessments.map(({ id }) => id)).toEqual(shown);
    expect(world.calls.filter(({ route }) => route === 'jobs')).toHaveLength(1);
    const foreign = world.calls.filter((it) => it.token === 'second' && it.id === 'job-1');
    expect(foreign.length > 0).toBe(shown.length > 0);
  });
});

describe('a session by cookie that names no user', () => {
  it.each([
    ['finds its job on a later page where the API lists it', 'job-1', ['submission-1']],
    ['does not see the job of another user on a later page', 'job-of-another', []],
  ])('%s', async (_, jobId, shown) => {
    const shared = { storage: memoryStore(), auth: { source: { getToken: async () => ({ accessToken: '' }) } } };
    open({ jobs: () => ok({ jobs: [{ ...listed(jobId, START), status: 'processing' }] }) }, shared);
    world.client.submit(answers);
    await vi.dynamicImportSettled();
    await world.run(5 * SECOND);
    expect(phase()).toBe('waiting');
    world.client.dispose();
    const page = world.openTab({ ...shared, tokenStorage: memoryStore() });
    page.resume();
    await page.ensureValidToken();
    await vi.dynamicImportSettled();
    await world.run(60 * SECOND);
    expect(page.getSnapshot().assessments.map(({ id }) => id)).toEqual(shown);
    page.dispose();
  });
});

describe('a paid job of one user', () => {
  const ann = { accessToken: jwt({ sub: 'ann' }), ...later };
  const bob = { accessToken: jwt({ sub: 'bob' }), ...later };
  const processing: Answerer = ({ id }) => status('processing', { jobId: id });
  const calledAs = (session: { accessToken: string }) =>
    world.calls.filter(({ token }) => token === session.accessToken);

  it('waits in the storage without answers while another user is signed in, and continues when its user is back', async () => {
    const storage = memoryStore();
    open({}, { storage });
    world.client.signedIn(ann);
    world.client.submit({ answers: ['planted'] });
    await world.run(SECOND);
    world.client.signedIn(bob);
    await world.run(300 * SECOND);
    expect(world.client.getSnapshot()).toEqual({ assessments: [], balance: null });
    expect(calledAs(bob)).toEqual([]);
    expect(JSON.stringify(storage.keys().map(storage.get))).not.toContain('planted');
    world.client.signedIn(ann);
    await world.run(SECOND);
    expect([phase(), world.count('submit'), calledAs(ann).at(-1)?.route]).toEqual(['waiting', 1, 'balance']);
    expect(calledAs(ann).filter(({ route, id }) => route === 'status' && id === 'job-1')).toHaveLength(2);
  });

  it('is shown to its user when that user signs in on a later page', async () => {
    const storage = memoryStore();
    open({}, { storage });
    world.client.signedIn(ann);
    world.client.submit(answers);
    await world.run(SECOND);
    world.client.dispose();
    const page = world.openTab({ storage });
    page.signedIn(bob);
    expect(page.resume()).toEqual([]);
    await world.run(60 * SECOND);
    expect(calledAs(bob)).toEqual([]);
    page.signedIn(ann);
    expect(page.getSnapshot().assessments).toHaveLength(1);
    page.dispose();
  });

  it('is not the job of another user who submits the same answers', async () => {
    open({ submit: ({ count }) => accepted({ jobId: `job-${count}` }) }, { createId: ids() });
    world.client.signedIn(ann);
    const first = world.client.submit(answers);
    await world.run(SECOND);
    world.client.signedIn(bob);
    const second = world.client.submit(answers);
    await world.run(SECOND);
    world.client.signedIn(ann);
    expect(world.client.submit(answers).id).toBe(first.id);
    await world.run(SECOND);
    expect([second.id === first.id, world.count('submit')]).toEqual([false, 2]);
  });

  it('is found in the list of jobs when its submission was in flight as another user signed in', async () => {
    let at = 0;
    const list = () =>
      ok({ jobs: [{ job_id: 'job-7', status: 'processing', created_at: new Date(at).toISOString() }] });
    open({ submit: () => new Promise(() => {}), jobs: list, job: () => ok({ job_id: 'job-7' }) });
    at = world.clock.now();
    world.client.signedIn(ann);
    world.client.submit({ answers: ['planted'] });
    await world.run(SECOND);
    world.client.signedIn(bob);
    await world.run(60 * SECOND);
    expect(calledAs(bob)).toEqual([]);
    world.client.signedIn(ann);
    await world.run(SECOND);
    expect([phase(), world.count('submit')]).toEqual(['waiting', 1]);
    expect(world.calls.filter(({ route }) => route === 'status').map(({ id }) => id)).toEqual(['job-7']);
  });

  describe('whose submission was in flight when its user left, and who is back at once,', () => {
    /** Ann submits, the answer never comes, Bob signs in, and Ann is back in the next second. */
    const comeBack = async (jobs: Answerer) => {
      const storage = memoryStore();
      open({ submit: () => new Promise(() => {}), jobs, status: processing }, { storage });
      world.client.signedIn(ann);
      world.client.submit(answers);
      await world.run(SECOND);
      world.client.signedIn(bob);
      await world.run(SECOND);
      world.client.signedIn(ann);
      const records = () => storage.keys().filter((key) => key.includes(':job:')).length;
      return {
        records,
        stored: () =>
          storage
            .keys()
            .map((key) => storage.get(key))
            .join('\n'),
      };
    };
    const row = (jobId = 'job-7', atMs = 0) => listed(jobId, START + atMs);

    it('is found when the list names it seconds later', async () => {
      const { records } = await comeBack(({ at }) => ok({ jobs: at < 10 * SECOND ? [] : [row('job-7', 9 * SECOND)] }));
      await world.run(5 * SECOND);
      expect([records(), phase()]).toEqual([1, undefined]);
      await world.run(60 * SECOND);
      expect([phase(), world.count('submit')]).toEqual(['waiting', 1]);
    });

    it('is forgotten when the list does not name it after the longest time that a submission takes', async () => {
      const { records } = await comeBack(() => ok({ jobs: [] }));
      await world.run(33 * SECOND);
      expect(records()).toBe(1);
      await world.run(5 * SECOND);
      expect([records(), world.count('jobs')]).toEqual([0, 2]);
      await world.run(600 * SECOND);
      expect(world.count('jobs')).toBe(2);
    });

    it('is found with the owner that the list names, so that a row of another user is recognised', async () => {
      const { stored } = await comeBack(() => ok({ jobs: [{ ...row(), user_id: 'id-7' }] }));
      await world.run(60 * SECOND);
      expect(phase()).toBe('waiting');
      expect(stored()).toContain(`"owner":"${digestOf('id-7')}"`);
    });

    it('keeps its record while a job can be it by a clock that may differ', async () => {
      const { records } = await comeBack(() => ok({ jobs: [row('job-7', -60 * SECOND)] }));
      await world.run(600 * SECOND);
      expect([records(), phase()]).toEqual([1, undefined]);
    });

    it('keeps its record while two jobs can be it', async () => {
      const { records } = await comeBack(() => ok({ jobs: [row('job-7'), row('job-8')] }));
      await world.run(600 * SECOND);
      expect([records(), phase(), world.count('jobs')]).toEqual([1, undefined, 2]);
    });

    it.each<[string, () => Reply | Promise<Reply>]>([
      ['no answer', () => null],
      ['an outage', () => flat(503, 'UNAVAILABLE')],
    ])('is found although the first lists met %s', async (_, trouble) => {
      await comeBack(({ count }) => (count < 4 ? trouble() : ok({ jobs: [row()] })));
      await world.run(120 * SECOND);
      expect([phase(), world.count('submit')]).toEqual(['waiting', 1]);
    });

    it('is looked for a limited number of times where the API has no list, and keeps its record', async () => {
      const { records } = await comeBack(() => flat(404, 'NOT_FOUND'));
      await world.run(24 * 3_600 * SECOND);
      expect([records(), world.count('jobs')]).toEqual([1, 6]);
      const before = world.calls.filter(({ route }) => route === 'jobs').map(({ at }) => at);
      const waits = before.slice(1).map((at, index) => at - (before[index] ?? 0));
      expect(waits).toEqual([...waits].sort((a, b) => a - b));
    });

    it('is found when the user changes twice during a look', async () => {
      const { records } = await comeBack(({ count }) =>
        count === 1 ? new Promise<Reply>(() => {}) : ok({ jobs: [row()] }),
      );
      await world.run(SECOND);
      expect(world.count('jobs')).toBe(1);
      world.client.signedIn(bob);
      await world.run(SECOND);
      world.client.signedIn(ann);
      await world.run(SECOND);
      expect([phase(), records(), world.count('jobs')]).toEqual(['waiting', 1, 2]);
    });

    it('leaves nothing running when the page ends between two looks', async () => {
      await comeBack(() => null);
      await world.run(SECOND);
      expect(world.close()).toEqual({ timers: 0, requests: 0, sockets: 0 });
    });
  });

  it('is found when its answers left a second time long after the first', async () => {
    const shared = { storage: memoryStore(), tokenStorage: memoryStore() };
    const minutes = (count: number) => count * 60 * SECOND;
    open(
      {
        submit: ({ count }) => (count < 3 ? flat(503, 'UNAVAILABLE') : new Promise(() => {})),
        jobs: ({ at }) => ok({ jobs: at < minutes(10) ? [] : [listed('job-7', START + lastLeft())] }),
        status: processing,
      },
      shared,
    );
    const lastLeft = () => world.calls.findLast(({ route }) => route === 'submit')?.at ?? 0;
    world.client.signedIn(ann);
    world.client.submit(answers);
    await world.run(minutes(10));
    expect(world.count('submit')).toBeGreaterThan(2);
    world.client.dispose();
    // The tab is gone, and another one has the record without the answers.
    const page = world.openTab({ ...shared, tokenStorage: memoryStore() });
    page.signedIn(ann);
    page.resume();
    await world.run(5 * SECOND);
    expect(page.getSnapshot().assessments.map((it) => it.getSnapshot().phase)).toEqual(['waiting']);
    page.dispose();
  });

  it('leaves no balance: not the last one, and not one that arrives late', async () => {
    let reply: (balance: Reply) => void = () => {};
    open({ balance: () => new Promise((resolve) => (reply = resolve)) });
    world.client.signedIn(ann);
    const asked = world.client.refreshBalance();
    await world.run(SECOND);
    world.client.signedIn(bob);
    reply(ok({ token_balance: 77 }));
    await asked;
    expect(world.client.getSnapshot().balance).toBeNull();
  });
});

describe('a sign-out', () => {
  const ann = { accessToken: jwt({ sub: 'ann' }), ...later };
  const bob = { accessToken: jwt({ sub: 'bob' }), ...later };

  it('takes the result and the balance off the page, and erases the answers', async () => {
    const storage = memoryStore();
    open({ status: () => status('completed'), balance: () => ok({ token_balance: 4 }) }, { storage });
    world.client.signedIn(ann);
    const assessment = world.client.submit({ answers: ['planted'] });
    const settled = assessment.settled();
    await world.run(5 * SECOND);
    expect([(await settled).phase, world.client.getSnapshot().balance]).toEqual(['completed', 4]);
    world.client.signedOut();
    expect(world.client.getSnapshot()).toEqual({ assessments: [], balance: null });
    expect(JSON.stringify(assessment.getSnapshot())).not.toContain('Explorer');
    expect(JSON.stringify(storage.keys().map(storage.get))).not.toMatch(/planted|Explorer/);
    world.client.signedIn(bob);
    await world.run(SECOND);
    expect(world.client.getSnapshot().assessments).toEqual([]);
  });

  it('erases answers that were not accepted, those of a page that is closed included', async () => {
    const shared = { storage: memoryStore(), tokenStorage: memoryStore() };
    open({ submit: () => flat(503, 'UNAVAILABLE') }, shared);
    world.client.signedIn(ann);
    world.client.submit({ answers: ['planted'] });
    await world.run(SECOND);
    world.client.dispose();
    const stored = () => [shared.storage, shared.tokenStorage].flatMap((it) => it.keys().map(it.get)).join();
    expect(stored()).toContain('planted');
    const page = world.openTab(shared);
    page.signedOut();
    expect(stored()).not.toContain('planted');
    page.dispose();
  });

  it('resolves what waits for the result, and settles as cancelled', async () => {
    open();
    world.client.signedIn(ann);
    const settled = world.client.submit(answers).settled();
    await world.run(SECOND);
    world.client.signedOut();
    expect((await settled).phase).toBe('cancelled');
    expect(world.close()).toEqual({ timers: 0, requests: 0, sockets: 0 });
  });

  it('reaches a second tab through the storage where tabs have no channel', async () => {
    const shared = sharedStorage();
    open({}, { ...shared.openTab(), channel: null });
    world.client.signedIn(ann);
    world.client.submit(answers);
    await world.run(SECOND);
    const tab = world.openTab(shared.openTab());
    tab.signedIn(ann);
    tab.signedOut();
    await world.run(SECOND);
    expect(world.client.getSnapshot()).toEqual({ assessments: [], balance: null });
    tab.dispose();
  });

  it.each([
    ['sign-out', (tab: AssessmentClient) => tab.signedOut()],
    ['sign-in of another user', (tab: AssessmentClient) => tab.signedIn(bob)],
  ])(
    'and a %s reach a tab whose record the application has removed, from a page that a cookie has begun',
    async (_, leave) => {
      const storage = memoryStore();
      const refresh: Answerer = ({ count }) => ok({ idToken: jwt({ sub: 'ann', count }), expiresIn: 3_600 });
      open({ refresh, status: () => status('completed') });
      const tabs = fakeTabs(world.clock);
      const openTab = () => {
        const { channel } = tabs.openTab();
        return world.openTab({ storage, tokenStorage: memoryStore(), channel });
      };
      const first = openTab();
      first.signedIn(ann);
      first.submit(answers);
      await world.run(30 * SECOND);
      storage.keys().forEach(storage.remove);
      const second = openTab();
      await Promise.all([second.ensureValidToken(), world.run(SECOND)]);
      leave(second);
      await world.run(SECOND);
      expect(first.getSnapshot()).toEqual({ assessments: [], balance: null });
      first.dispose();
      second.dispose();
    },
  );

  it('leaves no refresh token that a refresh of the application brings after it', async () => {
    const tokenStorage = memoryStore();
    const asked: (string | null)[] = [];
    const answered = deferred<void>();
    const refresh: NonNullable<AssessmentClientOptions['auth']>['refresh'] = async ({ refreshToken }) => {
      asked.push(refreshToken);
      await answered.promise;
      return { accessToken: ann.accessToken, refreshToken: 'refresh-token-of-ann' };
    };
    open({}, { tokenStorage, auth: { refresh } });
    world.client.signedIn(ann);
    const renewed = world.client.ensureValidToken(true).catch(() => {});
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    world.client.signedOut();
    world.client.signedIn(bob);
    answered.resolve();
    await renewed;
    await world.run(120 * SECOND);
    expect(JSON.stringify(tokenStorage.keys().map(tokenStorage.get))).not.toContain('of-ann');
    await world.client.ensureValidToken(true);
    expect(asked).toEqual([null, null]);
  });

  it('is final although the cookie is still good: a reload brings nothing back, and the sign-in does', async () => {
    const shared = { storage: memoryStore(), tokenStorage: memoryStore() };
    open({ refresh: () => ok({ idToken: ann.accessToken, expiresIn: 3_600 }) }, shared);
    world.client.signedIn(ann);
    world.client.submit(answers);
    await world.run(SECOND);
    world.client.signedOut();
    world.client.dispose();
    const before = world.calls.length;
    const page = world.openTab(shared);
    expect(page.resume()).toEqual([]);
    await world.run(600 * SECOND);
    expect([world.calls.length, page.getSnapshot().assessments]).toEqual([before, []]);
    await expect(page.ensureValidToken()).rejects.toThrow(SignInRequiredError);
    page.signedIn(ann);
    expect(page.getSnapshot().assessments.map(({ id }) => id)).toEqual(['submission-1']);
    await world.run(5 * SECOND);
    expect(page.getSnapshot().assessments[0]?.getSnapshot().phase).toBe('waiting');
    page.dispose();
  });

  it('takes everything off the page after the session was rejected, too', async () => {
    open({ status: () => flat(401, 'INVALID_TOKEN'), refresh: () => flat(401, 'INVALID_REFRESH_TOKEN') });
    world.client.signedIn(ann);
    world.client.submit(answers);
    await world.run(60 * SECOND);
    expect(phase()).toBe('sign-in-needed');
    world.client.signedOut();
    expect(world.client.getSnapshot().assessments).toEqual([]);
  });

  it('is known to the next page although the storage was full when another user had signed in', async () => {
    const shared = { storage: fillable(), tokenStorage: fillable() };
    open({ refresh: () => ok({ idToken: bob.accessToken, expiresIn: 3_600 }) }, shared);
    world.client.signedIn(ann);
    shared.storage.isFull = shared.tokenStorage.isFull = true;
    world.client.signedIn(bob);
    world.client.dispose();
    const page = world.openTab(shared);
    expect(await Promise.race([page.ensureValidToken(), world.run(SECOND)])).not.toBe(ann.accessToken);
    await world.run(SECOND);
    expect(await page.ensureValidToken()).toBe(bob.accessToken);
    page.dispose();
  });

  it('sign-in of the token that is in use already changes nothing', async () => {
    open();
    world.client.signedIn(ann);
    world.client.submit(answers);
    await world.run(SECOND);
    const before = world.events.length;
    world.client.signedIn(ann);
    expect(world.events.slice(before)).toEqual([]);
  });
});

describe('two APIs on one origin with one storage', () => {
  const staging = 'https://world.test/staging';

  it.each(['https://other.test', staging])('share nothing: the other one is %s', async (baseUrl) => {
    const shared = { storage: memoryStore(), tokenStorage: memoryStore() };
    const inBody = { auth: { refreshTransport: 'body' as const } };
    open({ submit: () => flat(503, 'UNAVAILABLE') }, { ...shared, ...inBody });
    world.client.signedIn({ accessToken: 'first', expiresIn: 3_600, refreshToken: 'renews-first', userId: 'ann' });
    world.client.submit(answers);
    await world.run(SECOND);
    const before = world.calls.length;
    const other = world.openTab({ ...shared, ...inBody, baseUrl });
    expect(other.resume()).toEqual([]);
    await expect(other.ensureValidToken(true)).rejects.toThrow();
    await world.run(SECOND);
    expect(world.calls.slice(before).map(({ token }) => token)).not.toContain('first');
    other.signedOut();
    other.dispose();
    world.client.dispose();
    const page = world.openTab({ ...shared, ...inBody });
    expect([await page.ensureValidToken(), page.resume()]).toEqual(['first', [expect.anything()]]);
    page.dispose();
  });

  it('name the API in every key, and no user in clear', async () => {
    const shared = { storage: memoryStore(), tokenStorage: memoryStore() };
    open({ submit: () => flat(503, 'UNAVAILABLE') }, { ...shared, baseUrl: staging });
    const email = 'ann@example.test';
    world.client.signedIn({ accessToken: 'first', expiresIn: 3_600, userId: email });
    world.client.submit(answers);
    await world.run(SECOND);
    await world.client.ensureValidToken(true);
    const entries = [shared.storage, shared.tokenStorage].flatMap((it) => it.keys().map((key) => [key, it.get(key)]));
    expect(entries.length).toBeGreaterThan(3);
    for (const [key] of entries)
      expect(key).toMatch('assessment-monitor:https://world.test/staging/api/auth/v2/refresh:');
    expect(JSON.stringify(entries)).not.toContain(email);
  });
});

/** A storage that can refuse to write. */
function fillable() {
  const store = { ...memoryStore(), isFull: false };
  const { set } = store;
  store.set = (key, value) => {
    if (store.isFull) throw new Error('QuotaExceededError');
    set(key, value);
  };
  return store;
}
