import { assessmentMachine } from 'assessment-monitor';
import { explore, liveStage, modelInputs, pathsOver, walk } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';

/* The second example of docs/testing.md: a machine with guards and actions of your own, walked. */

/** An application that never gives up: a deadline that has passed does not pause an assessment whose calls fail. */
const stubbornMachine = assessmentMachine.provide({
  guards: { isGivingUp: () => false },
});

/** Where the walk never takes a transition that `isGivingUp` guards. */
async function untakenOf(machine: typeof assessmentMachine): Promise<string[]> {
  // One way to begin and one path for each state are enough for a look; without these options all of them are walked.
  const map = explore(machine, { inputs: { 'a resumed job': modelInputs['a resumed job'] } });
  const stage = liveStage(machine);
  for (const path of pathsOver(map, { classOf: ({ value }) => JSON.stringify(value) })) await walk(stage, path);
  return stage.untaken().flatMap(({ guard, from }) => (guard === 'isGivingUp' ? [from] : []));
}

describe('a machine of your own', () => {
  it('is walked, and what it can never do any more is named', async () => {
    expect(await untakenOf(stubbornMachine)).toContain('active.polling.checking');
    expect(await untakenOf(assessmentMachine)).not.toContain('active.polling.checking');
  }, 120_000);
});
