import type { AnyStateMachine } from 'xstate';
import { declaredTransitions, statesOf, stateName } from 'assessment-monitor/testing';

/*
 * The chart as a picture: the states that a person would name, placed by hand, and the ways between them, read from the machine.
 * A test holds the places against the machine, so that neither can go ahead of the other.
 */

export interface Way {
  from: string;
  to: string;
  /** An SVG path. */
  path: string;
  /** Where the event is written that goes this way: at its middle, and beside what it would cover there. */
  label: readonly [x: number, y: number];
}

/** `active.polling.waiting` as `active.polling`. */
export const foldState = (name: string): string =>
  name
    .split('.')
    .slice(0, name.startsWith('active.') ? 2 : 1)
    .join('.');

/** Centres of the boxes. */
export const places: Readonly<Record<string, readonly [x: number, y: number]>> = {
  idle: [64, 190],
  'active.submitting': [226, 76],
  'active.ws-monitoring': [376, 76],
  'active.polling': [526, 76],
  'active.refreshing-token': [226, 190],
  'active.deciding': [376, 190],
  'active.fetching-result': [526, 190],
  'active.auth-failed': [226, 312],
  'active.timed-out': [376, 312],
  completed: [688, 190],
  failed: [688, 312],
  cancelled: [688, 76],
};
export const box = { width: 116, height: 34 };
/** The state around the working states. */
export const frame = { name: 'active', x: 150, y: 30, width: 450, height: 326 };

/** Where a way leaves or enters the frame instead of a box. */
const gates: Readonly<Record<string, readonly [x: number, y: number]>> = {
  'idle active': [frame.x, 190],
  'active cancelled': [frame.x + frame.width, 76],
  'active failed': [frame.x + frame.width, 312],
  'active active.deciding': [460, frame.y + frame.height],
  'active active.auth-failed': [frame.x, 312],
};
/** Ways that would run through a box otherwise. */
const detours: Readonly<Record<string, Pick<Way, 'path' | 'label'>>> = {
  'idle cancelled': { path: 'M64,173 V24 Q64,12 76,12 H676 Q688,12 688,24 V59', label: [376, 14] },
  'active.ws-monitoring active.timed-out': { path: 'M405,93 C462,150 462,240 405,295', label: [440, 244] },
};

/** The ways between the states of a chart. What leads out of several working states to the same end is one way. */
export function waysOf(machine: AnyStateMachine): Way[] {
  const folded = declaredTransitions(machine)
    .map(({ from, target }) => ({ from: foldState(from), to: foldState(target || from) }))
    .filter(({ from, to }) => from !== to);
  const sourcesOf = (end: string) => new Set(folded.flatMap(({ from, to }) => (to === end ? [from] : [])));
  const ways = new Map<string, Way>();
  for (const { from, to } of folded) {
    const isShared = from.startsWith('active') && !to.startsWith('active') && sourcesOf(to).size > 2;
    const start = isShared ? frame.name : from;
    const key = `${start} ${to}`;
    if (!ways.has(key)) ways.set(key, { from: start, to, ...drawn(start, to) });
  }
  return [...ways.values()];
}

/** The boxes that a machine's states need. */
export const boxesOf = (machine: AnyStateMachine): string[] => [
  ...new Set(
    statesOf(machine)
      .map((node) => foldState(stateName(node)))
      .filter((name) => name !== '(root)' && name !== frame.name),
  ),
];

/** The ways that were gone from one state to the next: straight, or through the state that decides. */
export function waysTaken(ways: readonly Way[], from: string, to: string): readonly Way[] {
  const find = (start: string, end: string) => ways.find((way) => way.from === start && way.to === end);
  const around = (start: string, end: string) => find(start, end) ?? find(frame.name, end);
  const straight = find(from, to);
  if (straight) return [straight];
  const halves = [around(from, 'active.deciding'), find('active.deciding', to)];
  if (to.startsWith('active.') && halves[1])
    return [from === 'idle' ? find(from, frame.name) : halves[0], halves[1]].filter((way) => way !== undefined);
  return [around(from, to)].filter((way) => way !== undefined);
}

function drawn(from: string, to: string): Pick<Way, 'path' | 'label'> {
  const key = `${from} ${to}`;
  const detour = detours[key];
  if (detour) return detour;
  const gate = gates[key];
  const start = from === frame.name ? gate : places[from];
  const end = to === frame.name ? gate : places[to];
  if (!start || !end) throw new Error(`the chart's picture has no place for ${key}`);
  const [x1, y1] = from === frame.name ? start : border(start, end);
  const [x2, y2] = to === frame.name ? end : border(end, start);
  // To the left of its direction, so that there and back are two lines.
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const bend = from === frame.name || to === frame.name ? 0 : 9;
  const [dx, dy] = [((y2 - y1) / length) * bend, (-(x2 - x1) / length) * bend];
  const round = (value: number) => Math.round(value);
  const [middleX, middleY] = [(x1 + x2) / 2 + dx, (y1 + y2) / 2 + dy];
  // Between two boxes side by side there is no room for a word.
  const aside = Math.abs(y2 - y1) < box.height ? (dy > 0 ? 1 : -1) * (box.height / 2 + 3) : 0;
  return {
    path: `M${round(x1 + dx / 2)},${round(y1 + dy / 2)} Q${round((x1 + x2) / 2 + dx * 1.5)},${round((y1 + y2) / 2 + dy * 1.5)} ${round(x2 + dx / 2)},${round(y2 + dy / 2)}`,
    label: [round(middleX), round(middleY + aside)],
  };
}

/** Where the line from the centre of a box to a point leaves the box. */
function border([x, y]: readonly [number, number], [toX, toY]: readonly [number, number]): [number, number] {
  const [dx, dy] = [toX - x, toY - y];
  const scale = Math.min(box.width / 2 / Math.abs(dx || 1e-9), box.height / 2 / Math.abs(dy || 1e-9));
  return [x + dx * scale, y + dy * scale];
}
