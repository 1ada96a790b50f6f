import type { Random } from 'assessment-monitor';
import type { Backend, BackendOptions } from '@assessment-monitor/backend';
import {
  defaultOptions,
  type Fault,
  type Quirk,
  type RequestFault,
  type RouteName,
} from '@assessment-monitor/backend/options';
import { profiles } from '@assessment-monitor/backend/profiles';

/*
 * Everything that can go wrong, at once: faults that hit a share of all requests, events and handshakes, and incidents that hit
 * every user for a while. All of it from one seed, so that a bad run can be had again, as far as two processes march in step.
 */

/** Two to ten minutes, and tokens of less than two, scaled down by a factor of about 20. */
export const TOKEN_TTL_MS = 8_000;
const SHORTEST_JOB_MS = 9_000;
const LONGEST_JOB_MS = 16_000;
/** "The minute" between two refreshes, scaled down likewise. */
export const REFRESH_INTERVAL_MS = 1_000;

type Share = Omit<RequestFault, 'route'>;

const calls: readonly RouteName[] = ['submit', 'status', 'result', 'job', 'jobs', 'balance', 'refresh'];
/** What may safely be asked twice. A refresh that arrives twice is theft to the server, and no network does that. */
const repeatable = calls.filter((it) => it !== 'refresh');
/** Where a refusal in the API's own words says nothing about the job. */
const aboutTheJob: readonly RouteName[] = ['status', 'result', 'job'];
const page = '<!doctype html><html><title>Bad Gateway</title><p>INVALID_TOKEN</p></html>';
const expired = '{"success":false,"error":"TOKEN_EXPIRED","message":"jwt expired"}';
const DAY_MS = 24 * 3_600_000;

const everyDay: readonly Share[] = [
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

/** Something in front of the API answers. */
const inFront: readonly Share[] = [
  { kind: 'html', share: 0.005, status: 400, name: 'front-html-400' },
  { kind: 'html', share: 0.005, status: 401, name: 'front-html-401' },
  { kind: 'html', share: 0.005, status: 403, name: 'front-html-403' },
  { kind: 'html', share: 0.005, status: 404, name: 'front-html-404' },
  { kind: 'status', share: 0.005, status: 403, body: '{"message":"Forbidden"}', name: 'front-json-403' },
  {
    kind: 'html',
    share: 0.003,
    status: 502,
    headers: { Date: 'Mon, 01 Jan 2029 00:00:00 GMT' },
    name: 'front-html-502-date',
  },
  { kind: 'redirect', share: 0.005, name: 'front-login-page' },
];

/** Slow bodies, wrong dates, and JSON that is broken or says something else. */
const misfits: readonly Share[] = [
  { kind: 'slow-body', share: 0.005, ms: 2_500 },
  { kind: 'date', share: 0.005, ms: 30 * DAY_MS, name: 'date-next-month' },
  { kind: 'date', share: 0.005, ms: -DAY_MS, name: 'date-yesterday' },
  { kind: 'cut', share: 0.003 },
  { kind: 'nan', share: 0.003 },
  { kind: 'body', share: 0.003, body: '{"ok":true,"version":"2.1"}', name: 'foreign-success' },
];

/** Dead tokens, in other words than the gateway's. */
const deadTokens: readonly Share[] = [
  { kind: 'status', share: 0.01, status: 401, name: 'status-401' },
  { kind: 'status', share: 0.002, status: 403, body: '{"error":{"code":"token_expired"}}', name: 'dead-token-403' },
  {
    kind: 'status',
    share: 0.002,
    status: 403,
    body: '{"message":"Forbidden"}',
    headers: { 'WWW-Authenticate': 'Bearer realm="api", error="invalid_token"' },
    name: 'dead-token-challenge',
  },
  { kind: 'status', share: 0.002, status: 419, body: '{"message":"Session expired"}', name: 'dead-token-419' },
  { kind: 'status', share: 0.002, status: 440, body: '{"message":"Session expired"}', name: 'dead-token-440' },
  { kind: 'status', share: 0.002, status: 498, body: '{"message":"Token expired"}', name: 'dead-token-498' },
  { kind: 'status', share: 0.002, status: 200, body: expired, name: 'dead-token-200' },
];

const on = (routes: readonly RouteName[], shares: readonly Share[]): Fault[] =>
  routes.flatMap((route) => shares.map((share) => ({ route, ...share })));

/** What a share of all requests, events and handshakes meets. */
const mixedFaults: readonly Fault[] = [
  ...on(calls, [...everyDay, ...inFront, ...misfits]),
  // A refresh that is answered 401 means that the session is over: that is another story, told by the incidents.
  ...on(repeatable, deadTokens),
  ...on(aboutTheJob, [
    { kind: 'status', share: 0.005, status: 403, body: '{"error":{"code":"ORG_MISMATCH"}}', name: 'coded-403' },
    { kind: 'foreign-row', share: 0.005 },
  ]),
  { route: 'refresh', kind: 'body', status: 200, body: '{"error":"invalid_grant"}', share: 0.002, name: 'grant-200' },
  { route: 'refresh', kind: 'body', status: 400, body: '{"error":"invalid_grant"}', share: 0.002, name: 'grant-400' },
  { route: 'submit', kind: 'status', status: 409, retryAfter: '1', share: 0.01, name: 'submit-409' },
  { route: 'status', kind: 'status', status: 404, share: 0.01, name: 'status-404' },
  { route: 'status', kind: 'status', status: 410, share: 0.01, name: 'status-410' },
  { route: 'result', kind: 'status', status: 404, share: 0.02, name: 'result-404' },
  { route: 'event', kind: 'lose', share: 0.1 },
  { route: 'event', kind: 'duplicate', share: 0.1 },
  { route: 'event', kind: 'delay', share: 0.05, ms: 1_500 },
  { route: 'event', kind: 'malformed', share: 0.05 },
  { route: 'handshake', kind: 'reset', share: 0.05 },
  { route: 'handshake', kind: 'hang', share: 0.02 },
  { route: 'handshake', kind: 'delay', share: 0.05, ms: 500 },
];
const duplicates = (routes: readonly RouteName[]) => on(routes, [{ kind: 'duplicate', share: 0.02 }]);

/** A server of the soak: users are spread over all kinds. */
interface ServerKind {
  options: Partial<BackendOptions>;
  faults: readonly Fault[];
  /** The quirks that it always has, beside those that come and go. */
  quirks: readonly Quirk[];
}

/** The worker of the original, scaled down: it tries a failed job again, and recognises answers of the last hour. */
const originalWorker: Partial<BackendOptions> = {
  refreshTransport: profiles.original.refreshTransport,
  refreshIntervalMs: profiles.original.refreshIntervalMs,
  retryDelaysMs: [250, 500, 1_000],
  redeliveryMs: 1_000,
  dedupWindowMs: 3_600_000,
  submitMs: 250,
};
/** `weak-idempotency` is for the server that stores keys. */
const originalQuirks = profiles.original.quirks.filter((it) => it !== 'weak-idempotency');
/** Without keys nothing recognises a submission that the network delivers twice. */
const readable = repeatable.filter((it) => it !== 'submit');

export const serverKinds: readonly ServerKind[] = [
  // The server of the manual.
  { options: {}, faults: [...mixedFaults, ...duplicates(repeatable)], quirks: [] },
  // The original, with idempotency keys that it stores after its work.
  {
    options: originalWorker,
    faults: [...mixedFaults, ...duplicates(readable)],
    quirks: [...originalQuirks, 'weak-idempotency'],
  },
  // The original as it is deployed: it announces keys and stores none.
  {
    options: { ...originalWorker, idempotency: false },
    faults: [...mixedFaults, ...duplicates(readable)],
    quirks: originalQuirks,
  },
];

const quirks: readonly Quirk[] = [
  'events-without-job-id',
  'unknown-kind-of-job',
  'no-balance-events',
  'completed-without-result-id',
  'status-lags',
  'limit-without-retry-after',
];

/** How often each incident comes, compared with the others; what it does, and for how long. */
interface Incident {
  name: string;
  weight: number;
  act?: (backend: Backend) => void;
  /** What it changes for `forMs`. */
  change?: Partial<BackendOptions>;
  forMs?: number;
}

const everywhere = (share: Share): readonly Fault[] => on(calls, [share]);
const incidents: readonly Incident[] = [
  { name: 'tokens-ended-early', weight: 4, act: (it) => it.endTokens() },
  { name: 'sockets-dropped', weight: 4, act: (it) => it.dropSockets() },
  { name: 'sockets-kicked', weight: 3, act: (it) => it.kickSockets() },
  { name: 'restart', weight: 2, act: (it) => it.restart() },
  { name: 'sessions-revoked', weight: 1, act: (it) => it.revokeSessions() },
  { name: 'jobs-swept', weight: 1, act: (it) => it.sweepJobs() },
  { name: 'verifier-down', weight: 2, change: { authOutage: true }, forMs: 1_500 },
  { name: 'no-sockets', weight: 2, change: { sockets: 'refuse' }, forMs: 4_000 },
  { name: 'jobs-fail', weight: 2, change: { jobOutcome: 'failed' }, forMs: 500 },
  { name: 'attempts-fail', weight: 2, change: { failedAttempts: 3 }, forMs: 1_000 },
  { name: 'rows-late', weight: 2, change: { archiveLagMs: 1_500 }, forMs: 3_000 },
  {
    name: 'burst-of-503',
    weight: 3,
    change: { faults: everywhere({ kind: 'status', status: 503, name: 'burst-503' }) },
    forMs: 1_000,
  },
  {
    name: 'firewall',
    weight: 2,
    change: { faults: everywhere({ kind: 'html', status: 403, name: 'firewall-403' }) },
    forMs: 1_000,
  },
  {
    name: 'login-wall',
    weight: 1,
    change: { faults: everywhere({ kind: 'redirect', name: 'login-wall-302' }) },
    forMs: 1_000,
  },
  {
    name: 'status-route-down',
    weight: 2,
    change: { faults: on(['status'], [{ kind: 'status', status: 500, name: 'status-route-500' }]) },
    forMs: 4_000,
  },
];

/** Lets something happen every second or two. Returns how often each incident came, and how to stop. */
export function startIncidents(backend: Backend, kind: ServerKind, random: Random) {
  const happened: Record<string, number> = {};
  const timers = new Set<NodeJS.Timeout>();
  const later = (ms: number, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, ms);
    timers.add(timer);
  };
  const calm = optionsOf(kind);
  const whole = incidents.reduce((sum, { weight }) => sum + weight, 0);
  const draw = (): Incident => {
    let rest = random() * whole;
    return incidents.find(({ weight }) => (rest -= weight) < 0) ?? incidents[0]!;
  };
  const happen = (): void => {
    const { name, act, change = {}, forMs = 0 } = draw();
    happened[name] = (happened[name] ?? 0) + 1;
    act?.(backend);
    backend.configure(change);
    const after = Object.fromEntries(Object.keys(change).map((key) => [key, calm[key as keyof BackendOptions]]));
    if (forMs > 0) later(forMs, () => backend.configure(after));
    backend.configure({
      quirks: [...kind.quirks, ...quirks.filter(() => random() < 0.5)],
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

/** The options of a server at rest. */
export function optionsOf({ options, faults, quirks: always }: ServerKind): BackendOptions {
  return {
    ...defaultOptions,
    accessTokenTtlMs: TOKEN_TTL_MS,
    refreshIntervalMs: REFRESH_INTERVAL_MS,
    jobDurationMs: SHORTEST_JOB_MS,
    initialBalance: 1_000_000,
    ...options,
    faults,
    quirks: always,
  };
}
