import { type AnyActorScope, createEmptyActor } from 'xstate';
import type { AssessmentEvent } from '../machines/assessment-events.ts';
import { type AssessmentSnapshot, endsPort, eventKey, portIds } from './alphabet.ts';
import { nameOf } from './explore.ts';
import type { LiveAssessment, LiveStage } from './live-stage.ts';
import type { Path } from './paths.ts';
import { callsIn, delaysIn } from './possible-events.ts';

/**
 * Walks a path on a live actor. After every step, what has happened is compared with what the chart says of it as a pure
 * function, and with what has to be open in that state: calls, subscriptions, timers. In the end nothing may be open.
 *
 * @throws Error that names every difference, and the steps up to it
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

  const compare = (is: Facts, should: Facts): void => {
    if (JSON.stringify(is) === JSON.stringify(should)) return;
    const differences = Object.keys(should)
      .map((what) => [what, JSON.stringify(is[what]), JSON.stringify(should[what])] as const)
      .flatMap(([what, actual, wanted]) => (actual === wanted ? [] : [`${what}: is ${actual}, should be ${wanted}`]));
    const way = steps.map((step) => `\n    ${step}`).join('');
    throw new Error(`${differences.join('\n')}\n  on the way of ${start}:${way}`);
  };

  for (const event of events) {
    steps.push(`${nameOf(expected.value)} <- ${eventKey(event)}`);
    const armings = assessment.timesSet('untilDeadline');
    expected = stage.machine.transition(expected, event as AssessmentEvent, nowhere) as AssessmentSnapshot;
    await assessment.take(event);

    hasBegun ||= isActive(expected);
    if (endsPort(event) && 'actorId' in event) endedPorts.add(event.actorId);
    // A sleep or a jump of the clock has made the old timer wrong.
    const isDeadlineStale = event.type === 'page.resumed' && isTimed(expected);
    compare(
      {
        ...factsOf(assessment.snapshot()),
        ...openAt(assessment),
        'the ports that were ever listened to': assessment.ports.everSubscribed.toSorted(),
        'whether the deadline was set again': !isDeadlineStale || assessment.timesSet('untilDeadline') > armings,
        'how often it was settled': settlements(assessment),
      },
      {
        ...factsOf(expected),
        'what broke it': 'nothing',
        'the open calls': callsIn(expected),
        'the timers': timersIn(expected),
        'the subscriptions': isActive(expected) ? portIds.filter((id) => !endedPorts.has(id)).toSorted() : [],
        // The feed outlives the states: no state closes it to open it again.
        'the ports that were ever listened to': hasBegun ? portIds.toSorted() : [],
        'whether the deadline was set again': true,
        'how often it was settled': expected.status === 'done' ? 1 : 0,
      },
    );
  }

  await assessment.stop();
  steps.push('a late answer to every call that was broken off, and the end');
  compare(
    { 'the context': assessment.snapshot().context, ...openAt(assessment) },
    { 'the context': expected.context, 'the open calls': [], 'the timers': [], 'the subscriptions': [] },
  );
}

type Facts = Readonly<Record<string, unknown>>;

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

const factsOf = ({ value, status, error, context, output }: AssessmentSnapshot): Facts => ({
  'the state': nameOf(value),
  'the status': status,
  'what broke it': error === undefined ? 'nothing' : String(error),
  'the context': context,
  'the output': output,
});

const openAt = ({ ports, timers }: LiveAssessment): Facts => ({
  'the open calls': ports.open.map(({ name }) => name),
  'the timers': timers().toSorted(),
  'the subscriptions': ports.subscriptions.toSorted(),
});

const timersIn = (snapshot: AssessmentSnapshot): string[] =>
  [...delaysIn(snapshot), ...(isTimed(snapshot) ? ['untilDeadline'] : [])].toSorted();

const settlements = ({ emitted }: LiveAssessment): number =>
  emitted.filter(({ type }) => type === 'assessment.settled').length;
