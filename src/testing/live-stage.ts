import { type AnyTransitionDefinition, createActor } from 'xstate';
import type { AssessmentEvent } from '../machines/assessment-events.ts';
import type { AssessmentEmitted, AssessmentInput } from '../machines/assessment-setup.ts';
import { type DeclaredTransition, declaredTransitions } from './declared-transitions.ts';
import { fakeActors, type FakePorts } from './fake-ports.ts';
import { manualClock } from './manual-clock.ts';
import { type AssessmentMachine, type AssessmentSnapshot, type ModelEvent, portIds, portOf } from './alphabet.ts';

/** A running assessment, with fakes behind its ports and a clock that obeys. */
export interface LiveAssessment {
  readonly ports: FakePorts;
  /** Everything that the machine told the world. */
  readonly emitted: readonly AssessmentEmitted[];
  snapshot(): AssessmentSnapshot;
  /** Lets this happen the way it happens in life: a call is answered, a timer goes off, a port speaks, the user acts. */
  take(event: ModelEvent): Promise<void>;
  /** The delays whose timers are set. */
  timers(): string[];
  /** How often the timer of this delay was set. */
  timesSet(delay: string): number;
  /** Answers every call that was broken off, late as it is, and stops the actor. */
  stop(): Promise<void>;
}

export interface LiveStage {
  /** The machine that runs: the given one, with fakes behind its ports. */
  readonly machine: AssessmentMachine;
  begin(input: AssessmentInput): LiveAssessment;
  /** The transitions of the chart that no assessment on this stage has taken yet. */
  untaken(): DeclaredTransition[];
}

/**
 * Runs assessments on live actors, through the real ports of the chart.
 *
 * @param machine any `assessmentMachine.provide(...)`; its actors and delays are replaced
 * @example
 * const assessment = liveStage(assessmentMachine).begin({ submissionId: 'a', deadlineAt: 0 });
 * await assessment.take({ type: 'assessment.submit' });
 * await assessment.take(answered('submitAssessment', { type: 'unauthorized', generation: 1 }));
 * assessment.ports.open; // one call to refreshToken
 */
export function liveStage(machine: AssessmentMachine): LiveStage {
  const { actors, portsOf } = fakeActors();
  const names = Object.keys(machine.implementations.delays);
  // Each delay a number of its own, so that the clock can tell their timers apart.
  const delays = Object.fromEntries(names.map((name, index) => [name, index + 1]));
  const live = machine.provide({ actors, delays } as unknown as Parameters<
    AssessmentMachine['provide']
  >[0]) as AssessmentMachine;
  const taken = new Set<AnyTransitionDefinition>();

  const begin = (input: AssessmentInput): LiveAssessment => {
    const clock = manualClock();
    const emitted: AssessmentEmitted[] = [];
    const actor = createActor(live, {
      input,
      clock,
      inspect: (inspected) => {
        if (inspected.type !== '@xstate.microstep' || inspected.actorRef !== actor) return;
        const { _transitions: transitions } = inspected;
        for (const it of transitions) taken.add(it);
      },
    });
    actor.on('*', (event) => void emitted.push(event));
    // An error is looked for in the snapshot; unheard, it would be thrown at the test runner.
    actor.subscribe({ error: () => {} });
    actor.start();
    const ports = portsOf(actor.system);
    const timers = () => clock.armed.map((ms) => names[ms - 1] ?? `${ms} ms`);
    const fire = (delay = ''): void => {
      if (!timers().includes(delay)) throw new Error(`no timer "${delay}" is set; there is: ${timers().join(', ')}`);
      clock.fire(names.indexOf(delay) + 1);
    };

    return {
      ports,
      emitted,
      snapshot: () => actor.getSnapshot(),
      timers,
      timesSet: (delay) => clock.timesSet(names.indexOf(delay) + 1),
      async take(event) {
        const port = portOf(event);
        if ('actorId' in event) await settle(ports, event);
        else if (event.type === 'deadline.passed') fire('untilDeadline');
        else if (event.type.startsWith('xstate.after.')) fire(event.type.split('.')[2]);
        else if (port) ports.say(port, event);
        else actor.send(event as AssessmentEvent);
      },
      async stop() {
        for (const call of ports.calls) if (call.state === 'broken-off') call.answer({ type: 'too late' });
        await promisesRun();
        actor.stop();
      },
    };
  };

  return {
    machine: live,
    begin,
    untaken: () => declaredTransitions(live).filter(({ definition }) => !taken.has(definition)),
  };
}

/** Answers a call, or ends a port. */
async function settle(ports: FakePorts, event: Extract<ModelEvent, { actorId: string }>): Promise<void> {
  const error = 'error' in event ? event.error : undefined;
  const port = portIds.find((id) => id === event.actorId);
  if (port) return ports.end(port, error);
  const call = ports.open.find(({ name }) => name === event.actorId);
  if (!call) throw new Error(`no call to ${event.actorId} waits for an answer`);
  if (error) call.fail(error);
  else call.answer('output' in event ? event.output : undefined);
  await promisesRun();
}

/** A settled promise reaches its actor within a few turns. */
async function promisesRun(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
}
