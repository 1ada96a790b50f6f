import { createAssessmentClient } from 'assessment-monitor';
import { afterEach, describe, expect, it } from 'vitest';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { openStage, type Stage, type StageOptions } from '../../e2e/scenarios/stage.ts';
import { memoryStore } from '../../src/lib/storage.ts';

/* The client over loopback, with the reference backend as the judge of what was sent. */

let stage: Stage;
const open = async (options: StageOptions = {}): Promise<Stage> => {
  const backend = { accessTokenTtlMs: 600_000, jobDurationMs: 600_000, ...options.backend };
  // Without luck every backoff takes its least time.
  stage = await openStage({ backend, client: { random: () => 0, ...options.client } });
  return stage;
};
afterEach(async () => {
  expect(await stage.close()).toEqual({ timers: 0, sockets: 0, requests: 0 });
});

const lastPhase = () => stage.shown.at(-1)?.phase;
const untilPhase = (phase: string) => stage.until(`the phase is "${phase}"`, () => lastPhase() === phase, 10_000);
const counts = () => stage.backend.counts();
/** Ends the jobs and waits for the result. */
const finish = async () => {
  await untilPhase('waiting');
  stage.backend.finishJobs();
  await untilPhase('completed');
};

describe('submitting', () => {
  it('takes a double click for one submission', async () => {
    await open();
    await stage.signIn();
    const first = stage.submit();
    expect(stage.client.submit(structuredClone(sampleAnswers))).toBe(first);
    await finish();
    expect(counts().submitCalls).toBe(1);
    expect(stage.client.getSnapshot().assessments).toEqual([first]);
  });

  it('takes the same answers for a new assessment once the first has ended', async () => {
    await open();
    await stage.signIn();
    const first = stage.submit();
    await finish();
    const second = stage.submit();
    expect(second).not.toBe(first);
    await finish();
    expect(counts().submissionsAccepted).toBe(2);
  });

  it('sends what was submitted, whatever the application does to its object later', async () => {
    await open();
    const answers = structuredClone(sampleAnswers);
    const assessment = stage.show(stage.client.submit(answers));
    answers.assessment_data.riasec.realistic = -1;
    await untilPhase('sign-in-needed');
    await stage.signIn();
    await finish();
    expect(assessment.getSnapshot().phase).toBe('completed');
  });

  it('refuses answers that are not JSON with a TypeError and starts nothing', async () => {
    await open();
    expect(() => stage.client.submit(undefined)).toThrow(TypeError);
    expect(() => stage.client.submit(() => {})).toThrow('nothing was submitted');
    expect(stage.client.getSnapshot().assessments).toEqual([]);
  });

  it('pauses a submission that is made without a session, and sends it after the sign-in', async () => {
    await open();
    stage.submit();
    await untilPhase('sign-in-needed');
    expect(counts().submitCalls).toBe(0);
    await stage.signIn();
    await finish();
    expect(counts().submissionsAccepted).toBe(1);
  });

  it('finds or repeats a submission whose answer was lost: one job, one credit', async () => {
    await open({ backend: { faults: [{ route: 'submit', kind: 'drop-answer', times: 2 }] } });
    await stage.signIn();
    stage.submit();
    await finish();
    expect(counts()).toMatchObject({ submissionsAccepted: 1 });
    await stage.until('the balance is known', () => stage.client.getSnapshot().balance === 4);
  });

  /** A server without the list of a user's jobs. */
  const noList = { route: 'jobs', kind: 'status', status: 404 } as const;

  it.each([
    ['HTML instead of JSON', { body: '<html>Welcome</html>', contentType: 'text/html' }],
    ['a 202 without a job', { body: '{"success":true,"data":{}}' }],
    ['a 202 in other words', { body: '{"id":"job-1"}' }],
  ])('asks the user about %s: the server said yes, and a repetition may be a second job', async (_, answer) => {
    const faults = [{ route: 'submit', kind: 'body', ...answer }, noList] as const;
    await open({ backend: { faults: [...faults] } });
    await stage.signIn();
    stage.submit();
    await untilPhase('unconfirmed');
    expect(counts().submitCalls).toBe(1);
  });

  it('asks the user when the answer was lost and the server cannot recognise a repetition', async () => {
    await open({
      backend: { faults: [{ route: 'submit', kind: 'drop-answer', times: 1 }, noList] },
      client: { idempotencyHeader: null },
    });
    await stage.signIn();
    const assessment = stage.submit();
    await untilPhase('unconfirmed');
    stage.reload();
    await untilPhase('unconfirmed');
    expect(counts().submitCalls).toBe(1);
    expect(assessment.getSnapshot()).toMatchObject({
      error: { code: 'outcome-unknown', remedies: ['retry', 'contact-support'] },
    });
    stage.client.getSnapshot().assessments[0]!.sendAgain();
    await finish();
    expect(counts().submitCalls).toBe(2);
  });

  it('names the fields that the server did not accept', async () => {
    await open();
    await stage.signIn();
    const bad = { ...sampleAnswers, assessment_data: { riasec: { realistic: 1_000 } } };
    const view = await stage.client.submit(bad).settled();
    expect(view).toMatchObject({
      phase: 'failed',
      error: { code: 'validation', details: { 'riasec.realistic': expect.any(String) } },
    });
    expect(counts().submissionsAccepted).toBe(0);
  });

  it('says that the credit does not suffice', async () => {
    await open({ backend: { initialBalance: 0 } });
    await stage.signIn();
    const view = await stage.client.submit(sampleAnswers).settled();
    expect(view).toMatchObject({ phase: 'failed', error: { code: 'insufficient-credit' } });
  });

  it.each([
    ['a 503', { kind: 'status', status: 503, times: 2 }],
    ['a 429 with Retry-After', { kind: 'status', status: 429, retryAfter: '1', times: 1 }],
    ['a reset connection', { kind: 'reset', times: 1 }],
    ['a page of a firewall', { kind: 'body', status: 403, body: '<html></html>', contentType: 'text/html', times: 1 }],
  ] as const)('survives %s and submits once', async (_, fault) => {
    await open({ backend: { faults: [{ route: 'submit', ...fault }] } });
    await stage.signIn();
    stage.submit();
    await finish();
    expect(counts().submissionsAccepted).toBe(1);
  });
});

describe('watching', () => {
  it('shares one socket between all assessments of a client', async () => {
    await open();
    await stage.signIn();
    const first = stage.client.submit(sampleAnswers);
    const second = stage.client.submit({ ...sampleAnswers, assessment_name: 'Another one' });
    await stage.until('both are watched', () =>
      [first, second].every((it) => it.actor.getSnapshot().matches({ active: 'ws-monitoring' })),
    );
    stage.backend.finishJobs();
    expect((await first.settled()).phase).toBe('completed');
    expect((await second.settled()).phase).toBe('completed');
    expect(counts().socketsOpened).toBe(1);
  });

  it('falls back to polling when the socket breaks, and comes back without a second result', async () => {
    await open();
    await stage.signIn();
    stage.submit();
    await stage.until('it listens', () => stage.states.at(-1) === 'ws-monitoring');
    stage.backend.kickSockets();
    await stage.until('it polls', () => stage.states.includes('polling') && stage.states.at(-1) === 'polling');
    await stage.until('it listens again', () => stage.states.at(-1) === 'ws-monitoring');
    await finish();
    expect(counts().resultCalls).toBe(1);
    expect(counts().socketsAuthenticated).toBe(2);
  });

  it.each([
    [
      'an unknown status',
      { route: 'status', kind: 'body', body: '{"success":true,"data":{"status":"pondering"}}', times: 2 },
    ],
    ['malformed JSON', { route: 'status', kind: 'body', body: '{"success":tru', times: 2 }],
    ['null', { route: 'status', kind: 'body', body: 'null', times: 2 }],
    [
      'the status of another job',
      {
        route: 'status',
        kind: 'body',
        body: '{"success":true,"data":{"jobId":"other","status":"completed"}}',
        times: 2,
      },
    ],
    ['a job that the status route has forgotten', { route: 'status', kind: 'status', status: 404 }],
    [
      'a result with nothing in it',
      { route: 'result', kind: 'body', body: '{"success":true,"data":{"test_result":null}}', times: 2 },
    ],
    ['a result that is not found at first', { route: 'result', kind: 'status', status: 404, times: 2 }],
    ['a result call that fails', { route: 'result', kind: 'status', status: 500, times: 2 }],
    ['a result answer that is null', { route: 'result', kind: 'body', body: '{"success":true,"data":null}', times: 1 }],
  ] as const)('shows the result in spite of %s', async (_, fault) => {
    await open({ backend: { sockets: 'refuse', faults: [fault] } });
    await stage.signIn();
    stage.submit();
    await finish();
    expect(counts().submissionsAccepted).toBe(1);
    expect(stage.shown.every(({ phase }) => phase !== 'failed')).toBe(true);
  });

  it('finds the result although "completed" comes without its id', async () => {
    const body = '{"success":true,"data":{"status":"completed","resultId":null}}';
    await open({ backend: { sockets: 'refuse' } });
    await stage.signIn();
    stage.submit();
    await untilPhase('waiting');
    stage.backend.finishJobs();
    stage.backend.configure({ faults: [{ route: 'status', kind: 'body', body }] });
    await untilPhase('completed');
  });

  it('fails with a typed error when the result does not fit the schema, after asking more than once', async () => {
    const picky = { '~standard': { validate: () => ({ issues: [{ message: 'no' }] }) } };
    await open({ client: { resultSchema: picky as never } });
    await stage.signIn();
    stage.submit();
    await untilPhase('waiting');
    stage.backend.finishJobs();
    await stage.until('it failed', () => lastPhase() === 'failed', 30_000);
    expect(stage.shown.at(-1)).toMatchObject({ error: { code: 'invalid-result', remedies: ['contact-support'] } });
    expect(counts().resultCalls).toBeGreaterThan(1);
  });

  it('asks the user when the deadline has passed, continues on request, and still ends well', async () => {
    let monitoringTimeoutMs = 300;
    await open({ client: { settings: () => ({ monitoringTimeoutMs }) } });
    await stage.signIn();
    const assessment = stage.submit();
    await untilPhase('delayed');
    expect(counts().statusCalls).toBeGreaterThan(0);
    monitoringTimeoutMs = 600_000;
    assessment.keepWaiting();
    await finish();
  });

  it('shows the result of a job that ends after its deadline although the user did not answer the question', async () => {
    await open({ client: { settings: () => ({ monitoringTimeoutMs: 300 }) } });
    await stage.signIn();
    stage.submit();
    await untilPhase('delayed');
    stage.backend.finishJobs();
    await untilPhase('completed');
  });
});

describe('sessions', () => {
  it("never shows one user's job to another, and shows it to its user again", async () => {
    await open();
    await stage.signIn();
    const { id } = stage.submit();
    await untilPhase('waiting');
    await stage.signInAs('other-user@example.test');
    await untilPhase('cancelled');
    expect(stage.events).toContainEqual(expect.objectContaining({ type: 'job.aside' }));
    expect(stage.client.getSnapshot()).toMatchObject({ assessments: [], balance: null });
    expect(stage.reload()).toEqual([]);
    await stage.signIn();
    expect(stage.client.getSnapshot().assessments.map((it) => it.id)).toEqual([id]);
  });

  it('leaves when the user signs out, sends nothing until the sign-in, and is resumed after it', async () => {
    await open();
    await stage.signIn();
    const { id } = stage.submit();
    await untilPhase('waiting');
    stage.client.signedOut();
    expect(lastPhase()).toBe('cancelled');
    expect(stage.client.getSnapshot()).toEqual({ assessments: [], balance: null });
    const before = counts();
    stage.backend.finishJobs();
    await stage.until('the socket is closed', () => stage.backend.openConnections().sockets === 0);
    expect(counts()).toMatchObject({ refreshCalls: 0, statusCalls: before.statusCalls });
    await stage.signIn();
    const [resumed] = stage.client.getSnapshot().assessments;
    expect([resumed?.id, (await resumed?.settled())?.phase, counts().submitCalls]).toEqual([id, 'completed', 1]);
  });

  it('pauses instead of refreshing while refreshing is switched off', async () => {
    await open({ client: { settings: () => ({ refresh: false }) } });
    await stage.signIn();
    stage.submit();
    await untilPhase('waiting');
    stage.backend.endTokens();
    await untilPhase('sign-in-needed');
    expect(counts().refreshCalls).toBe(0);
    stage.backend.finishJobs();
    await stage.signIn();
    await untilPhase('completed');
  });

  it('refreshes through the body where the server wants it so', async () => {
    await open({ backend: { refreshTransport: 'body' }, client: { auth: { refreshTransport: 'body' } } });
    await stage.signIn();
    stage.submit();
    await untilPhase('waiting');
    stage.backend.endTokens();
    await stage.until('it was refreshed', () => counts().refreshes === 1);
    await finish();
  });

  it('asks for the balance with a good token, and never throws a bare 401', async () => {
    await open({ client: { timings: { refreshIntervalMs: 60_000 } } });
    await expect(stage.client.refreshBalance()).rejects.toMatchObject({ code: 'sign-in-required' });
    await stage.signIn();
    expect(await stage.client.refreshBalance()).toBe(5);
    stage.backend.endTokens();
    await expect(stage.client.refreshBalance()).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterMs: expect.any(Number),
    });
    expect(stage.client.getSnapshot().balance).toBe(5);
  });

  it('renews a token that died before it asks for the balance again', async () => {
    await open();
    await stage.signIn();
    stage.backend.endTokens();
    expect(await stage.client.refreshBalance()).toBe(5);
    expect(counts()).toMatchObject({ refreshes: 1, unauthorizedAnswers: 1 });
  });

  it('gives the application a token that is valid, and a typed error when there is none', async () => {
    await open();
    await expect(stage.client.ensureValidToken()).rejects.toMatchObject({
      name: 'SignInRequiredError',
      code: 'sign-in-required',
    });
    await stage.signIn();
    const token = await stage.client.ensureValidToken();
    expect(token.split('.')).toHaveLength(3);
    expect(() => stage.client.signedIn({ accessToken: '' })).toThrow('the session is unchanged');
    expect(await stage.client.ensureValidToken()).toBe(token);
  });
});

describe('after a reload', () => {
  it('sends a submission again, under its key, when the page was closed before the answer came', async () => {
    await open({ backend: { faults: [{ route: 'submit', kind: 'hang', times: 1 }] } });
    await stage.signIn();
    stage.submit();
    await stage.until('the submission is under way', () => counts().submitCalls === 1);
    expect(stage.reload()).toHaveLength(1);
    await finish();
    expect(counts()).toMatchObject({ submitCalls: 2, submissionsAccepted: 1 });
  });

  it('shows a result that the user had not seen, and not one that the user had', async () => {
    await open();
    await stage.signIn();
    const unseen = stage.client.submit(sampleAnswers);
    await stage.until('it is watched', () => unseen.getSnapshot().phase === 'waiting');
    stage.backend.finishJobs();
    await stage.until('it is complete', () => unseen.getSnapshot().phase === 'completed');
    expect(stage.reload()).toHaveLength(1);
    await untilPhase('completed');
    expect(stage.reload()).toEqual([]);
  });

  it('drops garbage and old versions with a reason, and resumes the rest', async () => {
    const storage = memoryStore();
    storage.set('assessment-monitor:job:a', 'garbage{');
    storage.set('assessment-monitor:job:b', JSON.stringify({ version: 0, submissionId: 'b' }));
    await open({ client: { storage } });
    expect(stage.client.resume()).toEqual([]);
    const reasons = stage.events.flatMap((it) => (it.type === 'job.dropped' ? [it.reason] : []));
    expect([...reasons].sort()).toEqual(['malformed', 'old-version']);
    expect(storage.keys()).toEqual([]);
  });

  it('resumes nothing twice', async () => {
    await open();
    await stage.signIn();
    stage.submit();
    await untilPhase('waiting');
    expect(stage.client.resume()).toEqual([]);
    await finish();
  });
});

describe('the client itself', () => {
  it('needs an address and says so', async () => {
    await open();
    for (const baseUrl of [undefined, 'https://', 'ftp://example.test', 'api.example.test', 42]) {
      expect(() => createAssessmentClient({ baseUrl: baseUrl as string })).toThrow(/baseUrl must/);
    }
  });

  it('refuses an unknown place for unsent answers, and a time to keep records that is none', () => {
    const baseUrl = 'https://api.example.test';
    const unsentAnswers = 'Session' as 'session';
    expect(() => createAssessmentClient({ baseUrl, unsentAnswers })).toThrow(/unsentAnswers: 'session'/);
    for (const keepForMs of [Number.NaN, 0, -1])
      expect(() => createAssessmentClient({ baseUrl, keepForMs })).toThrow(/keepForMs/);
  });

  it('can be created with a path where a server renders, and refuses to submit there', () => {
    for (const baseUrl of ['', '/gateway']) {
      const client = createAssessmentClient({ baseUrl });
      expect(client.resume()).toEqual([]);
      expect(() => client.submit({})).toThrow(/baseUrl is a path/);
      client.dispose();
    }
  });

  it('is not disturbed by listeners that throw', async () => {
    await open();
    await stage.signIn();
    const assessment = stage.submit();
    assessment.subscribe(() => {
      throw new Error('a defect of the application');
    });
    stage.client.subscribe(() => {
      throw new Error('another one');
    });
    await finish();
    expect(stage.events).toContainEqual(expect.objectContaining({ type: 'listener.failed', error: 'Error' }));
  });

  it('starts nothing after it was disposed of, and keeps what was under way for the next page', async () => {
    await open();
    await stage.signIn();
    stage.submit();
    await untilPhase('waiting');
    const { client } = stage;
    client.dispose();
    expect(() => client.submit(sampleAnswers)).toThrow('disposed of');
    expect(() => client.resume()).toThrow('disposed of');
    stage.reload();
    await finish();
  });

  it('forgets an assessment that has ended when asked to, and none that is under way', async () => {
    await open();
    await stage.signIn();
    const { id } = stage.submit();
    stage.client.dismiss(id);
    expect(stage.client.getSnapshot().assessments).toHaveLength(1);
    await finish();
    stage.client.dismiss(id);
    expect(stage.client.getSnapshot().assessments).toEqual([]);
  });

  it('counts what an operator wants to watch in production', async () => {
    await open();
    await stage.signIn();
    stage.submit();
    await untilPhase('waiting');
    stage.backend.endTokens();
    await stage.until('it was refreshed', () => counts().refreshes === 1);
    await finish();
    expect(stage.client.metrics()).toMatchObject({
      invalidTokenAnswers: counts().unauthorizedAnswers,
      refreshAttempts: 1,
      refreshSuccessRate: 1,
      assessments: { completed: 1, failed: 0, cancelled: 0 },
      averageMonitoringMs: expect.any(Number),
    });
  });

  it('lets no token out: not in events, views, snapshots, logs or the job store', async () => {
    const storage = memoryStore();
    await open({ client: { storage } });
    await stage.signIn();
    const secrets = new Set([await stage.client.ensureValidToken()]);
    const assessment = stage.submit();
    const out: unknown[] = [];
    assessment.actor.system.inspect((event) => out.push(JSON.stringify(event)));
    await untilPhase('waiting');
    const kept = storage.keys().map((key) => storage.get(key));
    secrets.add(await stage.client.ensureValidToken(true));
    await finish();
    out.push(
      stage.events,
      stage.shown,
      stage.timeline,
      kept,
      assessment.actor.getPersistedSnapshot(),
      stage.backend.log(),
    );
    const text = JSON.stringify(out);
    expect(secrets.size).toBe(2);
    for (const secret of secrets) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/eyJ[A-Za-z0-9_-]{10}/);
  });
});
