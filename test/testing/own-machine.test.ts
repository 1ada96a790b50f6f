import { assessmentMachine } from 'assessment-monitor';
import { explore, liveStage, modelInputs, pathsOver, walk } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';

/* The second example of docs/testing.md: a machine with guards and actions of your own, walked. */

/** An application that never gives up: a deadline that has passed does not pause an assessment whose calls fail. */
const stubbornMachine = assessmentMachine.provide({
  guards: { isGivingUp: () => false },
});

describe('a machine of your own', () => {
  it('is walked, and what it can never do any more is named', async () => {
    // One way to begin is enough for a look; without `inputs` all of them are walked.
    const map = explore(stubbornMachine, { inputs: { 'a resumed job': modelInputs['a resumed job'] } });
    const stage = liveStage(stubbornMachine);
    for (const path of pathsOver(map)) await walk(stage, path);
    const dead = stage.untaken().filter(({ guard }) => guard === 'isGivingUp');
    expect(dead.map(({ from }) => from)).toContain('active.polling.checking');
  }, 300_000);
});
