import { describe, expect, it } from 'vitest';
import type { MonitorEvent, RefreshOutcomeName, RequestOutcome } from '../../src/lib/log.ts';
import { createMetrics } from '../../src/services/metrics.ts';

const request = (
  outcome: RequestOutcome,
  {
    route = 'status',
    status = 200,
    ...more
  }: Partial<Pick<Extract<MonitorEvent, { type: 'request.finished' }>, 'route' | 'status' | 'cause'>> = {},
): MonitorEvent => ({ type: 'request.finished', route, outcome, status, generation: 1, ms: 5, ...more });
const refresh = (outcome: RefreshOutcomeName): MonitorEvent => ({ type: 'refresh.finished', outcome, ms: 5 });
const settled = (outcome: 'completed' | 'failed' | 'cancelled', ms: number): MonitorEvent => ({
  type: 'assessment.settled',
  assessmentId: 'a',
  outcome,
  code: null,
  ms,
});

function metricsOf(...events: MonitorEvent[][]) {
  const metrics = createMetrics();
  for (const event of events.flat()) metrics.record(event);
  return metrics.read();
}
const times = (count: number, event: MonitorEvent) => Array.from({ length: count }, () => event);

describe('createMetrics', () => {
  it('starts with zero counts and no alerts', () => {
    expect(createMetrics().read()).toEqual({
      requests: 0,
      invalidTokenAnswers: 0,
      invalidTokenCauses: {},
      invalidTokenRate: 0,
      refreshAttempts: 0,
      refreshSuccesses: 0,
      refreshSuccessRate: null,
      assessments: { completed: 0, failed: 0, cancelled: 0 },
      averageMonitoringMs: null,
      alerts: [],
    });
  });

  it('counts answered calls, and how many of them were INVALID_TOKEN', () => {
    const read = metricsOf(
      times(5, request('ok')),
      times(2, request('transient', { status: 503 })),
      times(1, request('rejected', { status: 404 })),
      times(2, request('unauthorized', { status: 401 })),
    );
    expect(read).toMatchObject({ requests: 10, invalidTokenAnswers: 2, invalidTokenRate: 0.2 });
  });

  it('counts INVALID_TOKEN answers by cause, and those without one as unknown', () => {
    const read = metricsOf(
      times(2, request('unauthorized', { status: 401, cause: 'skew' })),
      times(1, request('unauthorized', { status: 401, cause: 'outage' })),
      times(1, request('unauthorized', { status: 401 })),
    );
    expect(read).toMatchObject({
      invalidTokenAnswers: 4,
      invalidTokenCauses: { skew: 2, outage: 1, unknown: 1 },
    });
  });

  it('counts neither calls without an answer nor refresh calls', () => {
    const read = metricsOf([
      request('transient', { status: null }),
      request('aborted', { status: null }),
      request('unauthorized', { route: 'refresh', status: 401 }),
      { type: 'request.started', route: 'status', generation: 1 },
    ]);
    expect(read).toMatchObject({ requests: 0, invalidTokenAnswers: 0, invalidTokenRate: 0 });
  });

  it('counts every refresh without a new token as a failure', () => {
    const read = metricsOf(
      times(6, refresh('refreshed')),
      (['limited', 'transient', 'ambiguous', 'rejected'] as const).map(refresh),
    );
    expect(read).toMatchObject({ refreshAttempts: 10, refreshSuccesses: 6, refreshSuccessRate: 0.6 });
  });

  it('counts how assessments ended, and how long the completed ones took on average', () => {
    const read = metricsOf([
      settled('completed', 1_000),
      settled('completed', 4_000),
      settled('failed', 90_000),
      settled('cancelled', 90_000),
    ]);
    expect(read).toMatchObject({
      assessments: { completed: 2, failed: 1, cancelled: 1 },
      averageMonitoringMs: 2_500,
    });
  });

  it('ignores other events of the log', () => {
    const others: MonitorEvent[] = [
      { type: 'feed.live' },
      { type: 'token.renewed', generation: 1, ttlMs: null, remainingMs: null },
      { type: 'session.ended', reason: 'rejected' },
    ];
    expect(metricsOf(others)).toEqual(createMetrics().read());
  });

  it('returns a reading that later events do not change', () => {
    const metrics = createMetrics();
    const read = metrics.read();
    metrics.record(settled('completed', 1));
    expect(read.assessments.completed).toBe(0);
  });
});

describe('the alert on INVALID_TOKEN', () => {
  const read = (good: number, refused: number) =>
    metricsOf(times(good, request('ok')), times(refused, request('unauthorized', { status: 401 }))).alerts;

  it('is raised above 1 % of the requests', () => {
    expect(read(98, 2)).toEqual(['invalid-token-rate']);
    expect(read(989, 11)).toEqual(['invalid-token-rate']);
  });

  it('is not raised at 1 % or below', () => {
    expect(read(99, 1)).toEqual([]);
    expect(read(990, 10)).toEqual([]);
  });

  it('is not raised before a hundred requests', () => {
    expect(read(97, 2)).toEqual([]);
    expect(read(0, 99)).toEqual([]);
    expect(read(0, 100)).toEqual(['invalid-token-rate']);
  });
});

describe('the alert on refreshes', () => {
  const read = (good: number, failed: number) =>
    metricsOf(times(good, refresh('refreshed')), times(failed, refresh('transient'))).alerts;

  it('is raised above 5 % of the attempts', () => {
    expect(read(18, 2)).toEqual(['refresh-failure-rate']);
    expect(read(94, 6)).toEqual(['refresh-failure-rate']);
  });

  it('is not raised at 5 % or below', () => {
    expect(read(19, 1)).toEqual([]);
    expect(read(38, 2)).toEqual([]);
    expect(read(95, 5)).toEqual([]);
  });

  it('is not raised before twenty attempts', () => {
    expect(read(17, 2)).toEqual([]);
    expect(read(0, 19)).toEqual([]);
    expect(read(0, 20)).toEqual(['refresh-failure-rate']);
  });

  it('is raised together with the alert on INVALID_TOKEN', () => {
    expect(
      metricsOf(times(100, request('unauthorized', { status: 401 })), times(20, refresh('ambiguous'))).alerts,
    ).toEqual(['invalid-token-rate', 'refresh-failure-rate']);
  });
});
