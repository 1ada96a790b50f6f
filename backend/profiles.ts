import type { BackendOptions } from './options.ts';

/**
 * What a backend can be as a whole. `strict` is the server of the manual: rotating tokens, one refresh a minute, events that name
 * their job. `original` is the server that users have: everything that was measured of it, its crash aside.
 */
export const profiles = {
  strict: {},
  original: {
    accessTokenTtlMs: 3_600_000,
    refreshTransport: 'body',
    // Only the limit below counts refreshes there, for the whole address.
    refreshIntervalMs: 0,
    // Compose files do not switch it on.
    idempotency: false,
    rateLimits: { general: 5_000, auth: 2_500, submit: 1_000, archive: 2_000 },
    initialBalance: 3,
    retryDelaysMs: [5_000, 10_000, 20_000],
    redeliveryMs: 15_000,
    dedupWindowMs: 3_600_000,
    jobsPerHour: 5,
    submitMs: 2_100,
    quirks: [
      'events-without-job-id',
      'no-balance-events',
      'completed-without-result-id',
      'status-lags',
      'public-results',
      'old-tokens-stay-good',
      'rooms-pile-up',
      'gateway-cors',
      'weak-idempotency',
      'public-debug-route',
      'outage-takes-refresh',
      'announces-keys',
      'queue-position-zero',
      'original-errors',
    ],
  },
} as const satisfies Record<string, Partial<BackendOptions>>;
