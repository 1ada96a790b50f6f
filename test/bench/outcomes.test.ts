import { describe, expect, it } from 'vitest';
import { type ContestantName, contestants } from '../../bench/contestants/index.ts';
import { playOutcome } from '../../bench/outcomes/play.ts';
import { outcomesTables, shortcomings } from '../../bench/outcomes/report.ts';
import { runOutcomes } from '../../bench/outcomes/run-outcomes.ts';
import { calmWorld, type OutcomeWorld } from '../../bench/outcomes/world.ts';

const names = Object.keys(contestants) as ContestantName[];
const play = (name: ContestantName, world: Partial<OutcomeWorld>) =>
  playOutcome({ ...calmWorld, ...world }, contestants[name]);
const outliving = { tokenLifeMs: 300_000, tokenAgeMs: 240_000, jobMs: 200_000 };

describe('the worlds of the benchmark', () => {
  it.each(names)('%s gets through a calm world', async (name) => {
    const outcome = await play(name, {});
    expect(outcome).toMatchObject({ shown: true, submissions: 1, invalidTokenAnswers: 0, logouts: 0 });
  });

  it('are the same at each time of asking', async () => {
    const world = { ...outliving, loss: 0.1, socketDropsAt: [30_000] };
    expect(await play('ours', world)).toEqual(await play('ours', world));
  });

  it('fail the old client when the job outlives the token', async () => {
    expect(await play('before', outliving)).toMatchObject({ shown: false, invalidTokenShown: true, refreshes: 0 });
  });

  it.each(names.filter((name) => name !== 'before'))('let %s refresh a token that the job outlives', async (name) => {
    const outcome = await play(name, outliving);
    expect(outcome.shown).toBe(true);
    expect(outcome.refreshesGranted).toBeGreaterThan(0);
  });

  it('fail the old client, repaired or not, at a lost poll; the others ask again', async () => {
    const lossy = { loss: 0.2, jobMs: 240_000 };
    expect((await play('before', lossy)).shown).toBe(false);
    expect((await play('after', lossy)).shown).toBe(false);
    expect((await play('assembled', lossy)).shown).toBe(true);
    expect((await play('ours', lossy)).shown).toBe(true);
  });

  it('let contestants that remember their job continue after a reload', async () => {
    const reload = { reloadAt: 60_000 };
    const shown: Partial<Record<ContestantName, boolean>> = {};
    for (const name of names) shown[name] = (await play(name, reload)).shown;
    expect(shown).toEqual({ before: false, after: false, assembled: true, coreLro: true, ours: true });
  });

  it('count INVALID_TOKEN during an outage of the auth service, which ours waits out', async () => {
    const outage = { authOutage: { at: 20_000, forMs: 120_000, takesRefresh: true }, jobMs: 180_000 };
    expect(await play('before', outage)).toMatchObject({ shown: false, invalidTokenShown: true });
    expect(await play('ours', outage)).toMatchObject({ shown: true, invalidTokenShown: false, logouts: 0 });
  });
});

describe('the report of outcomes', () => {
  it('has the promised shape, in every bucket and for everybody', async () => {
    const report = await runOutcomes({ worlds: 2, seed: 7, processes: 1 });
    expect(Object.keys(report)).toEqual(['seed', 'worlds', 'health', 'buckets']);
    expect(report.buckets.map(({ name }) => name)).toEqual(['short', 'medium', 'long', 'longest']);
    for (const bucket of report.buckets) {
      expect(Object.keys(bucket.contestants)).toEqual(['before', 'after', 'assembled', 'coreLro', 'ours']);
      for (const summary of Object.values(bucket.contestants)) {
        expect(Object.keys(summary)).toEqual([
          'shown',
          'invalidTokenShown',
          'invalidTokenPerRequest',
          'refreshes',
          'refreshSuccess',
          'submissionsPerAssessment',
          'requestsPerAssessment',
          'msDoneToResultMedian',
          'msDoneToResultP99',
          'logouts',
          'msAfterBothMedian',
          'msAfterBothP99',
        ]);
      }
    }
    expect(outcomesTables(report)[0]?.table[2]).toContain('95 %');
    // No result can be shown before half a round trip.
    for (const { omniscient } of report.buckets) expect(omniscient.medianMs).toBeGreaterThanOrEqual(50);
  });

  it('says where ours is behind', async () => {
    const report = await runOutcomes({ worlds: 2, seed: 7, processes: 1 });
    for (const { contestants: its } of report.buckets) Object.assign(its.ours, { shown: 0.5, invalidTokenShown: 1 });
    expect(shortcomings(report)).toContain('short: ours shows 50.00 % of the jobs');
    expect(shortcomings(report)).toContain('short: ours is not better than "assembled" in success');
    expect(shortcomings(report)).toContain('longest: ours shows INVALID_TOKEN 1 times');
  });
});
