import { type AnyActorScope, createEmptyActor } from 'xstate';
import type { AssessmentEvent } from '../machines/assessment-setup.ts';
import { nameOf } from './explore.ts';
import type { LiveAssessment, LiveStage } from './live-stage.ts';
import { type AssessmentSnapshot, endsPort, eventKey, portIds } from './alphabet.ts';
import type { Path } from './paths.ts';
import { callsIn, delaysIn } from './possible-events.ts';

/**
 * Walks a path on a live actor. After every step, what has happened is compared with what the chart says of it as a pure
 * function, and with what has to be open in that state: calls, subscriptions, timers. In the end nothing may be open.
 *
 * @throws Error that names the first difference, and the steps up to it
 * @example
 * const stage = liveStage(assessmentMachine);
 * for (const path of pathsOver(explore(assessmentMachine))) await walk(stage, path);
 */
export async function walk(stage: LiveStage, { start, input, events }: Path): Promise<void> {
  const assessment = stage.begin(input);
  const steps: string[] = [];
  const endedPorts = new Set<string>();
  let expected = stage.machine.getInitialSnapshot(nowhere, input) as AssessmentSnapshot;
  let hasBegun = false;

  const compare = (what: string, is: unknown, should: unknown): void => {
    const [actual, wanted] = [JSON.stringify(is), JSON.stringify(should)];
    if (actual === wanted) return;
    const way = steps.map((step) => `\n    ${step}`).join('');
    throw new Error(`${what}: is ${actual}, should be ${wanted}\n  on the way of ${start}:${way}`);
  };

  for (const event of events) {
    steps.push(`${nameOf(expected.value)} <- ${eventKey(event)}`);
    const armings = assessment.timesSet('untilDeadline');
    expected = stage.machine.transition(expected, event as AssessmentEvent, nowhere) as AssessmentSnapshot;
    await assessment.take(event);

    hasBegun ||= isActive(expected);
    if (endsPort(event) && 'actorId' in event) endedPorts.add(event.actorId);
    const actual = assessment.snapshot();
    compare('the state', nameOf(actual.value), nameOf(expected.value));
    compare('the status', actual.status, expected.status);
    compare('whether it broke', actual.status === 'error' && String(actual.error), false);
    compare('the context', actual.context, expected.context);
    compare('the output', actual.output, expected.output);
    compare('the open calls', namesOf(assessment.ports.open), callsIn(expected));
    compare('the timers', assessment.timers().toSorted(), timersIn(expected));
    compare(
      'the ports that are listened to',
      assessment.ports.subscriptions.toSorted(),
      isActive(expected) ? portIds.filter((id) => !endedPorts.has(id)).toSorted() : [],
    );
    // The feed outlives the states: nobody closes it to open it again.
    compare(
      'the ports that were ever listened to',
      assessment.ports.everSubscribed.toSorted(),
      hasBegun ? portIds.toSorted() : [],
    );
    // A sleep or a jump of the clock has made the old timer wrong.
    if (event.type === 'page.resumed' && isTimed(expected)) {
      compare('whether the deadline was set anew', assessment.timesSet('untilDeadline') > armings, true);
    }
    compare('how often it was settled', settlements(assessment), expected.status === 'done' ? 1 : 0);
  }

  await assessment.stop();
  compare('what a late answer has changed', assessment.snapshot().context, expected.context);
  compare('the calls that are left', namesOf(assessment.ports.open), []);
  compare('the timers that are left', assessment.timers(), []);
  compare('the subscriptions that are left', assessment.ports.subscriptions, []);
}

const self = createEmptyActor();
/** Where the chart is asked what it would do, and nothing is done. */
const nowhere: AnyActorScope = {
  self,
  system: self.system,
  id: '',
  sessionId: '',
  logger: () => {},
  defer: () => {},
  emit: () => {},
  stopChild: () => {},
  actionExecutor: () => {},
};

const isActive = (snapshot: AssessmentSnapshot) => snapshot.status === 'active' && !snapshot.matches('idle');
/** Whether the timer of the deadline runs: until it has gone off. */
const isTimed = (snapshot: AssessmentSnapshot) => isActive(snapshot) && !snapshot.context.overdue;

const namesOf = (calls: readonly { name: string }[]): string[] => calls.map(({ name }) => name);

const timersIn = (snapshot: AssessmentSnapshot): string[] =>
  [...delaysIn(snapshot), ...(isTimed(snapshot) ? ['untilDeadline'] : [])].toSorted();

const settlements = ({ emitted }: LiveAssessment): number =>
  emitted.filter(({ type }) => type === 'assessment.settled').length;
