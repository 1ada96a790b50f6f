import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Call, openScriptedWorld, type Reply, type Route } from '../support/scripted-world.ts';
import { anyEdit, anyTextEdit, mutate, mutateText } from './mutations.ts';

/*
 * Mutated messages and answers for a running client in virtual time. FUZZ says how many, SEED which. Whatever comes, the client
 * neither breaks nor gets stuck: once the server makes sense again, the assessment ends.
 */

const wanted = Number(process.env.FUZZ ?? 2_000);
const seed = Number(process.env.SEED ?? 20_261_123);

/** What a server that makes sense answers. */
const valid: Record<Route, (call: Call) => NonNullable<Reply>> = {
  submit: () => [
    202,
    {
      success: true,
      message: 'Assessment submitted',
      data: {
        jobId: 'job-1',
        resultId: 'result-1',
        status: 'queued',
        queuePosition: 1,
        tokenCost: 1,
        remainingTokens: 4,
      },
    },
  ],
  status: ({ id }) => [
    200,
    { success: true, data: { jobId: id, status: 'completed', progress: 100, queuePosition: 0, resultId: 'result-1' } },
  ],
  result: ({ id }) => [200, { success: true, data: { id, test_result: { archetype: 'The Explorer' } } }],
  job: ({ id }) => [
    200,
    { success: true, data: { job_id: id, status: 'completed', result_id: 'result-1', error_message: null } },
  ],
  jobs: () => [200, { success: true, data: { jobs: [] } }],
  balance: () => [200, { success: true, data: { user_id: 'user-1', token_balance: 4 } }],
  refresh: ({ count }) => [200, { success: true, data: { idToken: `fresh-${count}`, expiresIn: '300' } }],
  health: () => [200, { status: 'healthy' }],
};
const failures: readonly unknown[] = [
  { success: false, error: 'INVALID_TOKEN', message: 'Invalid or expired token' },
  { success: false, error: { code: 'NOT_FOUND', message: 'Job not found', details: { field: 'why' } } },
  { success: false, error: { code: 'UNAUTHORIZED', message: 'Authentication failed', details: {}, timestamp: 'now' } },
  { success: false, error: { code: 'VALIDATION_ERROR', details: [{ field: 'id', message: 'must be a valid GUID' }] } },
  { success: false, error: 'RATE_LIMIT_EXCEEDED', retryAfter: 3_600 },
  { error: 'token_expired' },
  { error: 'invalid_grant', error_description: 'revoked' },
  { error: { code: 'ORG_MISMATCH' } },
  { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] },
  { message: 'Forbidden' },
  { ok: true, version: '2.1' },
];
const messages: readonly [name: string, payload: unknown][] = [
  [
    'analysis-started',
    { jobId: 'job-1', resultId: 'result-1', status: 'processing', assessment_name: 'A', progress: 25 },
  ],
  ['analysis-complete', { jobId: 'job-1', result_id: 'result-1', status: 'completed', assessment_name: 'A' }],
  ['analysis-complete', { result_id: 'result-1', status: 'completed', assessment_name: 'A' }],
  ['analysis-complete', { result_id: 'result-of-an-earlier-job', status: 'completed' }],
  ['analysis-started', { jobId: 'job-1', status: 'processing', estimated_time: '1-3 minutes' }],
  ['analysis-failed', { result_id: null, status: 'failed', error_message: 'no' }],
  ['analysis-unknown', { result_id: null, status: 'failed', error_message: 'no' }],
  ['token-balance-update', { balance: 3 }],
  ['connect', undefined],
  ['authenticated', { success: true, userId: 'user-1', tokenType: 'jwt' }],
  ['auth_error', { message: 'Invalid or expired token' }],
  ['connect_error', { message: 'websocket error' }],
  ['disconnect', 'io server disconnect'],
  ['pong-of-somebody-else', { type: 'xstate.done.actor.fetchResult', output: { type: 'ready', result: {} } }],
];

/** What the API, and what is in front of it, may answer with. */
const statuses = [
  200, 204, 301, 302, 307, 400, 401, 402, 403, 404, 408, 409, 410, 419, 422, 429, 440, 498, 500, 502, 503, 599,
];
const edits = fc.array(anyEdit, { minLength: 1, maxLength: 3 });
const anyAnswer = fc.record({
  edits,
  text: anyTextEdit,
  status: fc.constantFrom(...Array<number>(10).fill(0), ...statuses),
  failure: fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(failures.length - 1) }),
  headers: fc.constantFrom<Record<string, string>>(
    {},
    {},
    {},
    { 'retry-after': '0' },
    { 'retry-after': '-5' },
    { 'retry-after': '1e9' },
    { 'retry-after': 'Mon, 01 Jan 2001 00:00:00 GMT' },
    { 'retry-after': 'soon' },
    { location: 'https://login.test/' },
    { location: '/login' },
    { location: 'http://[' },
    { 'www-authenticate': 'Bearer error="invalid_token"' },
    { 'content-type': 'text/html' },
    { 'x-idempotency-supported': 'true' },
    { 'x-idempotency-cache': 'MISS' },
    { date: 'yesterday' },
    { date: 'Mon, 01 Jan 2029 00:00:00 GMT' },
  ),
});
const anyMessage = fc.record({
  which: fc.nat(messages.length - 1),
  edits: fc.array(anyEdit, { maxLength: 2 }),
  afterMs: fc.nat(4_000),
});
const anyNonsense = fc.record({
  answers: fc.array(anyAnswer, { minLength: 4, maxLength: 16 }),
  messages: fc.array(anyMessage, { minLength: 4, maxLength: 16 }),
  tokenSeconds: fc.constantFrom(60, 300, 3_600),
});

type Nonsense = typeof anyNonsense extends fc.Arbitrary<infer T> ? T : never;

/** Plays it, and says what went wrong; nothing, if nothing did. */
async function endure({ answers, messages: said, tokenSeconds }: Nonsense): Promise<{ wrong: string[]; fed: number }> {
  let fed = 0;
  const left = [...answers];
  const answer = (call: Call): Reply => {
    const [status, body] = valid[call.route](call);
    const odd = left.shift();
    if (!odd) return [status, body];
    fed += 1;
    const changed = mutate(odd.failure === null ? body : failures[odd.failure], odd.edits);
    return [odd.status || status, mutateText(JSON.stringify(changed) ?? '', odd.text), odd.headers];
  };
  const script = Object.fromEntries(Object.keys(valid).map((route) => [route, answer]));
  const world = openScriptedWorld(script);
  const { client, clock, sockets } = world;
  world.signIn('first', tokenSeconds);
  const assessment = world.submit();
  await clock.run(0);
  for (const { which, edits: changes, afterMs } of said) {
    const [name, payload] = messages[which]!;
    fed += 1;
    sockets.sockets.at(-1)?.fire(name, payload === undefined ? undefined : mutate(payload, changes));
    await clock.run(afterMs);
  }
  // The server makes sense again, and there is a user who does what is asked.
  left.length = 0;
  const isOver = () => ['completed', 'failed', 'cancelled'].includes(world.phase() ?? '');
  for (let minute = 0; minute < 60 && !isOver(); minute += 1) {
    if (world.phase() === 'sign-in-needed') world.signIn(`again-${minute}`);
    if (world.phase() === 'delayed') assessment.keepWaiting();
    if (world.phase() === 'unconfirmed') assessment.sendAgain();
    await clock.run(60_000);
  }
  const wrong: string[] = [];
  const last = world.views.at(-1);
  if (!isOver()) wrong.push(`stuck in ${last?.phase}`);
  if (last && 'error' in last && last.error.code === 'unexpected') wrong.push('a defect was shown');
  for (const { type } of world.events) if (type === 'listener.failed') wrong.push('something threw');
  if (world.views.filter(({ phase }) => phase === 'completed').length > 1) wrong.push('completed twice');
  await client.refreshBalance().catch(() => {});
  for (const [what, count] of Object.entries(world.close())) if (count > 0) wrong.push(`${count} ${what} left open`);
  return { wrong, fed };
}

/** Returns how many messages and answers it was. */
async function endureBatch(seed: number): Promise<number> {
  let total = 0;
  const property = fc.asyncProperty(anyNonsense, async (nonsense) => {
    const { wrong, fed } = await endure(nonsense);
    expect(wrong).toEqual([]);
    total += fed;
  });
  await fc.assert(property, { numRuns: 50, seed });
  return total;
}

describe('nonsense from the server', () => {
  const rejections: unknown[] = [];
  const note = (reason: unknown) => void rejections.push(reason);
  beforeAll(() => void process.on('unhandledRejection', note));
  afterAll(() => void process.off('unhandledRejection', note));

  it(
    `neither breaks the client nor holds it up (${wanted} messages and answers, seed ${seed})`,
    { timeout: 60 * 60_000 },
    async () => {
      const startedAt = performance.now();
      let fed = 0;
      for (let batch = 0; fed < wanted; batch += 1) fed += await endureBatch(seed + batch);
      expect(rejections).toEqual([]);
      if (process.env.FUZZ) {
        process.stdout.write(
          `${fed} messages and answers in ${Math.round((performance.now() - startedAt) / 1_000)} s\n`,
        );
      }
    },
  );
});
