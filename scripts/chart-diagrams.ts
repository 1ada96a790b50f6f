import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { type DeclaredTransition, declaredTransitions, stateName } from '../src/testing/index.ts';

/*
 * A statechart as text that Mermaid draws, on GitHub too. Only what moves is drawn: a transition without a target is in the table.
 */

/** The whole chart, every state in its place and every transition with its event and guard. */
export function toMermaid(machine: AnyStateMachine): string {
  const edges = declaredTransitions(machine).map(({ from, event, guard, target }) => ({
    from,
    target,
    label: guard ? `${event} [${guard}]` : event,
  }));
  return diagram(childrenOf(machine.root), merge(edges), (node) => childrenOf(node));
}

/**
 * The states that a person would name, and the ways between them. What is inside a state is folded into it, what leads out of
 * several states to the same end is drawn once, and the many reasons to decide again, to pause or to fail are not named: the
 * table has them all.
 */
export function toOverview(machine: AnyStateMachine): string {
  const folded = declaredTransitions(machine)
    .map((it) => ({ from: fold(it.from), target: fold(it.target || it.from), label: shortLabel(it) }))
    .filter(({ from, target }) => from !== target);
  const sourcesOf = (end: string) => new Set(folded.flatMap(({ from, target }) => (target === end ? [from] : [])));
  const edges = folded.map(({ from, target, label }) => {
    const isShared = from.startsWith('active') && !target.startsWith('active') && sourcesOf(target).size > 2;
    const isNamed = !['active.deciding', 'active.timed-out', 'failed'].includes(target);
    return { from: isShared ? 'active' : from, target, label: isNamed ? label : '' };
  });
  return diagram(childrenOf(machine.root), merge(edges), (node) =>
    stateName(node) === 'active' ? childrenOf(node) : [],
  );
}

/** `active.polling.waiting` as `active.polling`. */
const fold = (name: string): string =>
  name
    .split('.')
    .slice(0, name.startsWith('active.') ? 2 : 1)
    .join('.');

interface Edge {
  from: string;
  target: string;
  label: string;
}

/** Mermaid cannot draw a way from a state into itself: it begins at a place of its own there. */
const sourceOf = ({ from, target }: Edge): string => (target.startsWith(`${from}.`) ? `${from}.anywhere` : from);

const childrenOf = (node: AnyStateNode): AnyStateNode[] => Object.values(node.states);
const idOf = (name: string): string => name.replaceAll(/\W/g, '_');

/** One line for each way, with all its labels. */
function merge(edges: readonly Edge[]): Edge[] {
  const ways = new Map<string, Edge & { labels: Set<string> }>();
  for (const edge of edges) {
    if (!edge.target) continue;
    const key = `${edge.from} ${edge.target}`;
    const way = ways.get(key) ?? { ...edge, labels: new Set<string>() };
    way.labels.add(edge.label);
    ways.set(key, way);
  }
  return [...ways.values()].map(({ labels, ...edge }) => ({
    ...edge,
    label: [...labels].filter(Boolean).join('<br/>'),
  }));
}

/** What a transition is about: the event, or what its guard asks about an answer or a fact; `isFeedLive` as `feed live`. */
function shortLabel({ event, guard }: DeclaredTransition): string {
  if (event !== 'always' && !/ (done|broken)$/.test(event)) return event;
  return guard
    .replace(/^(is|has|can)/, '')
    .replaceAll(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`)
    .trim();
}

function diagram(
  top: readonly AnyStateNode[],
  edges: readonly Edge[],
  inside: (node: AnyStateNode) => readonly AnyStateNode[],
): string {
  const draw = (node: AnyStateNode, depth: number): string[] => {
    const indent = '  '.repeat(depth);
    const id = idOf(stateName(node));
    const children = inside(node);
    if (children.length === 0) return [`${indent}state "${node.key}" as ${id}`];
    return [
      `${indent}state "${node.key}" as ${id} {`,
      `${indent}  [*] --> ${id}_${idOf(String(node.config.initial))}`,
      ...children.flatMap((child) => draw(child, depth + 1)),
      ...(edges.some((edge) => sourceOf(edge) === `${stateName(node)}.anywhere`)
        ? [`${indent}  state "wherever it is" as ${id}_anywhere`]
        : []),
      `${indent}}`,
    ];
  };
  return [
    'stateDiagram-v2',
    '  direction LR',
    `  [*] --> ${idOf(stateName(top[0] as AnyStateNode))}`,
    ...top.flatMap((node) => draw(node, 1)),
    ...edges.map((edge) => `  ${idOf(sourceOf(edge))} --> ${idOf(edge.target)}${edge.label ? `: ${edge.label}` : ''}`),
    ...top.filter(({ type }) => type === 'final').map((node) => `  ${idOf(stateName(node))} --> [*]`),
    '',
  ].join('\n');
}
