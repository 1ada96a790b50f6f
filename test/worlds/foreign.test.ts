import fc from 'fast-check';
import type { createAssessmentClient } from 'assessment-monitor';
import { describe, expect, it } from 'vitest';
// Loaded here, so that the client's own import takes no real time.
import '../../src/client/own-ports.ts';
import { anyWorld } from '../../src/testing/worlds/any-world.ts';
import { runWorld } from '../../src/testing/worlds/run-world.ts';
import { calmWorld, tellStory, type World } from '../../src/testing/worlds/world.ts';
import { foreignClient } from '../support/foreign-contract.ts';

/* The same worlds and the same judge over ports of an application. FOREIGN_WORLDS says how many, SEED which. */

const numRuns = Number(process.env.FOREIGN_WORLDS ?? 15);
const seed = Number(process.env.SEED ?? 20_261_126);
/** With the rule that the implementer of an API keeps: one key makes one job. */
const play = (world: World) =>
  runWorld(
    { ...world, habits: { ...world.habits, keys: 'on' } },
    foreignClient as unknown as typeof createAssessmentClient,
  );

describe('over a foreign contract', () => {
  it.each<[string, Partial<World>]>([
    ['the job outlives the token', { jobMs: 360_000 }],
    ['the answer to the submission is lost', { incidents: [{ at: 0, do: 'loseSubmitAnswer' }] }],
    [
      'the token ends during a poll',
      {
        incidents: [
          { at: 0, do: 'noSockets', forMs: 900_000 },
          { at: 100_000, do: 'endTokens' },
        ],
      },
    ],
    ['the session is revoked and the user signs in again', { incidents: [{ at: 100_000, do: 'revoke' }] }],
    ['the page is reloaded', { incidents: [{ at: 60_000, do: 'reload' }] }],
    ['the laptop sleeps past the expiry', { incidents: [{ at: 60_000, do: 'sleep', forMs: 600_000 }] }],
  ])('%s: the result is shown', { timeout: 60_000 }, async (_, change) => {
    const { violations, phases } = await play({ ...calmWorld, ...change });
    expect(violations).toEqual([]);
    expect(phases.at(-1)).toBe('completed');
  });

  it(`the promise and the invariants hold (${numRuns} worlds, seed ${seed})`, { timeout: 30 * 60_000 }, async () => {
    const property = fc.asyncProperty(anyWorld(fc), async (world) => {
      const { violations, phases } = await play(world);
      if (violations.length > 0)
        throw new Error(
          `${violations.join('\n')}\n${tellStory(world)}\n${phases.join(' > ')}\n${JSON.stringify(world)}`,
        );
    });
    await fc.assert(property, { numRuns, seed });
  });
});
