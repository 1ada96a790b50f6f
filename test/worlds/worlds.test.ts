import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyWorld } from '../../src/testing/worlds/any-world.ts';
import { runWorld } from '../../src/testing/worlds/run-world.ts';
import { calmWorld, tellStory, type World } from '../../src/testing/worlds/world.ts';

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
      'another page was told that the session is over, while this one slept',
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
