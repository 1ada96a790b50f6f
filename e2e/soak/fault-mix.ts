import type { Random } from 'assessment-monitor';
import type { Backend } from '@assessment-monitor/backend';
import type { Fault, Quirk, RequestFault, RouteName } from '@assessment-monitor/backend/options';

/*
 * Everything that can go wrong, at once: faults that hit a share of all requests, events and handshakes, and incidents that hit
 * everybody for a while. All of it from one seed, so that a bad run can be had again, as far as two processes march in step.
 */

const calls: readonly RouteName[] = ['submit', 'status', 'result', 'job', 'balance', 'refresh'];
/** What may safely be asked twice. A refresh that arrives twice is theft to the server, and no network does that. */
const repeatable: readonly RouteName[] = ['submit', 'status', 'result', 'job', 'balance'];
const page = '<!doctype html><html><title>Bad Gateway</title><p>INVALID_TOKEN</p></html>';

const everyDay: readonly Omit<RequestFault, 'route'>[] = [
  { kind: 'delay', share: 0.03, ms: 400 },
  { kind: 'hang', share: 0.005 },
  { kind: 'reset', share: 0.015 },
  { kind: 'drop-answer', share: 0.015 },
  { kind: 'truncate', share: 0.01 },
  { kind: 'dribble', share: 0.003, ms: 20 },
  { kind: 'status', share: 0.01, status: 503, name: 'status-503' },
  { kind: 'status', share: 0.005, status: 500, name: 'status-500' },
  { kind: 'status', share: 0.005, status: 504, retryAfter: '1', name: 'status-504-retry-after' },
  { kind: 'status', share: 0.005, status: 429, retryAfter: '1', name: 'status-429' },
  { kind: 'body', share: 0.005, body: '{"success":true,"data":{"jobId":', name: 'malformed-body' },
  { kind: 'body', share: 0.005, body: '{"success":true,"data":null}', name: 'empty-body' },
  { kind: 'body', share: 0.005, body: 'pong', contentType: 'image/png', name: 'wrong-content-type' },
  { kind: 'body', share: 0.005, status: 502, body: page, contentType: 'text/html', name: 'html-502' },
  { kind: 'body', share: 0.005, body: page, contentType: 'text/html', name: 'html-200' },
];

/** What a share of all requests, events and handshakes meets. */
export const mixedFaults: readonly Fault[] = [
  ...calls.flatMap((route) => everyDay.map((fault) => ({ route, ...fault }))),
  ...repeatable.map((route) => ({ route, kind: 'duplicate', share: 0.02 }) as const),
  // A refresh that is answered 401 means that the session is over: that is another story, told by the incidents.
  ...repeatable.map((route) => ({ route, kind: 'status', status: 401, share: 0.01, name: 'status-401' }) as const),
  { route: 'status', kind: 'status', status: 404, share: 0.01, name: 'status-404' },
  { route: 'result', kind: 'status', status: 404, share: 0.02, name: 'result-404' },
  { route: 'event', kind: 'lose', share: 0.1 },
  { route: 'event', kind: 'duplicate', share: 0.1 },
  { route: 'event', kind: 'delay', share: 0.05, ms: 1_500 },
  { route: 'event', kind: 'malformed', share: 0.05 },
  { route: 'handshake', kind: 'reset', share: 0.05 },
  { route: 'handshake', kind: 'hang', share: 0.02 },
  { route: 'handshake', kind: 'delay', share: 0.05, ms: 500 },
];

const burst: readonly Fault[] = calls.map((route) => ({ route, kind: 'status', status: 503, name: 'burst-503' }));
const quirks: readonly Quirk[] = [
  'events-without-job-id',
  'unknown-kind-of-job',
  'no-balance-events',
  'completed-without-result-id',
  'status-lags',
  'limit-without-retry-after',
];

/** How often each incident comes, compared with the others; what it does, and what ends it after how long. */
const incidents: readonly [
  name: string,
  weight: number,
  act: (backend: Backend) => void,
  forMs?: number,
  end?: (backend: Backend) => void,
][] = [
  ['tokens-ended-early', 4, (it) => it.endTokens()],
  ['sockets-dropped', 4, (it) => it.dropSockets()],
  ['sockets-kicked', 3, (it) => it.kickSockets()],
  ['restart', 2, (it) => it.restart()],
  ['sessions-revoked', 1, (it) => it.revokeSessions()],
  ['jobs-swept', 1, (it) => it.sweepJobs()],
  ['verifier-down', 2, (it) => it.configure({ authOutage: true }), 1_500, (it) => it.configure({ authOutage: false })],
  ['no-sockets', 2, (it) => it.configure({ sockets: 'refuse' }), 4_000, (it) => it.configure({ sockets: 'accept' })],
  ['burst-of-503', 3, (it) => it.configure({ faults: burst }), 1_000, (it) => it.configure({ faults: mixedFaults })],
  [
    'jobs-fail',
    2,
    (it) => it.configure({ jobOutcome: 'failed' }),
    500,
    (it) => it.configure({ jobOutcome: 'completed' }),
  ],
];

/** Lets something happen every second or two. Returns how often each incident came, and how to stop. */
export function startIncidents(backend: Backend, random: Random) {
  const happened: Record<string, number> = {};
  const timers = new Set<NodeJS.Timeout>();
  const later = (ms: number, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, ms);
    timers.add(timer);
  };
  const whole = incidents.reduce((sum, [, weight]) => sum + weight, 0);
  const draw = () => {
    let rest = random() * whole;
    return incidents.find(([, weight]) => (rest -= weight) < 0) ?? incidents[0]!;
  };
  const happen = (): void => {
    const [name, , act, forMs, end] = draw();
    happened[name] = (happened[name] ?? 0) + 1;
    act(backend);
    if (forMs !== undefined && end) later(forMs, () => end(backend));
    backend.configure({
      quirks: quirks.filter(() => random() < 0.5),
      jobDurationMs: Math.round(SHORTEST_JOB_MS + random() * (LONGEST_JOB_MS - SHORTEST_JOB_MS)),
    });
    later(1_000 + random() * 1_500, happen);
  };
  later(1_000, happen);
  return {
    happened: () => ({ ...happened }),
    stop: () => timers.forEach((timer) => clearTimeout(timer)),
  };
}

/** Two to ten minutes, and tokens of less than two, scaled down by a factor of about 20. */
export const TOKEN_TTL_MS = 8_000;
export const SHORTEST_JOB_MS = 9_000;
const LONGEST_JOB_MS = 16_000;
/** "The minute" between two refreshes, scaled down likewise. */
export const REFRESH_INTERVAL_MS = 1_000;
