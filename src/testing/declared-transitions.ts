import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { getStateNodes } from 'xstate/graph';

/** A transition as it stands in the chart. */
export interface DeclaredTransition {
  readonly from: string;
  /** `always` where it waits for no event. */
  readonly event: string;
  readonly guard: string;
  /** Empty where the state stays what it is. */
  readonly target: string;
  readonly actions: readonly string[];
  readonly definition: AnyTransitionDefinition;
}

/** A state's name without that of the machine: `active.polling.waiting`; `(root)` for the machine itself. */
export const stateName = ({ path }: Pick<AnyStateNode, 'path'>): string => path.join('.') || '(root)';

/** All states, the outer ones before what is in them. */
export const statesOf = (machine: AnyStateMachine): AnyStateNode[] => [machine.root, ...getStateNodes(machine.root)];

/** Whether a state is left as soon as it is entered, whatever is known: nothing can arrive there. */
export const isPassedThrough = ({ always }: Pick<AnyStateNode, 'always'>): boolean =>
  always?.some(({ guard }) => guard === undefined) ?? false;

/**
 * Every transition of a chart, in its order: `on`, `after`, the answers of invoked actors, and `always`.
 *
 * @example
 * declaredTransitions(assessmentMachine).map(({ from, event, guard, target }) => `${from} ${event} [${guard}] -> ${target}`);
 */
export function declaredTransitions(machine: AnyStateMachine): DeclaredTransition[] {
  return statesOf(machine).flatMap((node) =>
    [...(node.always ?? []), ...[...node.transitions.values()].flat()].map((definition) => ({
      from: stateName(node),
      event: definition.eventType === '' ? 'always' : shortEvent(definition.eventType),
      guard: nameOfImplementation(definition.guard),
      target: (definition.target ?? []).map(stateName).join(', '),
      actions: definition.actions.map(nameOfImplementation),
      definition,
    })),
  );
}

/**
 * `xstate.done.actor.checkStatus` as `checkStatus done`, `xstate.after.pollDelay.…` as `after pollDelay`, and others of XState's own
 * by their last word.
 */
export function shortEvent(type: string): string {
  const [, kind, of, id] = type.split('.');
  if (!type.startsWith('xstate.')) return type;
  if (kind === 'after') return `after ${of}`;
  return id === undefined ? (of ?? kind ?? '') : `${id} ${kind === 'done' ? 'done' : 'broken'}`;
}

function nameOfImplementation(it: unknown): string {
  if (typeof it === 'object' && it !== null && 'type' in it) return String(it.type);
  return typeof it === 'function' ? it.name : String(it ?? '');
}
