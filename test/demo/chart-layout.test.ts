import { assessmentMachine } from 'assessment-monitor';
import { describe, expect, it } from 'vitest';
import { boxesOf, foldState, frame, places, waysOf, waysTaken } from '../../demo/chart-layout.ts';
import { declaredTransitions } from '../../src/testing/declared-transitions.ts';

describe("the chart's picture", () => {
  const ways = waysOf(assessmentMachine);

  it('has a place for every state, and none for a state that is not there', () => {
    expect(Object.keys(places).toSorted()).toEqual(boxesOf(assessmentMachine).toSorted());
  });

  it('has a way for every transition that leads to another state', () => {
    const missing = declaredTransitions(assessmentMachine)
      .map(({ from, target }) => [foldState(from), foldState(target || from)] as const)
      .filter(([from, to]) => from !== to)
      .filter(([from, to]) => !ways.some((way) => way.to === to && [from, frame.name].includes(way.from)));
    expect(missing).toEqual([]);
  });

  it('lights the way through the state that decides', () => {
    const told = (from: string, to: string) => waysTaken(ways, from, to).map((way) => `${way.from} > ${way.to}`);
    expect(told('active.polling', 'active.refreshing-token')).toEqual([
      'active.polling > active.deciding',
      'active.deciding > active.refreshing-token',
    ]);
    expect(told('idle', 'active.submitting')).toEqual(['idle > active', 'active.deciding > active.submitting']);
    expect(told('active.fetching-result', 'completed')).toEqual(['active.fetching-result > completed']);
    expect(told('active.polling', 'failed')).toEqual(['active > failed']);
  });
});
