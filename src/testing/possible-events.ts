import { getNextTransitions } from 'xstate';
import {
  answers,
  type AssessmentSnapshot,
  ids,
  type ModelEvent,
  portEnds,
  userEvents,
  worldEvents,
} from './alphabet.ts';

/**
 * Everything that can happen next, whether the chart listens to it or not: what it ignores has to change nothing.
 *
 * @example
 * explore(assessmentMachine, { events: eventsFor });
 */
export function eventsFor(snapshot: AssessmentSnapshot): readonly ModelEvent[] {
  if (snapshot.status !== 'active') return [];
  // Nothing is invoked and no timer runs: only the user can be heard.
  if (snapshot.matches('idle')) return userEvents;
  const { overdue, userId } = snapshot.context;
  return [
    ...callsIn(snapshot).flatMap((call) => answers[call] ?? []),
    ...timersOf(snapshot),
    ...userEvents,
    ...worldEvents.filter(
      (event) =>
        // The timer runs until the deadline has passed, and once.
        (event.type !== 'deadline.passed' || !overdue) &&
        // The first user that is seen is the user: a first user of another name is the same story twice.
        (userId !== null || !('userId' in event) || event.userId !== ids.otherUser),
    ),
    ...portEnds,
  ];
}

/** The types of all events that have a transition in this state, whatever its guard says. */
function heardIn(snapshot: AssessmentSnapshot): readonly string[] {
  const states = heard.get(snapshot.machine) ?? new Map<string, readonly string[]>();
  heard.set(snapshot.machine, states);
  const state = JSON.stringify(snapshot.value);
  const known = states.get(state) ?? [
    ...new Set<string>(getNextTransitions(snapshot).map(({ eventType }) => eventType)),
  ];
  states.set(state, known);
  return known;
}

/** Worked out once for each state of a chart: models ask for it a hundred thousand times. */
const heard = new WeakMap<object, Map<string, readonly string[]>>();

/** The calls that are in the air in this state. */
export const callsIn = (snapshot: AssessmentSnapshot): string[] =>
  heardIn(snapshot)
    .flatMap((type) => (type.startsWith('xstate.done.actor.') ? [type.slice('xstate.done.actor.'.length)] : []))
    .filter((id) => id in answers);

const timersOf = (snapshot: AssessmentSnapshot): ModelEvent[] =>
  heardIn(snapshot).flatMap((type) => (type.startsWith('xstate.after.') ? [{ type } as ModelEvent] : []));

/** The delays that run in this state, but for that of the deadline. */
export const delaysIn = (snapshot: AssessmentSnapshot): string[] =>
  timersOf(snapshot).map(({ type }) => type.split('.')[2] ?? '');
