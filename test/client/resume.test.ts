import { afterEach, describe, expect, it } from 'vitest';
import { createAssessmentClient } from 'assessment-monitor';
import { memoryStore } from '../../src/lib/storage.ts';
import { jwt } from '../support/jwt.ts';
import { archived, ok, openScriptedWorld, type Script, status } from '../support/scripted-world.ts';

/* A reload: the next page begins with what the last one showed. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const answers = { answers: [1, 2, 3] };
const ann = { accessToken: jwt({ sub: 'ann' }), expiresIn: 36_000 };
const bob = { accessToken: jwt({ sub: 'bob' }), expiresIn: 36_000 };

let world: ReturnType<typeof openScriptedWorld>;
const pages: { dispose(): void }[] = [];
afterEach(() => {
  for (const page of pages.splice(0)) page.dispose();
  world.close();
});

const shared = () => ({ storage: memoryStore(), tokenStorage: memoryStore() });
type Shared = ReturnType<typeof shared> & { keepResult?: number };
const ids = () => {
  let count = 0;
  return () => `submission-${(count += 1)}`;
};

/** Ann has submitted, and her page shows the assessment. */
async function openShown(script: Script, options: Shared) {
  world = openScriptedWorld(script, { createId: ids(), ...options });
  world.client.signedIn(ann);
  const assessment = world.client.submit(answers);
  assessment.subscribe(() => {});
  await world.run(SECOND);
  return assessment;
}
function reload(options: Shared) {
  const page = world.openTab(options);
  pages.push(page);
  return page;
}
const firstView = (page: ReturnType<typeof reload>) => page.resume()[0]?.getSnapshot();
const stored = ({ storage, tokenStorage }: Shared) =>
  [storage, tokenStorage].flatMap((store) => store.keys().map((key) => `${key} ${store.get(key)}`)).join('\n');

describe('the first view after a reload', () => {
  it('shows the progress that was shown last', async () => {
    const options = shared();
    const script = { status: () => status('processing', { progress: 40 }) };
    const assessment = await openShown(script, options);
    await world.run(5 * SECOND);
    expect(assessment.getSnapshot()).toMatchObject({ phase: 'waiting', progress: { percent: 40 } });
    world.client.dispose();
    const expected = { phase: 'waiting', jobId: 'job-1', progress: { status: 'processing', percent: 40 } };
    expect(firstView(reload(options))).toMatchObject(expected);
  });

  it('never goes back: an older percentage of the server changes nothing', async () => {
    const options = shared();
    let progress = 60;
    await openShown({ status: () => status('processing', { progress }) }, options);
    await world.run(5 * SECOND);
    world.client.dispose();
    progress = 10;
    const page = reload(options);
    page.resume();
    await world.run(10 * SECOND);
    expect(page.getSnapshot().assessments[0]?.getSnapshot().progress.percent).toBe(60);
  });

  it('is that of a delayed assessment with the same reason, and one status call follows at once', async () => {
    const options = { ...shared(), settings: () => ({ monitoringTimeoutMs: 2 * MINUTE }) };
    const assessment = await openShown({}, options);
    await world.run(5 * MINUTE);
    const before = assessment.getSnapshot();
    expect(before).toMatchObject({ phase: 'delayed', error: { code: 'timed-out' } });
    world.client.dispose();
    const page = reload(options);
    expect(firstView(page)).toMatchObject({ phase: 'delayed', error: { code: 'timed-out' } });
    const asked = world.count('status');
    await world.run(5 * SECOND);
    expect(world.count('status')).toBe(asked + 1);
  });

  it('is not delayed where the user has decided to wait longer', async () => {
    const options = { ...shared(), settings: () => ({ monitoringTimeoutMs: 2 * MINUTE }) };
    const assessment = await openShown({}, options);
    await world.run(3 * MINUTE);
    assessment.keepWaiting();
    await world.run(5 * SECOND);
    world.client.dispose();
    expect(firstView(reload(options))?.phase).toBe('waiting');
  });

  it('shows nothing of a record that another tab has removed, although progress arrives later', async () => {
    const options = shared();
    let progress = 10;
    const assessment = await openShown({ status: () => status('processing', { progress }) }, options);
    await world.run(5 * SECOND);
    for (const key of options.storage.keys()) if (key.includes('job:')) options.storage.remove(key);
    progress = 50;
    await world.run(MINUTE);
    expect(assessment.getSnapshot().progress.percent).toBe(50);
  });
});

describe('a result that was shown', () => {
  const done = { status: () => status('completed'), job: () => archived('completed') };

  it('is not kept where the application does not ask for it', async () => {
    const options = shared();
    const assessment = await openShown(done, options);
    await world.run(5 * SECOND);
    expect(assessment.getSnapshot().phase).toBe('completed');
    world.client.dispose();
    expect(reload(options).resume()).toEqual([]);
    expect(stored(options)).not.toContain('job-1');
  });

  it('is there after a reload within keepResult, at 100 %, without a submission, a status call or a second report', async () => {
    const options = { ...shared(), keepResult: 10 * MINUTE };
    await openShown(done, options);
    await world.run(5 * SECOND);
    world.client.dispose();
    const before = { submit: world.count('submit'), status: world.count('status') };
    for (const _ of [1, 2]) {
      const page = reload(options);
      expect(firstView(page)).toMatchObject({ phase: 'waiting', progress: { status: 'processing', percent: 100 } });
      page.getSnapshot().assessments[0]?.subscribe(() => {});
      await world.run(5 * SECOND);
      const view = page.getSnapshot().assessments[0]?.getSnapshot();
      expect(view).toMatchObject({ phase: 'completed', result: { archetype: 'The Explorer' } });
      page.dispose();
    }
    expect({ submit: world.count('submit'), status: world.count('status') }).toEqual(before);
    expect(world.events.filter(({ type }) => type === 'assessment.settled')).toHaveLength(1);
  });

  it('is never written into the storage', async () => {
    const options = { ...shared(), keepResult: 10 * MINUTE };
    await openShown(done, options);
    await world.run(5 * SECOND);
    expect(stored(options)).toContain('job-1');
    expect(stored(options)).not.toContain('Explorer');
    expect(stored(options)).not.toContain('[1,2,3]');
  });

  it('is gone when the time is over, counted from when it was first shown', async () => {
    const options = { ...shared(), keepResult: 10 * MINUTE };
    await openShown(done, options);
    await world.run(6 * MINUTE);
    const page = reload(options);
    page.resume().forEach((it) => it.subscribe(() => {}));
    await world.run(6 * MINUTE);
    page.dispose();
    world.client.dispose();
    expect(reload(options).resume()).toEqual([]);
    expect(stored(options)).not.toContain('job-1');
  });

  it.each([
    ['a sign-out', () => world.client.signedOut()],
    ['the sign-in of another user', () => world.client.signedIn(bob)],
    ['dismiss', () => world.client.dismiss('submission-1')],
  ])('is erased by %s', async (_, end) => {
    const options = { ...shared(), keepResult: 10 * MINUTE };
    await openShown(done, options);
    await world.run(5 * SECOND);
    end();
    expect(stored(options)).not.toContain('job-1');
    world.client.signedIn(ann);
    expect(reload(options).resume()).toEqual([]);
  });

  it('is not shown to another user who signs in after the page was closed, and its record is erased', async () => {
    const options = { ...shared(), keepResult: 10 * MINUTE };
    await openShown(done, options);
    await world.run(5 * SECOND);
    world.client.dispose();
    const next = { ...options, tokenStorage: memoryStore() };
    const page = reload(next);
    page.signedIn(bob);
    expect(page.resume()).toEqual([]);
    await world.run(MINUTE);
    expect(page.getSnapshot().assessments).toEqual([]);
    expect(stored(options)).not.toContain('job-1');
    expect(world.calls.filter(({ token, route }) => token === bob.accessToken && route === 'result')).toEqual([]);
  });

  it('does not take the place of a new submission of the same answers', async () => {
    const options = { ...shared(), keepResult: 10 * MINUTE };
    await openShown(done, options);
    await world.run(5 * SECOND);
    world.client.submit(answers).subscribe(() => {});
    await world.run(5 * SECOND);
    world.client.dispose();
    const page = reload(options);
    page.submit(answers);
    await world.run(5 * SECOND);
    expect(world.count('submit')).toBe(3);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('cannot be kept for %s ms', (keepResult) => {
    world = openScriptedWorld();
    const open = () => createAssessmentClient({ baseUrl: 'https://world.test', keepResult });
    expect(open).toThrow(new TypeError('keepResult: a finite number of ms above 0'));
  });

  it('is kept by an unshown assessment as before: until a page has shown it', async () => {
    const options = { ...shared(), keepResult: 10 * MINUTE };
    world = openScriptedWorld({ ...done, balance: () => ok({ token_balance: 3 }) }, { createId: ids(), ...options });
    world.client.signedIn(ann);
    world.client.submit(answers);
    await world.run(60 * MINUTE);
    world.client.dispose();
    const page = reload(options);
    expect(page.resume()).toHaveLength(1);
  });
});
