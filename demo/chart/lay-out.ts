import ElkConstructor, { type ElkNode, type ElkPoint } from 'elkjs/lib/elk.bundled.js';
import type { AnyStateMachine } from 'xstate';
import { boxesOf, FRAME, type Way, waysOf } from './graph.ts';

/*
 * Lays the chart out with elkjs. The machine does not change while a page runs, so `npm run chart` does this once and the pages load
 * the picture: the library weighs 1.4 MB.
 */

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
export type Point = readonly [x: number, y: number];

/** A way with its corners, from the border of one box to the border of the other. */
export interface DrawnWay extends Way {
  points: readonly Point[];
}

export interface Picture {
  width: number;
  height: number;
  /** By the name of the state; the frame is one of them. */
  boxes: Readonly<Record<string, Box>>;
  ways: readonly DrawnWay[];
}

/** `wide` is for a desktop, `narrow` for a phone: short boxes, close together. */
export type Shape = 'wide' | 'narrow';

/** The size of the box of a state: as long as its name on a phone, where each pixel counts. */
function sizeOf(name: string, shape: Shape): { width: number; height: number } {
  const letters = name.replace(`${FRAME}.`, '').length;
  return shape === 'wide' ? { width: 118, height: 34 } : { width: 10 + letters * 5.8, height: 28 };
}

const common = {
  'elk.algorithm': 'layered',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.direction': 'RIGHT',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.json.shapeCoords': 'ROOT',
  'elk.json.edgeCoords': 'ROOT',
  'elk.layered.mergeHierarchyEdges': 'true',
  'elk.spacing.nodeNode': '14',
  'elk.spacing.edgeNode': '10',
  'elk.spacing.edgeEdge': '8',
  'elk.layered.spacing.nodeNodeBetweenLayers': '20',
  'elk.layered.spacing.edgeNodeBetweenLayers': '10',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '8',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.crossingMinimization.thoroughness': '60',
};

/** A phone has room for short boxes close together. */
const own: Readonly<Record<Shape, Record<string, string>>> = {
  wide: {
    'elk.spacing.edgeEdge': '6',
    'elk.layered.spacing.edgeEdgeBetweenLayers': '6',
  },
  narrow: {
    'elk.spacing.edgeEdge': '4',
    'elk.layered.spacing.nodeNodeBetweenLayers': '12',
    'elk.layered.spacing.edgeNodeBetweenLayers': '6',
    'elk.layered.spacing.edgeEdgeBetweenLayers': '4',
  },
};
/** Where ways pass the frame, so that each begins and ends at a place that can be seen. */
const GATES = { in: 'WEST', out: 'EAST' } as const;

/** The picture of a machine that has a frame of working states. */
export async function layOut(machine: AnyStateMachine, shape: Shape): Promise<Picture> {
  const names = boxesOf(machine);
  const ways = waysOf(machine);
  const options = { ...common, ...own[shape] };
  const leaf = (id: string): ElkNode => ({ id, ...sizeOf(id, shape) });
  const isInner = (name: string) => name.startsWith(`${FRAME}.`);
  const frame: ElkNode = {
    id: FRAME,
    layoutOptions: {
      ...options,
      'elk.padding': shape === 'wide' ? '[top=30,left=14,bottom=14,right=14]' : '[top=26,left=6,bottom=8,right=6]',
      'elk.portConstraints': 'FIXED_SIDE',
    },
    ports: (['in', 'out'] as const).map((gate) => ({
      id: `${FRAME}:${gate}`,
      width: 0,
      height: 0,
      layoutOptions: { 'elk.port.side': GATES[gate] },
    })),
    children: names.filter(isInner).map(leaf),
  };
  /** The end of a way at the frame is a gate: what comes from outside or leads inside passes on one side, what leads out on the other. */
  const gateOf = (end: string, other: string) => {
    if (end !== FRAME) return end;
    return `${FRAME}:${isInner(other) || other === 'idle' ? 'in' : 'out'}`;
  };
  const graph: ElkNode = {
    id: 'root',
    layoutOptions: { ...options, 'elk.padding': '[top=6,left=6,bottom=6,right=6]' },
    children: [frame, ...names.filter((name) => !isInner(name)).map(leaf)],
    edges: ways.map(({ from, to }) => ({
      id: `${from} ${to}`,
      sources: [gateOf(from, to)],
      targets: [gateOf(to, from)],
    })),
  };
  const laidOut: ElkNode = await new ElkConstructor.default().layout(graph);
  const round = (value = 0) => Math.round(value * 10) / 10;
  const boxOf = ({ x, y, width, height }: ElkNode): Box => ({
    x: round(x),
    y: round(y),
    width: round(width),
    height: round(height),
  });
  const all = (laidOut.children ?? []).flatMap((node) => [node, ...(node.children ?? [])]);
  const point = ({ x, y }: ElkPoint): Point => [round(x), round(y)];
  return {
    width: round(laidOut.width),
    height: round(laidOut.height),
    boxes: Object.fromEntries(all.map((node) => [node.id, boxOf(node)])),
    ways: ways.map((way) => {
      const [section] = laidOut.edges?.find(({ id }) => id === `${way.from} ${way.to}`)?.sections ?? [];
      if (!section) throw new Error(`elkjs drew no way from ${way.from} to ${way.to}`);
      return { ...way, points: [section.startPoint, ...(section.bendPoints ?? []), section.endPoint].map(point) };
    }),
  };
}
