import { describe, expect, it } from 'vitest';
import { playOverhead } from '../../bench/overhead/play-overhead.ts';
import { overheadShortcomings, pages } from '../../bench/overhead/run-overhead.ts';
import { attachments, takeAttachedMs } from '../../bench/overhead/telemetry.ts';

const few = 3;

describe('the benchmark of overhead', () => {
  it.each(['ours', 'assembled'] as const)('%s watches several assessments with one client', async (name) => {
    const [alone, together] = [
      await playOverhead(pages[name], 'socket', few, 'each'),
      await playOverhead(pages[name], 'socket', few, 'one'),
    ];
    expect(together.monitors).toBe(few);
    // The refresh at least is shared.
    expect(together.requestsPerAssessment).toBeLessThan(alone.requestsPerAssessment);
  });

  it.each(['toMeter', 'toBeacon'] as const)('measures the time within %s', async (name) => {
    takeAttachedMs();
    const nothing = await playOverhead(attachments.nothing, 'poll-only', 1, 'one');
    expect(takeAttachedMs()).toBe(0);
    const attached = await playOverhead(attachments[name], 'poll-only', 1, 'one');
    expect(takeAttachedMs()).toBeGreaterThan(0);
    expect(attached.requestsPerAssessment).toBe(nothing.requestsPerAssessment);
  });

  it('names an attachment that adds more than 5 %', () => {
    const cost = {
      monitors: 1,
      cpuMsPerAssessment: 1,
      cpuMsPerRequest: 1,
      heapPerMonitor: 1,
      requestsPerAssessment: 1,
    };
    const none = { byHand: [], withRxjs: [], assembled: [], ours: [] };
    const telemetry = (addedShare: number) => ({
      nothing: [],
      toMeter: [{ ...cost, cpuRatio: 1, addedShare }],
      toBeacon: [],
    });
    const report = (addedShare: number) => ({
      monitors: [],
      assessments: [],
      costs: { socket: none, 'poll-only': none },
      oneClient: { socket: none, 'poll-only': none },
      telemetry: { socket: telemetry(addedShare), 'poll-only': telemetry(0) },
    });
    expect(overheadShortcomings(report(0.06))).toEqual(['socket: toMeter adds 6.0 % to an assessment']);
    expect(overheadShortcomings(report(0.04))).toEqual([]);
  });
});
