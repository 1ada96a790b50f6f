import type { AssessmentInput } from '../machines/assessment-setup.ts';
import { type Edge, type ModelMap, nameOf, type Vertex } from './explore.ts';
import { kindOfContext } from './facts.ts';
import { type AssessmentSnapshot, endsPort, eventKey, type ModelEvent } from './alphabet.ts';

/** A path through the chart, from its start. */
export interface Path {
  /** How the assessment begins: a name from the inputs of the exploration. */
  readonly start: string;
  readonly input: AssessmentInput;
  readonly events: readonly ModelEvent[];
}

export interface PathOptions {
  /** States of one class stand for one another. @default {@link stateClass} */
  classOf?: (snapshot: AssessmentSnapshot) => string;
  /** The longest path, in steps. @default 60 */
  maxSteps?: number;
}

/** A state as its guards see it, without ids and counts: states of one class stand for one another. */
export function stateClass({ status, value, context }: AssessmentSnapshot): string {
  return status === 'active' ? `${nameOf(value)} ${kindOfContext(context)}` : `${status} ${nameOf(value)}`;
}

/**
 * Paths that together walk every edge of the map, or an equivalent one: the same event between states of the same classes.
 *
 * Each path takes the shortest way to an edge that no earlier path has walked, and continues over unwalked edges as long as the
 * next state has one.
 *
 * @example
 * for (const path of pathsOver(explore(assessmentMachine))) await walk(stage, path);
 */
export function pathsOver(map: ModelMap, { classOf = stateClass, maxSteps = 60 }: PathOptions = {}): Path[] {
  const kinds = kindsOf(map, classOf);
  const walked = new Set<string>();
  const newEdges = ({ edges }: Vertex) => edges.filter((edge) => !walked.has(kinds.get(edge) ?? ''));
  const walk = (edge: Edge) => void walked.add(kinds.get(edge) ?? '');

  const paths: Path[] = [];
  for (const { vertex, start, way } of shortestWays(map)) {
    for (let first = bestOf(newEdges(vertex)); first; first = bestOf(newEdges(vertex))) {
      const edges = [...way, first];
      edges.forEach(walk);
      for (let last = first; edges.length < maxSteps && !endsPort(last.event);) {
        const next = map.vertices.get(last.to);
        const edge = next && bestOf(newEdges(next));
        if (!edge) break;
        edges.push(edge);
        walk(edge);
        last = edge;
      }
      paths.push({ start: start.name, input: start.input, events: edges.map(({ event }) => event) });
    }
  }
  return paths;
}

/** Self-loops come first, since the path can continue from the same state. The end of a port comes last, since it ends the path. */
const bestOf = (edges: readonly Edge[]): Edge | undefined =>
  edges.find(({ from, to, event }) => from === to && !endsPort(event)) ??
  edges.find(({ event }) => !endsPort(event)) ??
  edges[0];

/** The kind of each edge: its event between two classes. For the end of a port only the state counts, whatever the facts. */
function kindsOf({ vertices }: ModelMap, classOf: (snapshot: AssessmentSnapshot) => string): Map<Edge, string> {
  const classes = new Map([...vertices].map(([key, { snapshot }]) => [key, classOf(snapshot)]));
  return new Map(
    [...vertices.values()].flatMap(({ snapshot, edges }) =>
      edges.map((edge) => {
        const { event, from, to } = edge;
        const between = endsPort(event) ? nameOf(snapshot.value) : `${classes.get(from)} | ${classes.get(to)}`;
        return [edge, `${between} | ${eventKey(event)}`] as const;
      }),
    ),
  );
}

interface Way {
  readonly vertex: Vertex;
  readonly start: ModelMap['starts'][number];
  readonly way: readonly Edge[];
}

/** The shortest way to every vertex, nearest first. */
function shortestWays({ starts, vertices }: ModelMap): Way[] {
  const ways = new Map<string, Way>();
  for (const start of starts) {
    const vertex = vertices.get(start.key);
    if (vertex && !ways.has(start.key)) ways.set(start.key, { vertex, start, way: [] });
  }
  // A map can grow while it is iterated, so each way found here is followed in its turn.
  for (const { vertex, start, way } of ways.values()) {
    for (const edge of vertex.edges) {
      const next = vertices.get(edge.to);
      if (next && !ways.has(edge.to) && !endsPort(edge.event)) {
        ways.set(edge.to, { vertex: next, start, way: [...way, edge] });
      }
    }
  }
  return [...ways.values()];
}
