import type { AnyStateMachine } from 'xstate';
import { declaredTransitions, statesOf, stateName } from 'assessment-monitor/testing';

/*
 * The chart as a picture shows it: the states that a person would name, and the ways between them, read from the machine. Where they
 * lie is the work of `lay-out.ts`.
 */

/** A way between two boxes, or between a box and the frame. */
export interface Way {
  from: string;
  to: string;
  /** Whether it is also gone from `to` to `from`. */
  isBoth: boolean;
}

/** The state around the working states. */
export const FRAME = 'active';
const isInFrame = (name: string): boolean => name.startsWith(`${FRAME}.`);

/** `active.polling.waiting` as `active.polling`. */
export const foldState = (name: string): string =>
  name
    .split('.')
    .slice(0, isInFrame(name) ? 2 : 1)
    .join('.');

/** The boxes that a machine's states need. */
export const boxesOf = (machine: AnyStateMachine): string[] => [
  ...new Set(
    statesOf(machine)
      .map((node) => foldState(stateName(node)))
      .filter((name) => name !== '(root)' && name !== FRAME),
  ),
];

/**
 * The ways between the states of a chart. What leads out of several working states to the same end is one way out of their frame, and
 * there and back is one way.
 */
export function waysOf(machine: AnyStateMachine): Way[] {
  const folded = declaredTransitions(machine)
    .map(({ from, target }) => ({ from: foldState(from), to: foldState(target || from) }))
    .filter(({ from, to }) => from !== to);
  const sourcesOf = (end: string) => new Set(folded.flatMap(({ from, to }) => (to === end ? [from] : [])));
  const ways: Way[] = [];
  for (const { from, to } of folded) {
    const isShared = from.startsWith(FRAME) && !to.startsWith(FRAME) && sourcesOf(to).size > 2;
    const start = isShared ? FRAME : from;
    if (ways.some((way) => way.from === start && way.to === to)) continue;
    const back = ways.find((way) => way.from === to && way.to === start);
    if (back) back.isBoth = true;
    else ways.push({ from: start, to, isBoth: false });
  }
  return ways;
}

/** A way as it was gone. */
export interface TakenWay<Drawn extends Way = Way> {
  way: Drawn;
  isBackwards: boolean;
}

/** The ways that were gone from one state to the next: straight, or through the state that decides. */
export function waysTaken<Drawn extends Way>(ways: readonly Drawn[], from: string, to: string): TakenWay<Drawn>[] {
  const find = (start: string, end: string): TakenWay<Drawn> | undefined => {
    for (const way of ways) {
      if (way.from === start && way.to === end) return { way, isBackwards: false };
      if (way.isBoth && way.to === start && way.from === end) return { way, isBackwards: true };
    }
    return undefined;
  };
  const around = (start: string, end: string) => find(start, end) ?? find(FRAME, end);
  const straight = find(from, to);
  if (straight) return [straight];
  const last = find(`${FRAME}.deciding`, to);
  const known = (taken: (TakenWay<Drawn> | undefined)[]) => taken.filter((it) => it !== undefined);
  if (isInFrame(to) && last)
    return known([isInFrame(from) ? around(from, `${FRAME}.deciding`) : find(from, FRAME), last]);
  return known([around(from, to)]);
}
