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
import { eventsFor } from './possible-events.ts';

const started: AssessmentInput = { submissionId: ids.submission, deadlineAt: deadlines.first };

/** How an assessment can begin. */
export const modelInputs = {
  'a fresh assessment': { ...started, userId: ids.user },
  'a fresh assessment of nobody known': started,
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

/** One step of the model: what happened, and what the chart made of it. */
export interface Edge {
  readonly event: ModelEvent;
  readonly before: AssessmentSnapshot;
  readonly after: AssessmentSnapshot;
  /** Key of the vertex that it starts from, and of the one that it leads to. */
  readonly from: string;
  readonly to: string;
}

export interface Vertex {
  readonly key: string;
  readonly snapshot: AssessmentSnapshot;
  readonly edges: readonly Edge[];
}

/** Everything that can be reached. */
export interface ModelMap {
  readonly machine: AssessmentMachine;
  readonly starts: readonly { readonly name: string; readonly input: AssessmentInput; readonly key: string }[];
  readonly vertices: ReadonlyMap<string, Vertex>;
}

export interface ExploreOptions {
  /** How assessments begin. Default {@link modelInputs}. */
  inputs?: Readonly<Record<string, AssessmentInput>>;
  /** What can happen in a state. Default {@link eventsFor}. */
  events?: (snapshot: AssessmentSnapshot) => readonly ModelEvent[];
  /** What makes two states one. Default {@link stateKey}. */
  keyOf?: (snapshot: AssessmentSnapshot) => string;
  /** Steps after which the exploration gives up: a counter without a cap would never end. Default 250 000. */
  limit?: number;
}

/**
 * Tells states apart by all that a guard can read. What no guard reads (progress, problem, waits) is not in it: the two
 * snapshots with the same key have the same future.
 */
export function stateKey(snapshot: AssessmentSnapshot): string {
  const known = keys.get(snapshot) ?? computeKey(snapshot);
  keys.set(snapshot, known);
  return known;
}

const keys = new WeakMap<AssessmentSnapshot, string>();

function computeKey({ status, value, context }: AssessmentSnapshot): string {
  const { jobId, resultId, userId, refreshDue, refusedGeneration, feedLive, finished, overdue, timedOut } = context;
  const { outcomeUnknown, unhurried, failures } = context;
  // Whether repeats are recognised matters to submissions only.
  const idempotent = context.idempotent || jobId !== null;
  // A refusal matters as long as nothing is done about it.
  const inDoubt = refusedGeneration !== null && !refreshDue && !finished;
  const facts = { idempotent, refreshDue, inDoubt, feedLive, finished, overdue, timedOut, outcomeUnknown, unhurried };
  const known = Object.entries(facts).flatMap(([fact, holds]) => (holds ? [fact] : []));
  return [status, nameOf(value), jobId ?? '-', resultId ?? '-', userId ?? '-', ...known, failures].join(' ');
}

/** `{ active: { polling: 'waiting' } }` as `active.polling.waiting`. */
export function nameOf(value: AssessmentSnapshot['value'] | object): string {
  if (typeof value !== 'object') return value;
  return Object.entries(value as object)
    .map(([key, inner]) => `${key}.${nameOf(inner as object)}`)
    .join('|');
}

/**
 * Every state and every edge that can be reached from the inputs, each state once.
 *
 * @throws Error `Traversal limit exceeded` when there is no end to it
 * @example
 * const { vertices } = explore(assessmentMachine);
 */
export function explore(
  machine: AssessmentMachine,
  { inputs = modelInputs, events = eventsFor, keyOf = stateKey, limit = 250_000 }: ExploreOptions = {},
): ModelMap {
  const vertices = new Map<string, Vertex>();
  // The events of the model are those of the machine and those that its actors and timers send to it.
  const logic = machine as unknown as ActorLogic<AssessmentSnapshot, ModelEvent, AssessmentInput>;
  const starts = Object.entries(inputs).map(([name, input]) => {
    const model = new TestModel(logic, {
      input,
      events,
      limit,
      serializeState: (snapshot) => keyOf(snapshot),
      serializeEvent: eventKey,
      // What an earlier input led to leads on as it did then.
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
