import { type AssessmentInput, PATIENCE } from '../machines/assessment-setup.ts';
import { type Edge, type ModelMap, nameOf, type Vertex } from './explore.ts';
import { type AssessmentSnapshot, endsPort, eventKey, type ModelEvent } from './alphabet.ts';

/** A way through the chart, from its beginning. */
export interface Path {
  /** How the assessment begins: a name from the inputs of the exploration. */
  readonly start: string;
  readonly input: AssessmentInput;
  readonly events: readonly ModelEvent[];
}

export interface PathOptions {
  /** Which states are alike, so that one of them stands for all. Default {@link stateClass}. */
  classOf?: (snapshot: AssessmentSnapshot) => string;
  /** A path does not go on after this many steps. Default 60. */
  maxSteps?: number;
}

/** A state as its guards see it: what is known of the job, and whether patience is at its end, but no ids and no counting. */
export function stateClass({ status, value, context }: AssessmentSnapshot): string {
  const { jobId, refreshDue, refusedGeneration, feedLive, finished, overdue, timedOut, outcomeUnknown, unhurried } =
    context;
  const [job, inDoubt, isImpatient] = [
    jobId !== null,
    refusedGeneration !== null && !refreshDue && !finished,
    context.failures >= PATIENCE - 1,
  ];
  const token = { refreshDue, inDoubt };
  const facts = { job, ...token, feedLive, finished, overdue, timedOut, outcomeUnknown, unhurried, isImpatient };
  return [status, nameOf(value), ...Object.entries(facts).flatMap(([fact, holds]) => (holds ? [fact] : []))].join(' ');
}

/**
 * Paths that walk every edge of the map, or one that is like it: the same event between states of the same class.
 *
 * Each takes the shortest way to an edge that no path before it has walked, and goes on from there as long as there is another
 * one at hand.
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

/** Edges that lead nowhere come first: the next one is at hand then. The end of a port comes last: nothing follows it. */
const bestOf = (edges: readonly Edge[]): Edge | undefined =>
  edges.find(({ from, to, event }) => from === to && !endsPort(event)) ??
  edges.find(({ event }) => !endsPort(event)) ??
  edges[0];

/** For each edge, where it leads from and to, by what. A port may end at any time, and what is known makes no difference. */
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
  // A map may be added to while it is iterated: what is found is looked at in its turn.
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
