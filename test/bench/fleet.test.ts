import { expect, it } from 'vitest';
import { plotFault } from '../../bench/fleet/plot.ts';
import { fleetTables, runFleet } from '../../bench/fleet/report.ts';

it('plays every fault with every contestant, and plots it', async () => {
  const { report, runs } = await runFleet(4, 3, undefined, 1);
  const names = ['calm', 'gone', 'deploy', 'authOutage', 'sameMinute'];
  expect(report.faults.map(({ name }) => name)).toEqual(names);
  for (const { contestants } of report.faults) expect(contestants.ours).toMatchObject({ lost: 0 });
  const [calm, gone] = report.faults;
  expect(calm?.contestants.before.lost).toBe(4);
  expect(gone?.contestants.ours.servedAfterS).toBeLessThan(120);
  expect(gone?.contestants.before.servedAfterS).toBeNull();
  expect(fleetTables(report)).toHaveLength(names.length);
  expect(plotFault('gone', runs)).toMatch(/^<svg [^]*<\/svg>\n$/);
});
