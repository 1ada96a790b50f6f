import { describe, expect, it } from 'vitest';
import { ok, openScriptedWorld, type Script, status, flat } from '../support/scripted-world.ts';
import { sharedStorage } from '../support/shared-storage.ts';

/* Some servers report a job as failed, try again, and complete it: its record outlives the failure. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const session = { accessToken: 'first', expiresIn: 3 * 86_400, userId: 'user-1' };

/** A server on which the job is `failed` until `complete` is called, and a page in which it has failed. */
const openFailed = async (script: Script = {}) => {
  const shared = sharedStorage();
  const tab = shared.openTab();
  let isComplete = false;
  const row = () => (isComplete ? 'completed' : 'failed');
  const world = openScriptedWorld(
    {
      status: () => status(row()),
      job: () => ok({ job_id: 'job-1', status: row(), result_id: isComplete ? 'result-1' : null }),
      ...script,
    },
    tab,
  );
  world.client.signedIn(session);
  const assessment = world.client.submit({ answers: [1] });
  for (let steps = 0; steps < 60 && assessment.getSnapshot().phase !== 'failed'; steps += 1)
    await world.run(10 * SECOND);
  const openPage = () => {
    const page = world.openTab(shared.openTab());
    page.signedIn(session);
    return page;
  };
  const shown = () => world.client.getSnapshot().assessments.map((it) => it.getSnapshot().phase);
  return { ...world, shared, tab, assessment, openPage, shown, complete: () => void (isComplete = true) };
};
const phasesOf = (client: ReturnType<typeof openScriptedWorld>['client']) =>
  client.getSnapshot().assessments.map((it) => it.getSnapshot().phase);

describe('the record of a failed assessment', () => {
  it('stays, with the time of the failure, when the job has failed', async () => {
    const world = await openFailed();
    expect(world.shown()).toEqual(['failed']);
    expect(world.shared.record()).toMatchObject({ jobId: 'job-1', failedAt: expect.any(Number) });
    world.close();
  });

  it('stays when the result cannot be shown', async () => {
    const world = await openFailed({ status: () => status('completed'), result: () => ok({ test_result: 'text' }) });
    expect(world.assessment.getSnapshot()).toMatchObject({ phase: 'failed', error: { code: 'invalid-result' } });
    expect(world.shared.record()).toMatchObject({ failedAt: expect.any(Number) });
    // The next page looks once: the result is as it was, so nothing is shown.
    const page = world.openPage();
    const before = world.count('result');
    expect(page.resume()).toEqual([]);
    await world.run(MINUTE);
    expect([phasesOf(page), world.count('result') - before]).toEqual([[], 1]);
    page.dispose();
    world.close();
  });

  it('is erased when the user dismisses the failure', async () => {
    const world = await openFailed();
    world.client.dismiss(world.assessment.id);
    expect(world.shared.record()).toBeNull();
    world.tab.show();
    const calls = world.calls.length;
    await world.run(MINUTE);
    expect(world.calls.length).toBe(calls);
    world.close();
  });

  it('is erased when the API refuses the submission in its own words', async () => {
    const shared = sharedStorage();
    const world = openScriptedWorld({ submit: () => flat(400, 'VALIDATION_ERROR') }, shared.openTab());
    world.client.signedIn(session);
    const assessment = world.submit();
    await world.run(5 * SECOND);
    expect([assessment.getSnapshot().phase, shared.record()]).toEqual(['failed', null]);
    world.close();
  });
});

describe('a job that completes after its failure', () => {
  it('is shown by the next page', async () => {
    const world = await openFailed();
    world.client.dispose();
    world.complete();
    const page = world.openPage();
    expect(page.resume()).toEqual([]);
    await world.run(5 * SECOND);
    const [revived] = page.getSnapshot().assessments;
    expect(revived?.getSnapshot()).toMatchObject({ phase: 'completed', result: { archetype: 'The Explorer' } });
    expect(revived?.id).toBe(world.assessment.id);
    revived?.subscribe(() => {});
    expect([world.shared.record(), world.count('submit')]).toEqual([null, 1]);
    page.dispose();
  });

  it('is not shown again as a failure by the next page, which looks once and quietly', async () => {
    const world = await openFailed();
    world.client.dispose();
    const before = world.calls.length;
    const page = world.openPage();
    expect(page.resume()).toEqual([]);
    await world.run(10 * MINUTE);
    expect(phasesOf(page)).toEqual([]);
    expect(world.calls.slice(before).map(({ route }) => route)).toEqual(['status', 'job']);
    expect(world.shared.record()).not.toBeNull();
    page.dispose();
  });

  it('is looked for after the sign-in when the page opens without a session', async () => {
    const world = await openFailed({ refresh: () => flat(401, 'INVALID_REFRESH_TOKEN') });
    world.client.dispose();
    world.complete();
    const page = world.openTab(world.shared.openTab());
    page.signedOut();
    page.resume();
    await world.run(MINUTE);
    expect(phasesOf(page)).toEqual([]);
    page.signedIn(session);
    await world.run(5 * SECOND);
    expect(phasesOf(page)).toEqual(['completed']);
    page.dispose();
  });

  it('is shown when the page resumes, in the place of the failure', async () => {
    const world = await openFailed();
    world.complete();
    world.tab.show();
    await world.run(5 * SECOND);
    expect(world.shown()).toEqual(['completed']);
    world.client.getSnapshot().assessments[0]?.subscribe(() => {});
    expect(world.shared.record()).toBeNull();
    expect(world.close()).toEqual({ timers: 0, requests: 0, sockets: 0 });
  });

  it.each([
    ['job', { jobId: 'job-1', status: 'completed' }],
    ['result', { result_id: 'result-1', status: 'completed' }],
  ])('is shown when the feed names its %s', async (_what, payload) => {
    const world = await openFailed();
    world.complete();
    world.sockets.socket.goLive();
    world.sockets.socket.fire('analysis-complete', payload);
    await world.run(5 * SECOND);
    expect(world.shown()).toEqual(['completed']);
    expect(world.close()).toEqual({ timers: 0, requests: 0, sockets: 0 });
  });

  it('is not looked for when the feed names another job', async () => {
    const world = await openFailed();
    const before = world.calls.length;
    world.sockets.socket.goLive();
    world.sockets.socket.fire('analysis-complete', { jobId: 'job-2', status: 'completed', result_id: 'result-2' });
    await world.run(5 * SECOND);
    expect(world.calls.length).toBe(before);
    world.close();
  });

  it('is given up after a day', async () => {
    const world = await openFailed();
    world.client.dispose();
    await world.run(25 * HOUR);
    world.complete();
    const page = world.openPage();
    expect(page.resume()).toEqual([]);
    await world.run(MINUTE);
    expect([phasesOf(page), world.shared.record()]).toEqual([[], null]);
    expect(world.events).toContainEqual(expect.objectContaining({ type: 'job.dropped', reason: 'expired' }));
    page.dispose();
  });

  it("is not looked for with another user's token", async () => {
    const world = await openFailed();
    world.complete();
    world.client.signedIn({ ...session, userId: 'user-2', accessToken: 'second' });
    const before = world.count('status');
    world.tab.show();
    await world.run(MINUTE);
    expect([world.shown(), world.count('status')]).toEqual([[], before]);
    world.close();
  });
});
