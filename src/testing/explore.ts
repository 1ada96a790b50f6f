import type { ActorLogic } from 'xstate';
import { type AdjacencyValue, TestModel } from 'xstate/graph';
import type { AssessmentInput } from '../machines/assessment-setup.ts';
import {
  type AssessmentMachine,
  type AssessmentSnapshot,
  deadlines,
  eventKey,
  ids,
  type ModelEvent,
} from './alphabet.ts';
import { keyOfContext } from './facts.ts';
import { eventsFor } from './possible-events.ts';

const started: AssessmentInput = { submissionId: ids.submission, deadlineAt: deadlines.first };

/** How an assessment can begin. */
export const modelInputs = {
  'a fresh assessment': { ...started, userId: ids.user },
  'a fresh assessment of an unknown user': started,
  'a fresh assessment without a usable token': { ...started, userId: ids.user, refreshDue: true },
  'a fresh assessment on a server that does not recognise repeats': {
    ...started,
    userId: ids.user,
    idempotent: false,
  },
  'a resumed job': { ...started, userId: ids.user, jobId: ids.job },
  'a resumed job with a result id and no usable token': {
    ...started,
    userId: ids.user,
    jobId: ids.job,
    resultId: ids.result,
    refreshDue: true,
  },
  'a resumed submission of unknown outcome': {
    ...started,
    userId: ids.user,
    idempotent: false,
    outcomeUnknown: true,
  },
} as const satisfies Record<string, AssessmentInput>;

/** One step of the model: an event, and the snapshots before and after it. */
export interface Edge {
  readonly event: ModelEvent;
  readonly before: AssessmentSnapshot;
  readonly after: AssessmentSnapshot;
  /** Keys of the vertices that it connects. */
  readonly from: string;
  readonly to: string;
}

export interface Vertex {
  readonly key: string;
  readonly snapshot: AssessmentSnapshot;
  readonly edges: readonly Edge[];
}

/** Everything that is reachable. */
export interface ModelMap {
  readonly machine: AssessmentMachine;
  readonly starts: readonly { readonly name: string; readonly input: AssessmentInput; readonly key: string }[];
  readonly vertices: ReadonlyMap<string, Vertex>;
}

export interface ExploreOptions {
  /** How assessments begin. @default {@link modelInputs} */
  inputs?: Readonly<Record<string, AssessmentInput>>;
  /** The events that are possible in a state. @default {@link eventsFor} */
  events?: (snapshot: AssessmentSnapshot) => readonly ModelEvent[];
  /** Two states with the same key count as one. @default {@link stateKey} */
  keyOf?: (snapshot: AssessmentSnapshot) => string;
  /** The exploration gives up after this many steps: a counter without a cap would never end. @default 1_000_000 */
  limit?: number;
  /** The exploration ends at the first step for which this holds: one is enough to show that it can happen. @default never */
  until?: (step: Edge) => boolean;
}

/**
 * Tells states apart by everything that a guard can read: two snapshots with the same key have the same future. Progress,
 * most problems and waits are not part of it, because no guard reads them; nor are the facts of an ending, because it has no future.
 */
export function stateKey(snapshot: AssessmentSnapshot): string {
  const known = keys.get(snapshot) ?? computeKey(snapshot);
  keys.set(snapshot, known);
  return known;
}

const keys = new WeakMap<AssessmentSnapshot, string>();

/** What a sign-in resets has no future while the assessment waits for it. */
const resetBySignIn = { refreshDue: false, refusedGeneration: null, timedOut: false, failures: 0, problem: null };

function computeKey({ status, value, context: known }: AssessmentSnapshot): string {
  const context = nameOf(value) === 'active.auth-failed' ? { ...known, ...resetBySignIn } : known;
  return status === 'active' ? `${nameOf(value)} ${keyOfContext(context)}` : `${status} ${nameOf(value)}`;
}

/** `{ active: { polling: 'waiting' } }` as `active.polling.waiting`. */
export function nameOf(value: AssessmentSnapshot['value'] | object): string {
  if (typeof value !== 'object') return value;
  return Object.entries(value as object)
    .map(([key, inner]) => `${key}.${nameOf(inner as object)}`)
    .join('|');
}

/**
 * Every state and every edge that is reachable from the inputs, each state once.
 *
 * @throws Error `Traversal limit exceeded` when the exploration does not end within the limit
 * @example
 * const { vertices } = explore(assessmentMachine);
 */
export function explore(
  machine: AssessmentMachine,
  { inputs = modelInputs, events = eventsFor, keyOf = stateKey, limit = 1_000_000, until }: ExploreOptions = {},
): ModelMap {
  const vertices = new Map<string, Vertex>();
  let isOver = false;
  // The events of the model are those of the machine and those that its actors and timers send to it.
  const logic = machine as unknown as ActorLogic<AssessmentSnapshot, ModelEvent, AssessmentInput>;
  const starts = Object.entries(inputs).map(([name, input]) => {
    const model = new TestModel(logic, {
      input,
      events: (snapshot) => (isOver ? [] : events(snapshot)),
      limit,
      serializeState(after, event, before) {
        const to = keyOf(after);
        if (until && event && before) isOver ||= until({ event, before, after, from: keyOf(before), to });
        return to;
      },
      serializeEvent: eventKey,
      // The states that an earlier input has led to are explored already.
      stopWhen: (snapshot) => vertices.has(keyOf(snapshot)),
    });
    const found = Object.entries(model.getAdjacencyMap()) as [string, AdjacencyValue<AssessmentSnapshot, ModelEvent>][];
    for (const [key, { state: before, transitions }] of found) {
      if (vertices.has(key)) continue;
      const steps = Object.values(transitions) as { event: ModelEvent; state: AssessmentSnapshot }[];
      const edges = steps.map(({ event, state: after }) => ({ event, before, after, from: key, to: keyOf(after) }));
      vertices.set(key, { key, snapshot: before, edges });
    }
    return { name, input, key: found[0]?.[0] ?? '' };
  });
  return { machine, starts, vertices };
}
