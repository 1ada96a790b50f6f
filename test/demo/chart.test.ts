import { assessmentMachine } from 'assessment-monitor';
import { describe, expect, it } from 'vitest';
import { boxesOf, foldState, FRAME, waysOf, waysTaken } from '../../demo/chart/graph.ts';
import { type Box, layOut, type Point } from '../../demo/chart/lay-out.ts';
import { pictures } from '../../demo/chart/pictures.ts';
import { declaredTransitions } from '../../src/testing/declared-transitions.ts';

describe('the ways of the chart', () => {
  const ways = waysOf(assessmentMachine);

  it('are one for every transition that leads to another state', () => {
    const missing = declaredTransitions(assessmentMachine)
      .map(({ from, target }) => [foldState(from), foldState(target || from)] as const)
      .filter(([from, to]) => from !== to)
      .filter(([from, to]) => waysTaken(ways, from, to).length === 0);
    expect(missing).toEqual([]);
  });

  it('lead through the state that decides', () => {
    const told = (from: string, to: string) =>
      waysTaken(ways, from, to).map(({ way, isBackwards }) =>
        isBackwards ? `${way.to} > ${way.from}` : `${way.from} > ${way.to}`,
      );
    expect(told('active.polling', 'active.refreshing-token')).toEqual([
      'active.polling > active.deciding',
      'active.deciding > active.refreshing-token',
    ]);
    expect(told('idle', 'active.submitting')).toEqual(['idle > active', 'active.deciding > active.submitting']);
    expect(told('active.fetching-result', 'completed')).toEqual(['active.fetching-result > completed']);
    expect(told('active.polling', 'failed')).toEqual(['active > failed']);
  });
});

describe.each(['wide', 'narrow'] as const)('the %s picture of the chart', (shape) => {
  const { width, height, boxes, ways } = pictures[shape];
  const inner = (box: Box): Box => ({ x: box.x + 1, y: box.y + 1, width: box.width - 2, height: box.height - 2 });
  /** Whether a straight part of a way runs through a box. */
  const crosses = ([[x1, y1], [x2, y2]]: readonly [Point, Point], { x, y, width: w, height: h }: Box) =>
    Math.max(x1, x2) > x && Math.min(x1, x2) < x + w && Math.max(y1, y2) > y && Math.min(y1, y2) < y + h;
  const partsOf = (points: readonly Point[]) =>
    points.slice(1).map((end, index): [Point, Point] => [points[index] ?? end, end]);
  const isOnBorder = ([x, y]: Point, box: Box) => {
    const isWithin = x >= box.x - 1 && x <= box.x + box.width + 1 && y >= box.y - 1 && y <= box.y + box.height + 1;
    const isAtSide = [box.x, box.x + box.width].some((side) => Math.abs(side - x) <= 1);
    return isWithin && (isAtSide || [box.y, box.y + box.height].some((side) => Math.abs(side - y) <= 1));
  };

  it('is the one that elkjs makes of the machine as it is: else run "npm run chart"', async () => {
    expect(await layOut(assessmentMachine, shape)).toEqual(pictures[shape]);
  });

  it('has a box for every state and a way for every transition', () => {
    expect(Object.keys(boxes).toSorted()).toEqual([...boxesOf(assessmentMachine), FRAME].toSorted());
    expect(ways.map(({ from, to }) => `${from} ${to}`)).toEqual(
      waysOf(assessmentMachine).map(({ from, to }) => `${from} ${to}`),
    );
  });

  it('has no way that crosses a box', () => {
    const states = Object.entries(boxes).filter(([name]) => name !== FRAME);
    const crossing = ways.flatMap(({ from, to, points }) =>
      states
        .filter(([, box]) => partsOf(points).some((part) => crosses(part, inner(box))))
        .map(([name]) => `${from} > ${to} crosses ${name}`),
    );
    expect(crossing).toEqual([]);
  });

  it('has no way that begins or ends in nothing', () => {
    const loose = ways.filter(({ from, to, points }) => {
      const [start, end] = [points[0], points.at(-1)];
      const [source, target] = [boxes[from], boxes[to]];
      return !(start && end && source && target && isOnBorder(start, source) && isOnBorder(end, target));
    });
    expect(loose.map(({ from, to }) => `${from} > ${to}`)).toEqual([]);
  });

  it('has no two boxes on one another, and nothing outside of it', () => {
    const states = Object.entries(boxes).filter(([name]) => name !== FRAME);
    const overlaps = states.flatMap(([name, one]) =>
      states.filter(
        ([other, two]) =>
          other > name &&
          one.x < two.x + two.width &&
          two.x < one.x + one.width &&
          one.y < two.y + two.height &&
          two.y < one.y + one.height,
      ),
    );
    expect(overlaps).toEqual([]);
    for (const box of Object.values(boxes))
      expect(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height).toBe(true);
  });
});
