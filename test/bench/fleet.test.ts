import { expect, it } from 'vitest';
import { addUp, type FleetTask, playFleet } from '../../bench/fleet/play-fleet.ts';
import { plotFault } from '../../bench/fleet/plot.ts';
import { fleetTables, runFleet } from '../../bench/fleet/report.ts';

it('plays every fault with every contestant, and plots it', async () => {
  const { report, runs } = await runFleet({ clients: 4, seed: 3, processes: 1 });
  const names = ['calm', 'gone', 'deploy', 'crash', 'authOutage', 'sameMinute'];
  expect(report.faults.map(({ name }) => name)).toEqual(names);
  for (const { contestants } of report.faults) expect(contestants.ours).toMatchObject({ lost: 0 });
  const [calm, gone] = report.faults;
  expect(calm?.contestants.before?.lost).toBe(4);
  expect(gone?.contestants.ours.servedAfterS).toBeLessThan(120);
  expect(gone?.contestants.before?.servedAfterS).toBeNull();
  expect(fleetTables(report)).toHaveLength(names.length);
  expect(plotFault('gone', runs)).toMatch(/^<svg [^]*<\/svg>\n$/);
});

it('plays ours beside those that are asked for, in the number that is asked for', async () => {
  const { report } = await runFleet({ clients: 2, seed: 3, others: ['before'], otherClients: 1, processes: 1 });
  for (const { contestants } of report.faults) {
    expect(contestants).toMatchObject({ ours: { clients: 2 }, before: { clients: 1 } });
    expect(Object.keys(contestants)).toEqual(['before', 'ours']);
  }
});

it('is the same fleet when it is played in parts', async () => {
  const task: FleetTask = { contestant: 'ours', fault: 'gone', clients: 3, seed: 5 };
  const parts = [await playFleet({ ...task, clients: 1 }), await playFleet({ ...task, first: 1, clients: 2 })];
  expect(addUp(parts)).toEqual(await playFleet(task));
});

it('is never served as long as one part of it is not', () => {
  const part = { perSecond: { status: [1, 2] }, servedAfterS: 3, lost: 1 };
  expect(addUp([part, { ...part, perSecond: { refresh: [4] }, servedAfterS: null }])).toEqual({
    perSecond: { status: [1, 2], refresh: [4] },
    servedAfterS: null,
    lost: 2,
  });
});
