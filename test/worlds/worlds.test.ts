import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyWorld } from '../../src/testing/worlds/any-world.ts';
import { runWorld } from '../../src/testing/worlds/run-world.ts';
import {
  calmWorld,
  FOR_EVER_MS,
  type FrontAnswer,
  tellStory,
  type World,
  type WorldRoute,
} from '../../src/testing/worlds/world.ts';

/* Random worlds in virtual time around the real client. WORLDS says how many, SEED which. */

const numRuns = Number(process.env.WORLDS ?? 2_000);
const seed = Number(process.env.SEED ?? 20_261_123);

describe('in any world', () => {
  it(`the promise and the invariants hold (${numRuns} worlds, seed ${seed})`, { timeout: 30 * 60_000 }, async () => {
    const property = fc.asyncProperty(anyWorld(fc), async (world) => {
      const { violations, phases } = await runWorld(world);
      if (violations.length > 0)
        throw new Error(
          `${violations.join('\n')}\n${tellStory(world)}\n${phases.join(' > ')}\n${JSON.stringify(world)}`,
        );
    });
    await fc.assert(property, { numRuns, seed });
  });
});

describe('in any world of two users who take turns on one computer', () => {
  const numTurns = Math.ceil(numRuns / 10);
  it(`nothing of one reaches the other (${numTurns} worlds, seed ${seed})`, { timeout: 30 * 60_000 }, async () => {
    const property = fc.asyncProperty(anyWorld(fc, { families: ['users'] }), async (world) => {
      const { violations } = await runWorld(world);
      if (violations.length > 0)
        throw new Error(`${violations.join('\n')}\n${tellStory(world)}\n${JSON.stringify(world)}`);
    });
    await fc.assert(property, { numRuns: numTurns, seed });
  });
});

describe('in these worlds, each of which cost a user a result once,', () => {
  it.each<[string, Partial<World>]>([
    ['TC-9 as it was meant: six minutes of work, five minutes of token', { jobMs: 360_000 }],
    ['no event names its job', { eventsNameJobs: false }],
    [
      'the token ends during a poll',
      {
        incidents: [
          { at: 0, do: 'noSockets', forMs: 900_000 },
          { at: 100_000, do: 'endTokens' },
        ],
      },
    ],
    ['the page is reloaded while the answers are sent', { latencyMs: 2_000, incidents: [{ at: 1_000, do: 'reload' }] }],
    ['the answer to the submission is lost', { incidents: [{ at: 0, do: 'loseSubmitAnswer' }] }],
    ['the answer to a refresh is lost', { incidents: [{ at: 0, do: 'loseRefreshAnswer' }] }],
    ['the laptop sleeps past the expiry', { incidents: [{ at: 60_000, do: 'sleep', forMs: 600_000 }] }],
    ['the verifier is down for five minutes', { incidents: [{ at: 60_000, do: 'outage', forMs: 300_000 }] }],
    ['the server is down when the job ends', { incidents: [{ at: 300_000, do: 'serverDown', forMs: 120_000 }] }],
    [
      'the server restarts and forgets the job',
      {
        incidents: [
          { at: 100_000, do: 'restart' },
          { at: 100_000, do: 'silence', forMs: 900_000 },
        ],
      },
    ],
    [
      'the clock is set forward by an hour',
      { tokenTtlMs: 3_600_000, incidents: [{ at: 60_000, do: 'jump', byMs: 3_600_000 }] },
    ],
    [
      'another page heard that the session is over, while this one slept',
      {
        seed: 46548,
        jobMs: 336_000,
        latencyMs: 20,
        incidents: [
          { at: 84_000, do: 'offline', forMs: 302_000 },
          { at: 312_000, do: 'sleep', forMs: 325_000 },
          { at: 463_000, do: 'reload' },
          { at: 635_000, do: 'revoke' },
        ],
      },
    ],
    [
      'the clock is set back while a refresh is under way',
      {
        seed: 829062,
        jobMs: 378_000,
        latencyMs: 20,
        loss: 0.1,
        incidents: [
          { at: 283_000, do: 'endTokens' },
          { at: 304_000, do: 'jump', byMs: -1_741_000 },
        ],
      },
    ],
    ['the clock is set back by an hour', { incidents: [{ at: 60_000, do: 'jump', byMs: -3_600_000 }] }],
    [
      'the clock is set back while a fresh token is not yet proven',
      {
        tokenTtlMs: 120_000,
        jobMs: 237_000,
        incidents: [
          { at: 0, do: 'serverDown', forMs: 327_000 },
          { at: 205_000, do: 'jump', byMs: -725_000 },
        ],
      },
    ],
    [
      'the machine falls asleep in the very moment of a sign-in, and the token has ended when it wakes',
      {
        seed: 246212,
        tokenTtlMs: 3_600_000,
        jobMs: 270_000,
        latencyMs: 20,
        eventsNameJobs: false,
        incidents: [
          { at: 164_000, do: 'signOut' },
          { at: 197_000, do: 'sleep', forMs: 185_000 },
          { at: 311_000, do: 'endTokens' },
        ],
      },
    ],
    ['the session is revoked and the user signs in again', { incidents: [{ at: 100_000, do: 'revoke' }] }],
    ['the socket is open and silent', { incidents: [{ at: 10_000, do: 'silence', forMs: 900_000 }] }],
    ['the network is gone when the job ends', { incidents: [{ at: 300_000, do: 'offline', forMs: 120_000 }] }],
    [
      'events are foreign, malformed, stale and double',
      {
        incidents: [10, 20, 340].flatMap((at) =>
          (['foreignEvents', 'malformedEvents', 'staleEvents', 'duplicateEvents'] as const).map((what) => ({
            at: at * 1_000,
            do: what,
          })),
        ),
      },
    ],
  ])('%s: the result is shown', async (_, change) => {
    const { violations, phases } = await runWorld({ ...calmWorld, ...change });
    expect(violations).toEqual([]);
    expect(phases.at(-1)).toBe('completed');
  });
});

type HandOver = Extract<World['incidents'][number], { do: 'handOver' }>;
const handOver = (at: number, to: HandOver['to'], by: HandOver['by'], change: Partial<HandOver> = {}): HandOver => ({
  at,
  do: 'handOver',
  to,
  by,
  where: 'page',
  submits: 'nothing',
  ...change,
});

describe('in these worlds, in which two users take turns on one computer,', () => {
  it.each<[string, Partial<World>]>([
    [
      'the machine falls asleep in the moment of a sign-in in another tab',
      {
        seed: 609098,
        jobMs: 501_000,
        latencyMs: 20,
        eventsNameJobs: false,
        habits: { lateRowMs: 5_000, saysDate: true, saysStarted: true, keepsSessions: true },
        incidents: [
          { at: 142_000, do: 'handOver', to: 'user-2', by: 'signIn', where: 'tab', submits: 'own' },
          { at: 142_000, do: 'sleep', forMs: 290_000 },
        ],
      },
    ],
    ['the first one signs out while the job runs', { incidents: [handOver(60_000, 'user-2', 'signOut')] }],
    [
      'the second one signs in over the session of the first, which stays good',
      { habits: { keepsSessions: true }, incidents: [handOver(60_000, 'user-2', 'signIn', { submits: 'own' })] },
    ],
    [
      'both give the same answers',
      {
        incidents: [handOver(60_000, 'user-2', 'signIn', { submits: 'same' }), handOver(120_000, 'user-1', 'signOut')],
      },
    ],
    [
      'the second one signs in in a new tab, and the first one comes back in the old one',
      {
        habits: { keepsSessions: true },
        incidents: [
          handOver(60_000, 'user-2', 'signIn', { where: 'tab', submits: 'own' }),
          handOver(200_000, 'user-1', 'signIn', { where: 'other-tab' }),
        ],
      },
    ],
    [
      'the page is reloaded between the two, and the cookie of the first is good',
      { habits: { keepsSessions: true }, incidents: [handOver(60_000, 'user-2', 'signOut', { where: 'reload' })] },
    ],
    [
      'neither the tokens nor the application say who they are',
      {
        habits: { names: 'none', keepsSessions: true },
        incidents: [handOver(60_000, 'user-2', 'signIn', { submits: 'own' })],
      },
    ],
    [
      'the application names them by address at every other sign-in',
      {
        habits: { names: 'sometimes', claimsUser: true },
        incidents: [handOver(60_000, 'user-2', 'signOut'), handOver(120_000, 'user-1', 'signOut')],
      },
    ],
    [
      'both storages are full when the second one signs in, and the page is reloaded',
      {
        habits: { keepsSessions: true },
        incidents: [
          { at: 50_000, do: 'fullStorage', forMs: 300_000 },
          handOver(60_000, 'user-2', 'signIn'),
          { at: 70_000, do: 'reload' },
        ],
      },
    ],
    [
      'both storages are full when the first one signs out, and the page is reloaded',
      {
        habits: { keepsSessions: true },
        incidents: [
          { at: 50_000, do: 'fullStorage', forMs: 300_000 },
          handOver(60_000, 'user-2', 'signOut', { where: 'reload' }),
        ],
      },
    ],
  ])('%s: nothing of the one reaches the other, and each is shown the own job', async (_, change) => {
    const { violations } = await runWorld({ ...calmWorld, ...change });
    expect(violations).toEqual([]);
  });
});

const front = (route: WorldRoute | 'any', answer: FrontAnswer, forMs = 0, at = 60_000) =>
  ({ at, do: 'front', route, answer, forMs }) as const;
const noSockets = { at: 0, do: 'noSockets', forMs: 900_000 } as const;
const outage = { at: 60_000, do: 'outage', forMs: 300_000 } as const;

describe('in these worlds, which broke a rule once,', () => {
  it.each<[string, Partial<World>]>([
    [
      'a status call waits for a token, and the next one follows at once',
      {
        seed: 380735,
        jobMs: 593_000,
        jobFails: true,
        latencyMs: 300,
        habits: { submitMs: 2_100 },
        incidents: [
          { at: 157_000, do: 'offline', forMs: 239_000 },
          { at: 180_000, do: 'submitAgain', where: 'tab', order: 'same' },
        ],
      },
    ],
    [
      'something answers the result with a page for seven minutes',
      { jobMs: 300_000, incidents: [front('result', 'html-200', 420_000, 290_000)] },
    ],
    [
      'no result can be read, and of tokens that live five minutes only the end is known, by a wrong clock',
      {
        seed: 19,
        jobMs: 371_000,
        latencyMs: 300,
        habits: { clockAheadMs: 3_600_000, tokens: 'exp-only' },
        incidents: [{ at: 310_000, do: 'garble', route: 'result', how: 'html', forMs: FOR_EVER_MS }],
      },
    ],
    [
      'the archive answers with rows of another user while the job is old',
      {
        jobMs: 900_000,
        tokenTtlMs: 3_600_000,
        incidents: [{ at: 590_000, do: 'foreignRows', of: 'user', forMs: 290_000 }],
      },
    ],
    [
      'the page is reloaded during a submission whose key is ignored',
      { habits: { keys: 'off', submitMs: 2_100 }, incidents: [{ at: 1_000, do: 'reload' }] },
    ],
    [
      'the same answers are submitted in a second tab during a submission whose key is stored late',
      {
        habits: { keys: 'late', submitMs: 2_100 },
        incidents: [{ at: 1_000, do: 'submitAgain', where: 'tab', order: 'same' }],
      },
    ],
    [
      'the clock is set forward while the worker tries again, and events hurry the looks',
      {
        habits: { failures: 3 },
        incidents: [
          ...[331, 333, 335].map((at) => ({ at: at * 1_000, do: 'duplicateEvents' as const })),
          { at: 332_000, do: 'jump', byMs: 3_600_000 },
        ],
      },
    ],
    [
      'the list of jobs is answered with a page after a submission that cannot be read',
      {
        incidents: [
          { at: 0, do: 'garble', route: 'submit', how: 'foreign', forMs: 0 },
          front('jobs', 'html-200', 0, 0),
        ],
      },
    ],
    [
      'submissions are limited for ten minutes, and the user wants to wait longer',
      {
        tokenTtlMs: 300_000,
        jobMs: 32_000,
        latencyMs: 300,
        loss: 0.1,
        seed: 100897,
        habits: { submitLimitMs: 600_000 },
      },
    ],
    [
      'a wrong clock hides that a token of two minutes has expired, and nothing proved it before',
      {
        seed: 999988,
        tokenTtlMs: 120_000,
        jobMs: 21_000,
        latencyMs: 100,
        habits: { clockAheadMs: -3_600_000, tokens: 'exp-only', submitLimitMs: 600_000 },
        incidents: [
          { at: 256_000, do: 'jump', byMs: 1_663_000 },
          { at: 541_000, do: 'loseSubmitAnswer' },
        ],
      },
    ],
    [
      'the user submits the same answers again while signed out and offline',
      {
        seed: 999992,
        tokenTtlMs: 3_600_000,
        jobMs: 518_000,
        latencyMs: 300,
        incidents: [
          { at: 205_000, do: 'offline', forMs: 171_000 },
          { at: 219_000, do: 'signOut' },
          { at: 268_000, do: 'submitAgain', where: 'page', order: 'reordered' },
        ],
      },
    ],
    [
      'the job of a submission that a sign-out left in flight joins the page by itself, and its result cannot be read',
      {
        jobMs: 118_000,
        latencyMs: 2_000,
        tokenTtlMs: 3_600_000,
        habits: { submitMs: 12_000 },
        incidents: [
          { at: 6_000, do: 'signOut' },
          { at: 143_000, do: 'garble', route: 'result', how: 'html', forMs: FOR_EVER_MS },
        ],
      },
    ],
    [
      'the answer to a refresh is lost a minute before the end of the job, and only a sign-in helps',
      {
        seed: 793514,
        jobMs: 206_000,
        latencyMs: 20,
        eventsNameJobs: false,
        incidents: [{ at: 9_000, do: 'loseRefreshAnswer' }],
      },
    ],
    [
      'the archive alone knows the job, and answers with the row of another user for five minutes',
      {
        seed: 922386,
        tokenTtlMs: 3_600_000,
        jobMs: 3_000,
        latencyMs: 20,
        habits: { lateRowMs: 60_000, goneRowMs: 0, submitMs: 12_000 },
        incidents: [
          { at: 60_000, do: 'sleep', forMs: 194_000 },
          { at: 245_000, do: 'foreignRows', of: 'user', forMs: 300_000 },
        ],
      },
    ],
    [
      'no result can be read, and each one takes half of the life of a token',
      {
        seed: 280896,
        tokenTtlMs: 120_000,
        jobMs: 591_000,
        latencyMs: 2_000,
        habits: { slowBodyMs: 60_000, deduplicates: true },
        incidents: [
          { at: 0, do: 'garble', route: 'submit', how: 'html', forMs: 0 },
          { at: 133_000, do: 'garble', route: 'result', how: 'nan', forMs: FOR_EVER_MS },
          { at: 368_000, do: 'serverDown', forMs: 272_000 },
          { at: 449_000, do: 'restart' },
          { at: 499_000, do: 'outage', forMs: 397_000 },
        ],
      },
    ],
    [
      'the clock is set forward, and one of two tabs learns no time of the server after it',
      {
        seed: 320115,
        jobMs: 390_000,
        jobFails: true,
        latencyMs: 300,
        loss: 0.1,
        eventsNameJobs: false,
        habits: {
          lateRowMs: 20_000,
          slowBodyMs: 60_000,
          tokens: 'exp-only',
          saysDate: true,
          failures: 2,
          submitMs: 12_000,
        },
        incidents: [
          { at: 0, do: 'garble', route: 'submit', how: 'html', forMs: 15_000 },
          { at: 2_000, do: 'submitAgain', where: 'tab', order: 'same' },
          { at: 113_000, do: 'forgetAll' },
          { at: 235_000, do: 'jump', byMs: 2_022_000 },
          { at: 366_000, do: 'offline', forMs: 221_000 },
        ],
      },
    ],
  ])('%s: every rule is kept', async (_, change) => {
    expect((await runWorld({ ...calmWorld, ...change })).violations).toEqual([]);
  });
});

describe('in these worlds, in which an answer is not the word of the API about the job,', () => {
  it.each<[string, Partial<World>, ending?: string]>([
    ['a firewall answers one status call with 403', { incidents: [noSockets, front('status', 'html-403')] }],
    ['a firewall answers one status call with 400', { incidents: [noSockets, front('status', 'html-400')] }],
    ['a firewall answers every route for a minute', { incidents: [noSockets, front('any', 'html-403', 60_000)] }],
    ['a firewall answers the submission', { incidents: [front('submit', 'html-403', 0, 0)] }],
    ['a firewall answers the refresh', { incidents: [noSockets, front('refresh', 'html-403', 0, 0)] }],
    [
      'the status route refuses once, for another reason',
      { incidents: [noSockets, front('status', 'json-403-coded')] },
    ],
    ['the status route is broken for good', { incidents: [noSockets, front('status', 'json-500', FOR_EVER_MS)] }],
    ['a proxy answers the status route for good', { incidents: [noSockets, front('status', 'html-502', FOR_EVER_MS)] }],
    ['the status row is gone', { habits: { goneRowMs: 0 }, incidents: [noSockets] }],
    ['the rows of the archive are late', { habits: { lateRowMs: 20_000 } }],
    ['a login page answers for a while', { incidents: [noSockets, front('any', 'login-elsewhere', 90_000)] }],
    [
      'a login page answers on every route until the user signs in',
      { incidents: [noSockets, front('any', 'login-elsewhere', FOR_EVER_MS)] },
    ],
    [
      'keys are ignored and not announced, and a success that cannot be read answers the submission',
      {
        habits: { keys: 'off', announcesKeys: false },
        incidents: [{ at: 0, do: 'garble', route: 'submit', how: 'foreign', forMs: 60_000 }],
      },
    ],
    [
      'keys are ignored and not announced, and the page is reloaded while the answers are sent',
      { habits: { keys: 'off', announcesKeys: false, submitMs: 2_100 }, incidents: [{ at: 1_000, do: 'reload' }] },
    ],
    [
      'the submission takes so long that its repetition meets it',
      { habits: { submitMs: 12_000 }, incidents: [{ at: 4_000, do: 'reload' }] },
    ],
    ['a login page of the same origin answers', { incidents: [noSockets, front('any', 'login-here', 90_000)] }],
    ['a proxy lives in the next month', { incidents: [noSockets, front('status', 'html-502-next-month')] }],
    [
      'a dead token is a 403 with a code',
      { habits: { deadToken: 'coded-403' }, incidents: [noSockets, { at: 60_000, do: 'endTokens' }] },
    ],
    [
      'a dead token is a 403 with a challenge',
      { habits: { deadToken: 'challenge-403' }, incidents: [noSockets, { at: 60_000, do: 'endTokens' }] },
    ],
    [
      'a revoked session is a 200 with invalid_grant',
      { habits: { sessionOver: 'grant-200' }, incidents: [noSockets, { at: 60_000, do: 'revoke' }] },
    ],
    [
      'the clock is an hour fast and tokens only name their end',
      { habits: { clockAheadMs: 3_600_000, tokens: 'exp-only' } },
    ],
    [
      'rows of another job are answered for a minute',
      { incidents: [{ at: 300_000, do: 'foreignRows', of: 'job', forMs: 60_000 }] },
    ],
    [
      'the submission is answered with a foreign success',
      {
        habits: { keys: 'off' },
        incidents: [{ at: 0, do: 'garble', route: 'submit', how: 'foreign', forMs: 60_000 }],
      },
    ],
    ['ids are numbers and words are shouted', { habits: { spelling: 'odd' } }],
    ['a result takes a minute to arrive', { habits: { slowBodyMs: 60_000 } }],
    ['one result is cut', { incidents: [{ at: 0, do: 'garble', route: 'result', how: 'cut', forMs: 0 }] }],
    [
      'no result can be read',
      { incidents: [{ at: 0, do: 'garble', route: 'result', how: 'nan', forMs: FOR_EVER_MS }] },
      'failed',
    ],
    ['the worker fails once and is tried again', { habits: { failures: 1 } }],
    ['the worker fails three times and is tried again', { habits: { failures: 3 }, eventsNameJobs: false }],
    ['the worker fails for good', { habits: { failures: 2 }, jobFails: true }, 'failed'],
    ['the result is that of an earlier job', { habits: { deduplicates: true } }],
    [
      'keys are stored late, and the answer is lost',
      {
        habits: { keys: 'late', submitMs: 2_100 },
        incidents: [{ at: 0, do: 'loseSubmitAnswer' }],
      },
    ],
    [
      'keys are ignored, and the answer is lost',
      {
        habits: { keys: 'off', submitMs: 2_100 },
        incidents: [{ at: 0, do: 'loseSubmitAnswer' }],
      },
    ],
    [
      'the first submission is still in progress',
      {
        habits: { submitMs: 40_000 },
      },
    ],
    ['submissions are limited for an hour', { habits: { submitLimitMs: 3_588_000 }, tokenTtlMs: 3_600_000 }],
    ['the API refuses the submission', { habits: { refusal: 'validation-422' } }, 'failed'],
    ['an outage takes the refresh down', { habits: { outageTakesRefresh: true }, incidents: [noSockets, outage] }],
    [
      'the answers are submitted again',
      { incidents: [{ at: 60_000, do: 'submitAgain', where: 'page', order: 'reordered' }] },
    ],
    [
      'the answers are submitted again after a reload',
      { incidents: [{ at: 60_000, do: 'submitAgain', where: 'reload', order: 'same' }] },
    ],
    [
      'the answers are submitted again in a second tab',
      { incidents: [{ at: 60_000, do: 'submitAgain', where: 'tab', order: 'same' }] },
    ],
  ])('%s: the user is shown what the server did', async (_, change, ending = 'completed') => {
    const { violations, phases } = await runWorld({ ...calmWorld, ...change });
    expect(violations).toEqual([]);
    expect(phases.at(-1)).toBe(ending);
  });

  it('tells the user when every route has forgotten the job', async () => {
    const incidents = [{ at: 60_000, do: 'forgetAll' }] as const;
    expect((await runWorld({ ...calmWorld, incidents })).violations).toEqual([]);
  });
});
