import type { InspectedEvent } from 'assessment-monitor/inspect';
import { foldState } from '../chart/graph.ts';
import { shortEvent } from 'assessment-monitor/testing';

/** The last step of a machine, by the names of the boxes of its chart, and the event that took it. */
export interface Step {
  from: string;
  to: string;
  event: string;
}

/** A machine that is inspected, as it stands. */
export interface Machine {
  id: string;
  /** The actor at the top of its system; itself, if no actor invoked it. */
  rootId: string;
  name: string;
  /** Whether it is our chart, which we can draw, under whatever name it runs. */
  isAssessment: boolean;
  state: string;
  step: Step | undefined;
}

/** An actor that began, or an event that one got. */
export interface Told {
  key: number;
  rootId: string;
  /** ms since the epoch */
  at: number;
  who: string;
  what: string;
}

export interface Observed {
  /** In the order of their beginning. */
  machines: readonly Machine[];
  /** The latest last. */
  told: readonly Told[];
}

const MOST_MACHINES = 20;
const MOST_TOLD = 300;
const MOST_NAMES = 2_000;
/** Characters of a state that are shown. */
const LONGEST_STATE = 200;

/** Watches what the inspector says and keeps what there is to show of it: the latest, however long it runs. */
export function createObserver() {
  const names = new Map<string, string>();
  const listeners = new Set<() => void>();
  let observed: Observed = { machines: [], told: [] };
  let count = 0;

  const machinesAfter = (event: InspectedEvent): readonly Machine[] => {
    const { machines } = observed;
    if (event.type === '@xstate.actor') {
      const { name, sessionId: id, rootId = id, definition = '{}', snapshot } = event;
      const { id: chart, states } = JSON.parse(definition) as { id?: string; states?: Record<string, unknown> };
      if (!states) return machines;
      const isAssessment = chart === 'assessment' && 'active' in states;
      const state = stateOf(snapshot, isAssessment);
      const others = machines.filter((it) => it.id !== id);
      return [...others, { id, rootId, name, isAssessment, state, step: undefined }].slice(-MOST_MACHINES);
    }
    if (event.type !== '@xstate.snapshot') return machines;
    const machine = machines.find(({ id }) => id === event.sessionId);
    const state = machine ? stateOf(event.snapshot, machine.isAssessment) : '';
    if (!machine || state === '' || state === machine.state) return machines;
    const step = { from: machine.state, to: state, event: shortEvent(event.event.type) };
    return machines.map((it) => (it === machine ? { ...machine, state, step } : it));
  };

  const toldAfter = (event: InspectedEvent): readonly Told[] => {
    // Its start is in the list already.
    if (event.type === '@xstate.snapshot' || ('event' in event && event.event.type === 'xstate.init'))
      return observed.told;
    const { sessionId, rootId = sessionId, createdAt } = event;
    if (event.type === '@xstate.actor') {
      names.set(sessionId, event.name);
      const [oldest] = names.keys();
      if (names.size > MOST_NAMES && oldest !== undefined) names.delete(oldest);
    }
    const who = names.get(sessionId) ?? sessionId;
    const what = event.type === '@xstate.actor' ? 'began' : shortEvent(event.event.type);
    // Not every inspector says when.
    const at = Number(createdAt) || Date.now();
    return [...observed.told, { key: (count += 1), rootId, at, who, what }].slice(-MOST_TOLD);
  };

  return {
    hear(event: InspectedEvent): void {
      const next = { machines: machinesAfter(event), told: toldAfter(event) };
      if (next.machines === observed.machines && next.told === observed.told) return;
      observed = next;
      for (const listener of listeners) listener();
    },
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    getSnapshot: () => observed,
  };
}

export type Observer = ReturnType<typeof createObserver>;

function stateOf(snapshot: unknown, isAssessment: boolean): string {
  const name = nameOf((snapshot as { value?: unknown }).value).slice(0, LONGEST_STATE);
  return isAssessment ? foldState(name) : name;
}

/** `{ active: { polling: 'waiting' } }` as `active.polling.waiting`; regions side by side are joined by `|`. */
function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return Object.entries(value ?? {})
    .map(([name, inner]) => [name, nameOf(inner)].filter(Boolean).join('.'))
    .join(' | ');
}
