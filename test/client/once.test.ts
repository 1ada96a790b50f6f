import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/lib/clock.ts';
import {
  accepted,
  listed,
  ok,
  openScriptedWorld,
  type Reply,
  result,
  type Script,
  status,
  flat,
} from '../support/scripted-world.ts';
import { sharedStorage } from '../support/shared-storage.ts';

/* The same answers, once: after a reload, in a second tab, and in tabs that learn from each other. */

const SECOND = 1_000;
const answers = { name: 'a', scores: { x: 1, y: 2 } };
const reordered = { scores: { y: 2, x: 1 }, name: 'a' };
const session = { accessToken: 'first', expiresIn: 3_600, userId: 'user-1' };

type Options = Parameters<typeof openScriptedWorld>[1];
/** The first tab of a browser, signed in; `openSecond` opens another one, or the same after a reload. */
const openBrowser = (script: Script = {}, options: Options = {}, events = { hasEvents: true }) => {
  const shared = sharedStorage();
  // Another tab sends what the first one has left.
  const world = openScriptedWorld(script, { unsentAnswers: 'local', ...options, ...shared.openTab(events) });
  world.signIn();
  const openSecond = (user = 'user-1') => {
    const client = world.openTab({ ...shared.openTab(events), createId: () => 'submission-2' });
    client.signedIn({ ...session, userId: user });
    return client;
  };
  return { ...world, shared, openSecond };
};
/** A reply that the test gives when it likes. */
const later = () => {
  let answer: (reply: Reply) => void = () => {};
  const reply = new Promise<Reply>((resolve) => (answer = resolve));
  return { reply, answer: (value: Reply) => answer(value) };
};
const withoutKeys: Options = { idempotencyHeader: null };

describe('the same answers', () => {
  it('with their keys in another order are one assessment', async () => {
    const world = openBrowser();
    const first = world.client.submit(answers);
    expect(world.client.submit(reordered)).toBe(first);
    await world.run(5 * SECOND);
    expect(world.client.submit(reordered)).toBe(first);
    expect(world.count('submit')).toBe(1);
    world.close();
  });

  it('after a reload resume the accepted job before `resume()` is called, and once', async () => {
    const world = openBrowser();
    world.client.submit(answers);
    await world.run(5 * SECOND);
    expect(world.shared.record()).toMatchObject({ jobId: 'job-1', answersDigest: expect.any(String) });
    expect(world.shared.record()).not.toHaveProperty('submission');
    world.client.dispose();

    const page = world.openSecond();
    const again = page.submit(reordered);
    expect(page.resume()).toEqual([]);
    await world.run(5 * SECOND);
    expect([again.id, again.getSnapshot().jobId, world.count('submit')]).toEqual(['submission-1', 'job-1', 1]);
    expect(page.getSnapshot().assessments).toEqual([again]);
    page.dispose();
  });

  it('after a reload are sent under the first key when they were not accepted yet', async () => {
    const world = openBrowser({ submit: ({ count }) => (count === 1 ? null : accepted()) });
    world.client.submit(answers);
    await world.run(0);
    world.client.dispose();
    const page = world.openSecond();
    const again = page.submit(reordered);
    // The first page may have been heard: the list of jobs comes first, when the server has had time to write it.
    await world.run(10 * SECOND);
    expect([again.id, again.getSnapshot().phase, world.count('submit')]).toEqual(['submission-1', 'waiting', 2]);
    page.dispose();
  });

  it('after a reload during the submission are looked for in the list of jobs before they are sent again', async () => {
    const list: Reply[] = [];
    const world = openBrowser({ submit: () => null, job: () => null, jobs: () => list.at(-1) ?? null });
    world.client.submit(answers);
    await world.run(0);
    expect(world.shared.record()).toMatchObject({ jobId: null, sentAt: expect.any(Number) });
    // The answers arrived, and the server stores no keys.
    const createdAt = new Date(world.clock.now()).toISOString();
    list.push(ok({ jobs: [{ job_id: 'job-7', result_id: 'result-7', created_at: createdAt }] }));
    world.client.dispose();

    const page = world.openSecond();
    const [again] = page.resume();
    await world.run(10 * SECOND);
    expect([again?.getSnapshot().jobId, world.count('submit')]).toEqual(['job-7', 1]);
    page.dispose();
  });

  it('in a second tab are one assessment', async () => {
    const world = openBrowser();
    world.client.submit(answers);
    await world.run(5 * SECOND);
    const tab = world.openSecond();
    const there = tab.submit(reordered);
    await world.run(5 * SECOND);
    expect([there.id, there.getSnapshot().jobId, world.count('submit')]).toEqual(['submission-1', 'job-1', 1]);
    tab.dispose();
    world.close();
  });

  it('of another user are another assessment', async () => {
    const world = openBrowser();
    world.client.submit(answers);
    await world.run(5 * SECOND);
    world.client.dispose();
    const page = world.openSecond('user-2');
    expect(page.submit(answers).id).toBe('submission-2');
    await world.run(5 * SECOND);
    expect(world.count('submit')).toBe(2);
    page.dispose();
  });

  it('are a new assessment after a shown result, a cancellation and a failure', async () => {
    const script: Script = { status: () => status('completed'), result };
    const ends: [string, Script, (world: ReturnType<typeof openBrowser>) => void][] = [
      ['completed', script, () => {}],
      ['cancelled', {}, (world) => world.client.getSnapshot().assessments[0]?.cancel()],
      ['failed', { submit: () => flat(400, 'VALIDATION_ERROR') }, () => {}],
    ];
    for (const [phase, its, end] of ends) {
      let ids = 0;
      const world = openBrowser(its, { createId: () => `submission-${(ids += 1)}` });
      const first = world.submit(answers);
      await world.run(5 * SECOND);
      end(world);
      expect(first.getSnapshot().phase).toBe(phase);
      expect(world.client.submit(reordered)).not.toBe(first);
      expect(world.shared.store.keys().filter((key) => key.includes(':answers:'))).toHaveLength(1);
      world.close();
    }
  });

  it('are one assessment while their result has not been shown yet', async () => {
    const world = openBrowser({ status: () => status('completed'), result });
    const first = world.client.submit(answers);
    await world.run(5 * SECOND);
    expect(first.getSnapshot().phase).toBe('completed');
    expect(world.client.submit(reordered)).toBe(first);
    first.subscribe(() => {});
    expect(world.client.submit(reordered)).not.toBe(first);
    world.close();
  });
});

describe('the same answers, submitted again after a sign-out and before the next sign-in,', () => {
  const ids = () => {
    let count = 0;
    return { createId: () => `submission-${(count += 1)}` };
  };
  const keysOf = ({ calls }: Pick<ReturnType<typeof openBrowser>, 'calls'>) =>
    calls.filter(({ route }) => route === 'submit').map(({ key }) => key);

  it('continue the accepted job of their user', async () => {
    const world = openBrowser({}, ids());
    world.client.submit(answers);
    await world.run(5 * SECOND);
    world.client.signedOut();
    const again = world.client.submit(reordered);
    await world.run(5 * SECOND);
    expect([again.getSnapshot().phase, again.getSnapshot().jobId]).toEqual(['sign-in-needed', null]);
    world.client.signedIn(session);
    await world.run(5 * SECOND);
    expect([again.getSnapshot().phase, again.getSnapshot().jobId, world.count('submit')]).toEqual([
      'waiting',
      'job-1',
      1,
    ]);
    expect(world.client.getSnapshot().assessments).toEqual([again]);
    expect(world.shared.record('submission-1')).toBeNull();
    world.close();
  });

  it('are looked for, and sent under the first key, where the answer to the first submission was lost', async () => {
    const world = openBrowser({ submit: ({ count }) => (count === 1 ? null : accepted()) }, ids());
    world.client.submit(answers);
    await world.run(0);
    world.client.signedOut();
    const again = world.client.submit(answers);
    world.client.signedIn(session);
    await world.run(10 * SECOND);
    expect(again.getSnapshot().jobId).toBe('job-1');
    expect([keysOf(world), world.count('jobs')]).toEqual([['submission-1', 'submission-1'], 1]);
    world.close();
  });

  it('are sent under the first key by the next page as well', async () => {
    const world = openBrowser({ submit: ({ count }) => (count < 3 ? null : accepted()) }, ids());
    world.client.submit(answers);
    await world.run(0);
    world.client.signedOut();
    world.client.submit(answers);
    world.client.signedIn(session);
    await world.run(6 * SECOND);
    expect(world.count('submit')).toBe(2);
    world.client.dispose();
    const page = world.openSecond();
    page.resume();
    await world.run(30 * SECOND);
    expect(page.getSnapshot().assessments.map((it) => it.getSnapshot().jobId)).toEqual(['job-1']);
    expect(keysOf(world)).toEqual(['submission-1', 'submission-1', 'submission-1']);
    page.dispose();
  });

  it('continue the accepted job on a page that opens after the sign-in', async () => {
    const world = openBrowser({}, ids());
    world.client.submit(answers);
    await world.run(5 * SECOND);
    world.client.signedOut();
    world.client.submit(answers);
    await world.run(SECOND);
    world.client.dispose();
    const page = world.openSecond();
    page.resume();
    await world.run(5 * SECOND);
    expect(page.getSnapshot().assessments.map((it) => it.getSnapshot().jobId)).toEqual(['job-1']);
    expect(world.count('submit')).toBe(1);
    page.dispose();
  });

  it.each(['accepted', 'in flight'])(
    'are another assessment for another user, with the first one %s',
    async (state) => {
      const world = openBrowser(
        { submit: ({ count }) => (count === 1 && state === 'in flight' ? null : accepted()) },
        ids(),
      );
      world.client.submit(answers);
      await world.run(0);
      world.client.signedOut();
      const again = world.client.submit(answers);
      world.client.signedIn({ ...session, accessToken: 'second', userId: 'user-2' });
      await world.run(10 * SECOND);
      expect([again.getSnapshot().phase, keysOf(world)]).toEqual(['waiting', ['submission-1', 'submission-2']]);
      expect(world.shared.record('submission-1')).toMatchObject({ asideAt: expect.any(Number) });
      world.close();
    },
  );
});

describe('on a server that ignores the keys and takes two seconds for a submission', () => {
  /** Every submission starts a job, even one whose page is gone. */
  const open = (events?: { hasEvents: boolean }) => {
    const jobs: number[] = [];
    const world: ReturnType<typeof openBrowser> = openBrowser(
      {
        async submit() {
          jobs.push(world.clock.now());
          await sleep(world.clock, 2_000);
          return accepted();
        },
        jobs: () =>
          ok(jobs.map((at, index) => ({ job_id: `job-${index + 1}`, created_at: new Date(at).toISOString() }))),
      },
      {},
      events,
    );
    return world;
  };

  it('a reload in between finds the job of the first page in the list', async () => {
    const world = open();
    world.client.submit(answers);
    await world.run(SECOND);
    world.client.dispose();
    const page = world.openSecond();
    const [again] = page.resume();
    await world.run(10 * SECOND);
    expect([again?.getSnapshot().phase, again?.getSnapshot().jobId, world.count('submit')]).toEqual([
      'waiting',
      'job-1',
      1,
    ]);
    page.dispose();
  });

  it('a second tab that opens in between finds it, even without storage events', async () => {
    const world = open({ hasEvents: false });
    world.client.submit(answers);
    await world.run(SECOND);
    const tab = world.openSecond();
    const there = tab.submit(reordered);
    await world.run(10 * SECOND);
    expect([there.getSnapshot().jobId, world.count('submit')]).toEqual(['job-1', 1]);
    tab.dispose();
    world.close();
  });

  it('two tabs that are about to send at the same time send once', async () => {
    const world = open({ hasEvents: false });
    // Neither tab has a token yet.
    world.client.signedOut();
    world.client.submit(answers);
    const tab = world.openTab({ ...world.shared.openTab({ hasEvents: false }), createId: () => 'submission-2' });
    const [there] = tab.resume();
    await world.run(SECOND);
    world.client.signedIn(session);
    tab.signedIn(session);
    await world.run(20 * SECOND);
    expect([there?.getSnapshot().jobId, world.count('submit')]).toEqual(['job-1', 1]);
    tab.dispose();
    world.close();
  });
});

it('answers that the server has put off are sent by the next page without a search', async () => {
  const world = openBrowser({
    submit: ({ count }) => (count === 1 ? flat(429, 'LIMITED', { 'retry-after': '600' }) : accepted()),
  });
  world.client.submit(answers);
  await world.run(SECOND);
  expect(world.shared.record()).not.toHaveProperty('sentAt');
  world.client.dispose();
  const page = world.openSecond();
  page.resume();
  await world.run(SECOND);
  expect([world.count('submit'), world.count('jobs')]).toEqual([2, 0]);
  page.dispose();
});

describe('a list of jobs that does not tell the time of the server, after a lost submission,', () => {
  /** The job that the server has, seen from the client's clock, s. */
  const lose = async (createdS: number, { date = false } = {}) => {
    let sentAt = 0;
    const world = openScriptedWorld({
      submit: ({ count }) => (count === 1 ? null : accepted()),
      jobs(): Reply {
        const headers = { date: new Date(world.clock.now() + createdS * SECOND).toUTCString() };
        return ok({ jobs: [listed('job-7', sentAt + createdS * SECOND)] }, date ? headers : {});
      },
    });
    sentAt = world.clock.now();
    world.signIn();
    const assessment = world.client.submit(answers);
    await world.run(15 * SECOND);
    return { world, assessment };
  };

  it.each([-3_600, -10, 90, 3_600])(
    'asks the user where the clocks may be %i s apart, and sends nothing',
    async (seconds) => {
      const { world, assessment } = await lose(seconds);
      expect([assessment.getSnapshot().phase, world.count('submit')]).toEqual(['unconfirmed', 1]);
      assessment.sendAgain();
      await world.run(5 * SECOND);
      expect([assessment.getSnapshot().jobId, world.count('submit')]).toEqual(['job-1', 2]);
      world.close();
    },
  );

  /** Two tabs submit the same answers; the first one has its answer a second later. */
  const answerTheFirst = async (script: Script = {}) => {
    const jobs = (): Reply => ok({ jobs: [listed('job-1', world.clock.now() - 3_600 * SECOND)] });
    const first = later();
    const world = openBrowser({ submit: () => first.reply, jobs, ...script }, {}, { hasEvents: false });
    const here = world.client.submit(answers);
    here.subscribe(() => {});
    await world.run(0);
    const tab = world.openSecond();
    const there = tab.submit(answers);
    await world.run(SECOND);
    first.answer(accepted());
    await world.run(10 * SECOND);
    expect(world.count('submit')).toBe(1);
    tab.dispose();
    world.close();
    return { here, there };
  };

  it('is not needed in a second tab when the first one has got its answer, even without storage events', async () => {
    const { there } = await answerTheFirst();
    expect([there.getSnapshot().phase, there.getSnapshot().jobId]).toEqual(['waiting', 'job-1']);
  });

  it('is not needed in a second tab when the first one shows the result of a short job, even without storage events', async () => {
    const state = ({ count }: { count: number }) => status(count < 3 ? 'processing' : 'completed');
    const { here, there } = await answerTheFirst({ status: state, result });
    expect([here, there].map((it) => it.getSnapshot().phase)).toEqual(['completed', 'completed']);
  });

  it('cannot be compared with a clock that was set back since: the user is asked, and nothing is sent', async () => {
    let sentAt = 0;
    const jobs = (): Reply => {
      const headers = { date: new Date(world.clock.now()).toUTCString() };
      return ok({ jobs: [listed('job-7', sentAt - 300 * SECOND)] }, headers);
    };
    const world = openBrowser({ submit: ({ count }) => (count === 1 ? null : accepted()), jobs });
    sentAt = world.clock.now();
    const assessment = world.client.submit(answers);
    await world.run(SECOND);
    world.clock.jump(-300 * SECOND);
    await world.run(15 * SECOND);
    expect([assessment.getSnapshot().phase, world.count('submit')]).toEqual(['unconfirmed', 1]);
    world.close();
  });

  it('finds the job where the clocks agree', async () => {
    const { world, assessment } = await lose(0);
    expect([assessment.getSnapshot().jobId, world.count('submit')]).toEqual(['job-7', 1]);
    world.close();
  });

  it('is compared by the time of the server where the answer tells it', async () => {
    const { world, assessment } = await lose(-600, { date: true });
    expect([assessment.getSnapshot().jobId, world.count('submit')]).toEqual(['job-7', 1]);
    world.close();
  });

  it('has no say about a job of this morning: the answers are sent again under their key', async () => {
    const { world, assessment } = await lose(-4 * 3_600);
    expect([assessment.getSnapshot().jobId, world.count('submit')]).toEqual(['job-1', 2]);
    world.close();
  });
});

describe('a second tab without idempotency keys', () => {
  it.each([
    ['resumes', (client: ReturnType<typeof openScriptedWorld>['client']) => client.resume()[0]],
    ['submits the same answers', (client: ReturnType<typeof openScriptedWorld>['client']) => client.submit(reordered)],
  ])('that %s during the submission sends nothing and learns the job from the first', async (_how, open) => {
    const { reply, answer } = later();
    const world = openBrowser({ submit: () => reply }, withoutKeys);
    world.client.submit(answers);
    await world.run(SECOND);
    const tab = world.openSecond();
    const there = open(tab);
    await world.run(SECOND);
    expect([there?.getSnapshot().phase, world.count('submit')]).toEqual(['submitting', 1]);
    answer(accepted());
    await world.run(5 * SECOND);
    expect(there?.getSnapshot()).toMatchObject({ phase: 'waiting', jobId: 'job-1' });
    expect([world.count('submit'), world.shared.record()?.jobId]).toEqual([1, 'job-1']);
    tab.dispose();
    world.close();
  });

  it('sends nothing when the other began to send after both had opened', async () => {
    const { reply, answer } = later();
    const refresh = () => flat(401, 'INVALID_REFRESH_TOKEN');
    const world = openBrowser({ submit: () => reply, refresh }, { ...withoutKeys, channel: null });
    // Neither tab has a token yet, so both of them are about to send.
    world.client.signedOut();
    const here = world.client.submit(answers);
    const tab = world.openTab({ ...world.shared.openTab(), createId: () => 'submission-2' });
    const there = tab.resume()[0];
    await world.run(SECOND);
    world.client.signedIn(session);
    tab.signedIn(session);
    await world.run(SECOND);
    const phases = () => [here, there].map((it) => it?.getSnapshot().phase).toSorted();
    expect([world.count('submit'), phases()]).toEqual([1, ['submitting', 'submitting']]);
    answer(accepted());
    await world.run(5 * SECOND);
    expect([world.count('submit'), phases(), there?.getSnapshot().jobId]).toEqual([1, ['waiting', 'waiting'], 'job-1']);
    tab.dispose();
    world.close();
  });

  it('sends nothing when the user sends again what the first tab has got accepted, even without storage events', async () => {
    const { reply, answer } = later();
    const world = openBrowser({ submit: () => reply }, withoutKeys, { hasEvents: false });
    world.client.submit(answers);
    await world.run(SECOND);
    const tab = world.openSecond();
    const there = tab.submit(answers);
    await world.run(8 * SECOND);
    answer(accepted());
    await world.run(5 * SECOND);
    expect(there.getSnapshot().phase).toBe('unconfirmed');
    there.sendAgain();
    await world.run(5 * SECOND);
    expect([there.getSnapshot().jobId, world.count('submit')]).toEqual(['job-1', 1]);
    tab.dispose();
    world.close();
  });

  it('sends again when the user asks for it and no tab knows of a job', async () => {
    const world = openBrowser({ submit: ({ count }) => (count === 1 ? null : accepted()) }, withoutKeys);
    world.client.submit(answers);
    await world.run(SECOND);
    world.client.dispose();
    const tab = world.openSecond();
    const there = tab.submit(answers);
    await world.run(5 * SECOND);
    expect([there.getSnapshot().phase, world.count('submit')]).toEqual(['unconfirmed', 1]);
    there.sendAgain();
    await world.run(5 * SECOND);
    expect([there.getSnapshot().phase, world.count('submit')]).toEqual(['waiting', 2]);
    tab.dispose();
  });
});

describe('a cancellation', () => {
  it('in a tab that does not know the job leaves the record to the tab that does', async () => {
    const { reply, answer } = later();
    const world = openBrowser({ submit: () => reply }, withoutKeys, { hasEvents: false });
    const first = world.client.submit(answers);
    await world.run(SECOND);
    const tab = world.openSecond();
    const there = tab.submit(answers);
    await world.run(8 * SECOND);
    answer(accepted());
    await world.run(5 * SECOND);
    there.cancel();
    there.subscribe(() => {});
    tab.dismiss(there.id);
    expect([there.getSnapshot().phase, world.shared.record()?.jobId]).toEqual(['cancelled', 'job-1']);
    expect(first.getSnapshot().phase).toBe('waiting');
    tab.dispose();
    first.cancel();
    expect(world.shared.record()).toBeNull();
    world.close();
  });
});
