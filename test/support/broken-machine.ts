import type { AssessmentMachine } from 'assessment-monitor/testing';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';
import { assessmentSetup } from '../../src/machines/assessment-setup.ts';

type Transition = { target?: string; guard?: unknown; actions?: unknown; reenter?: boolean };
type Transitions = Record<string, Transition | Transition[]>;

/** The parts of a state's configuration that tests break. */
interface StateConfig {
  on: Transitions;
  after: Transitions;
  always: Transition[];
  invoke: { onDone: Transition[]; onError?: Transition[] };
  states: Record<string, StateConfig>;
}

/**
 * The chart with a mistake in it. The chart itself stays as it is.
 *
 * @example
 * breakMachine((state) => delete state('active.polling.waiting').after.pollDelay);
 */
export function breakMachine(spoil: (state: (name: string) => StateConfig) => void): AssessmentMachine {
  const config = copyOf(assessmentMachine.config);
  spoil((name) =>
    name.split('.').reduce(
      (inner, key) => {
        const found = inner.states[key];
        if (!found) throw new Error(`the chart has no state ${name}`);
        return found;
      },
      config as unknown as StateConfig,
    ),
  );
  return assessmentSetup.createMachine(config as never) as unknown as AssessmentMachine;
}

/** Objects and lists are copied, functions are shared. */
function copyOf<T>(it: T): T {
  if (Array.isArray(it)) return it.map(copyOf) as T;
  if (typeof it !== 'object' || it === null) return it;
  return Object.fromEntries(Object.entries(it).map(([key, value]) => [key, copyOf(value)])) as T;
}
