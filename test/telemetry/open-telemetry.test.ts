import { createAssessmentClient } from 'assessment-monitor';
import { toMeter } from 'assessment-monitor/telemetry';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Backend, startBackend } from '../../backend/index.ts';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { cookieFetch } from '../../e2e/scenarios/cookie-fetch.ts';

/* 200 assessments on the reference backend, through OpenTelemetry's SDK. The server's counts are the judge. */

const ASSESSMENTS = 200;
let backend: Backend;
const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const provider = new MeterProvider({ readers: [reader] });

interface Point {
  attributes: Record<string, unknown>;
  count: number;
}

beforeAll(async () => {
  backend = await startBackend({
    accessTokenTtlMs: 60_000,
    jobDurationMs: 300,
    refreshIntervalMs: 0,
    initialBalance: 1_000,
    faults: [
      { route: 'status', kind: 'status', status: 503, times: 30, share: 0.2, name: 'unavailable' },
      { route: 'status', kind: 'status', status: 401, times: 15, share: 0.1 },
      {
        route: 'status',
        kind: 'status',
        status: 401,
        times: 5,
        share: 0.1,
        body: '{"error":{"code":"TOKEN_EXPIRED"}}',
      },
      { route: 'result', kind: 'status', status: 401, times: 10, share: 0.1 },
    ],
  });
});
afterAll(async () => {
  await provider.shutdown();
  await backend.close();
});

async function exported(): Promise<Record<string, Point[]>> {
  await reader.forceFlush();
  const latest = exporter.getMetrics().at(-1);
  return Object.fromEntries(
    (latest?.scopeMetrics ?? []).flatMap(({ metrics }) =>
      metrics.map(({ descriptor, dataPoints }) => [
        descriptor.name,
        dataPoints.map(({ attributes, value }) => ({ attributes, count: (value as { count: number }).count })),
      ]),
    ),
  );
}
const total = (points: Point[] | undefined, where: (attributes: Point['attributes']) => boolean): number =>
  (points ?? []).filter(({ attributes }) => where(attributes)).reduce((sum, { count }) => sum + count, 0);

describe('toMeter with the SDK of OpenTelemetry', () => {
  it(`exports for ${ASSESSMENTS} assessments what the server counted`, async () => {
    const onEvent = toMeter(provider.getMeter('test'));
    const timings = { pollMinMs: 50, pollMaxMs: 100, minDistanceMs: 0, refreshIntervalMs: 0 };
    const openUser = async (number: number) => {
      const fetch = cookieFetch();
      const client = createAssessmentClient({
        baseUrl: backend.url,
        socket: false,
        fetch,
        onEvent,
        timings,
        random: () => 0,
      });
      const body = JSON.stringify({ email: `user-${number}@example.test`, password: 'correct-horse' });
      const headers = { 'Content-Type': 'application/json' };
      const response = await fetch(`${backend.url}/api/auth/v2/login`, {
        method: 'POST',
        headers,
        body,
        credentials: 'include',
      });
      const { data } = (await response.json()) as { data: { idToken: string; expiresIn: string } };
      client.signedIn({ accessToken: data.idToken, expiresIn: data.expiresIn });
      return client;
    };
    const clients = await Promise.all(Array.from({ length: 20 }, (_, number) => openUser(number)));
    // One after the other for each user: a result that is late by seconds would be asked for twice.
    const views = await Promise.all(
      clients.map(async (client, user) => {
        const phases: string[] = [];
        for (let number = user; number < ASSESSMENTS; number += clients.length) {
          const answers = { ...sampleAnswers, assessment_name: `Assessment ${number}` };
          phases.push((await client.submit(answers).settled()).phase);
        }
        return phases;
      }),
    );
    expect(views.flat()).toEqual(Array.from({ length: ASSESSMENTS }, () => 'completed'));
    const counts = backend.counts();
    const metrics = await exported();
    const requests = metrics['assessment_monitor.request.duration'];
    const of = (route: string) => total(requests, (it) => it['route'] === route && it['outcome'] !== 'aborted');
    expect({
      submit: of('submit'),
      status: of('status'),
      result: of('result'),
      refused: total(requests, (it) => it['http.response.status_code'] === 401),
      unavailable: total(requests, (it) => it['http.response.status_code'] === 503),
      refreshed: total(metrics['assessment_monitor.token.refresh.duration'], (it) => it['outcome'] === 'refreshed'),
      completed: total(metrics['assessment_monitor.assessment.duration'], (it) => it['outcome'] === 'completed'),
    }).toEqual({
      submit: counts.submitCalls,
      status: counts.statusCalls,
      result: counts.resultCalls,
      refused: counts.unauthorizedAnswers,
      unavailable: backend.faultsInjected()['unavailable'] ?? 0,
      refreshed: counts.refreshes,
      completed: ASSESSMENTS,
    });
    const causes = new Set(
      requests
        ?.filter(({ attributes }) => attributes['outcome'] === 'unauthorized')
        .map(({ attributes }) => attributes['error.type']),
    );
    expect(causes.size).toBeGreaterThan(1);
    for (const client of clients) client.dispose();
  });
});
