import type { MonitorEvent } from 'assessment-monitor';
import { createCollector } from 'assessment-monitor/collect';
import { type BeaconPage, type Meter, toBeacon, toLines, toMeter, toSentry } from 'assessment-monitor/telemetry';
import { describe, expect, it } from 'vitest';

const request: MonitorEvent = {
  type: 'request.finished',
  route: 'status',
  outcome: 'ok',
  status: 200,
  generation: 1,
  ms: 250,
};
const refused: MonitorEvent = { ...request, outcome: 'unauthorized', status: 401, cause: 'skew' };
const unanswered: MonitorEvent = { ...request, outcome: 'transient', status: null, ms: 15_000 };
const refreshed: MonitorEvent = { type: 'refresh.finished', outcome: 'refreshed', ms: 120 };
const limited: MonitorEvent = { type: 'refresh.finished', outcome: 'limited', ms: 80 };
const completed: MonitorEvent = {
  type: 'assessment.settled',
  assessmentId: 'a',
  outcome: 'completed',
  code: null,
  ms: 130_000,
};
const failed: MonitorEvent = { ...completed, outcome: 'failed', code: 'job-failed' };
/** Not measured: a refresh has an event of its own. */
const refreshCall: MonitorEvent = { ...request, route: 'refresh', generation: null };
/** Not measured: it carries no token, so it would make the share of INVALID_TOKEN smaller. */
const healthCall: MonitorEvent = { ...request, route: 'health', generation: null };
const expiring: MonitorEvent = { type: 'token.expiring', generation: 1 };

describe('toMeter', () => {
  function record(...events: MonitorEvent[]) {
    const created: unknown[] = [];
    const recorded: unknown[] = [];
    const meter: Meter = {
      createHistogram(name, { unit, advice }) {
        created.push([name, unit, advice.explicitBucketBoundaries.length]);
        return { record: (value, attributes) => void recorded.push([name, value, attributes]) };
      },
    };
    const hear = toMeter(meter);
    events.forEach(hear);
    return { created, recorded };
  }

  it('creates three histograms of seconds with boundaries of their own', () => {
    expect(record().created).toEqual([
      ['assessment_monitor.request.duration', 's', 7],
      ['assessment_monitor.token.refresh.duration', 's', 7],
      ['assessment_monitor.assessment.duration', 's', 7],
    ]);
  });

  it('records each duration with route, outcome, status code and error type', () => {
    const { recorded } = record(request, refused, unanswered, refreshed, limited, completed, failed);
    expect(recorded).toEqual([
      [
        'assessment_monitor.request.duration',
        0.25,
        { route: 'status', outcome: 'ok', 'http.response.status_code': 200 },
      ],
      [
        'assessment_monitor.request.duration',
        0.25,
        { route: 'status', outcome: 'unauthorized', 'http.response.status_code': 401, 'error.type': 'skew' },
      ],
      ['assessment_monitor.request.duration', 15, { route: 'status', outcome: 'transient', 'error.type': 'no_answer' }],
      ['assessment_monitor.token.refresh.duration', 0.12, { outcome: 'refreshed' }],
      ['assessment_monitor.token.refresh.duration', 0.08, { outcome: 'limited' }],
      ['assessment_monitor.assessment.duration', 130, { outcome: 'completed' }],
      ['assessment_monitor.assessment.duration', 130, { outcome: 'failed', 'error.type': 'job-failed' }],
    ]);
  });

  it('records no call without a token as a request, and nothing of an event without a duration', () => {
    expect(record(refreshCall, healthCall, expiring).recorded).toEqual([]);
  });
});

describe('toLines', () => {
  it('writes each event as one line of JSON, the event as an object of its own', () => {
    const lines: string[] = [];
    toLines((line) => lines.push(line))({ at: 5, ...refused });
    expect(lines).toEqual([
      '{"logger":"assessment-monitor","at":5,"event":{"type":"request.finished","route":"status","outcome":"unauthorized","status":401,"generation":1,"ms":250,"cause":"skew"}}',
    ]);
  });
});

describe('toSentry', () => {
  function hear(...events: MonitorEvent[]) {
    const breadcrumbs: unknown[] = [];
    const messages: unknown[] = [];
    events.forEach(
      toSentry({
        addBreadcrumb: ({ message, level }) => void breadcrumbs.push([message, level]),
        captureMessage: (message, { level, tags }) => void messages.push([message, level, tags]),
      }),
    );
    return { breadcrumbs, messages };
  }

  it('leaves a breadcrumb for each event', () => {
    expect(hear(request, refused, expiring)).toEqual({
      breadcrumbs: [
        ['request.finished', 'info'],
        ['request.finished', 'warning'],
        ['token.expiring', 'info'],
      ],
      messages: [],
    });
  });

  it('reports a failed assessment as an error, and a defect as a warning, with the fields as tags', () => {
    expect(hear(failed, { type: 'answer.unreadable', route: 'status', field: 'data.status' }).messages).toEqual([
      [
        'assessment-monitor: assessment.settled',
        'error',
        { assessmentId: 'a', outcome: 'failed', code: 'job-failed', ms: '130000' },
      ],
      ['assessment-monitor: answer.unreadable', 'warning', { route: 'status', field: 'data.status' }],
    ]);
  });
});

describe('toBeacon', () => {
  function openPage({ accepts = true }: { accepts?: boolean } = {}) {
    const sent: string[] = [];
    const window = new EventTarget();
    const page: BeaconPage & { accepts: boolean } = {
      accepts,
      navigator: {
        sendBeacon(url, body) {
          if (page.accepts) sent.push(`${url} ${body}`);
          return page.accepts;
        },
      },
      addEventListener: (type, listener) => window.addEventListener(type, listener),
    };
    return {
      page,
      sent,
      hide: () => window.dispatchEvent(new Event('visibilitychange')),
      leave: () => window.dispatchEvent(new Event('pagehide')),
    };
  }

  it('sends what is new when the page is hidden or left, and nothing when nothing is', () => {
    const { page, sent, hide, leave } = openPage();
    const hear = toBeacon('/m', page);
    hide();
    [request, { ...request, ms: 50 }, refused].forEach(hear);
    expect(sent).toEqual([]);
    hide();
    leave();
    hear(completed);
    leave();
    expect(sent).toEqual([
      '/m {"request|status|ok|":[0.3,1,1],"request|status|unauthorized|skew":[0.25,null,1]}',
      '/m {"assessment||completed|":[130,null,null,null,1]}',
    ]);
  });

  it('keeps the counts that the browser does not take', () => {
    const { page, sent, hide } = openPage({ accepts: false });
    const hear = toBeacon('/m', page);
    hear(request);
    hide();
    page.accepts = true;
    hear(request);
    hide();
    expect(sent).toEqual(['/m {"request|status|ok|":[0.5,null,2]}']);
  });

  it('does nothing where there is no page', () => {
    expect(() => toBeacon('/m')(request)).not.toThrow();
  });

  it('sends nothing that the collector does not understand', () => {
    const { page, sent, leave } = openPage();
    const hear = toBeacon('', page);
    const codes = [null, 200, 202, 400, 401, 402, 403, 404, 409, 418, 419, 429, 500, 503, 599];
    for (const status of codes)
      for (const outcome of ['ok', 'unauthorized', 'transient', 'rejected'] as const)
        for (const route of ['submit', 'status', 'result', 'job', 'jobs', 'balance'] as const)
          hear({ ...request, status, outcome, route });
    const aborted = { ...unanswered, outcome: 'aborted' } as const;
    [aborted, refused, refreshed, limited, completed, failed].forEach(hear);
    leave();
    const collector = createCollector();
    expect(collector.take(sent[0] ?? '')).toBe(true);
    const total = collector
      .prometheus()
      .split('\n')
      .filter((line) => line.includes('_count{'))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    expect(total).toBe(codes.length * 4 * 6 + 6);
  });
});
