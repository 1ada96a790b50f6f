import type { InspectionEvent } from 'xstate';
import type { Pacing } from '../actors/bind-machine.ts';
import type { RefusalHint } from '../services/api/answer.ts';
import type { ApiPaths, ApiTimeouts } from '../services/api/assessment-api.ts';
import type { StatusWords } from '../services/api/status-words.ts';
import type { ProgressScale } from '../services/job-report.ts';
import type { Random } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { LoadSocketIo } from '../services/feed/socket-io.ts';
import type { MonitorEvent } from '../lib/log.ts';
import type { PageTarget } from '../services/page-signals.ts';
import type { Schema } from '../lib/schema.ts';
import type { TabChannel } from '../services/auth/shared-session.ts';
import type { KeyValueStore } from '../lib/storage.ts';
import type { TabLocks } from '../services/auth/tab-lock.ts';

/** What can be changed in production without a new build: it is read each time it matters. */
export interface RuntimeSettings {
  /** Whether tokens are refreshed at all. Off, a token that dies parks the assessment until the next sign-in. Default true. */
  refresh?: boolean;
  /** From acceptance to the question whether to wait longer, ms. Default 30 min, as long as the server's own limit. */
  monitoringTimeoutMs?: number;
}

/** Options of `createAssessmentClient`. Only `baseUrl` must be given. */
export interface AssessmentClientOptions<Result = unknown> {
  /** Where the API is: an origin, perhaps with a path prefix. In a page, `''` is the page's own origin. */
  baseUrl: string;

  /** What a result looks like: any Standard Schema (zod, arktype, …). Default: any object. */
  resultSchema?: Schema<Result>;

  auth?: {
    /** `v2`: short-lived tokens with refresh. `v1`: one stored token, no refresh. Default `v2`. */
    version?: 'v1' | 'v2';
    /** How a V2 refresh token travels. Default `cookie`: httpOnly, never seen by a script. */
    refreshTransport?: 'cookie' | 'body';
    /** Where a V1 application keeps its token; the first key that holds one wins. Default `['token', 'auth_token']`. */
    v1TokenKeys?: readonly [string, ...string[]];
    /**
     * Whether an answer of the API says that the access token is dead. Such an answer leads to one refresh and one retry. Use it for a
     * backend with a dialect of its own, beside the default.
     *
     * @default the exported `isTokenRefused`: the statuses 401, 419, 440, 498 and 499, codes such as `TOKEN_EXPIRED` under any
     * status, and `WWW-Authenticate: Bearer error="invalid_token"`
     * @example
     * const options = {
     *   baseUrl,
     *   auth: { isTokenRefused: (hint) => hint.code === 'STALE_CREDENTIAL' || isTokenRefused(hint) },
     * };
     */
    isTokenRefused?: (hint: RefusalHint) => boolean;
  };

  /**
   * Status words of the backend beside the common ones, and their meaning. A word that is not known means `processing`, and the log names
   * it once.
   *
   * @default only the common words: `pending`, `running`, `done`, `succeeded`, `error`, `canceled`, `expired` and their like
   * @example
   * const options = { baseUrl, statusWords: { 'in review': 'processing', closed: 'completed' } };
   */
  statusWords?: StatusWords;

  /**
   * How the API counts progress: `percent` from 0 to 100, `fraction` from 0 to 1.
   *
   * @default 'percent'
   */
  progressScale?: ProgressScale;

  /** Paths relative to `baseUrl`; `:id` is the id of the job or the result. */
  paths?: Partial<ApiPaths & { refresh: string; socket: string }>;

  /** Header that carries the idempotency key; null where a gateway's CORS list blocks it. Default `Idempotency-Key`. */
  idempotencyHeader?: string | null;

  /**
   * Socket.IO transports in the order in which they are tried, or false for status polling without a socket.
   *
   * The default is Socket.IO's own order: the connection opens over HTTP and upgrades to a WebSocket. Measured on a real
   * gateway, `['websocket']` alone loses the first 8 s to a handshake that hangs after a start, stops working after one
   * request through the gateway's second proxy, and ends the gateway's process when an upgrade arrives while the
   * notification service is down. The default passed each time.
   *
   * @default { transports: ['polling', 'websocket'] }
   */
  socket?: false | { transports: readonly string[] };

  /** All in ms. Defaults: poll 2 000 to 10 000, heartbeat 45 000, slow check 60 000, distance 1 000, archive 600 000. */
  timings?: Partial<
    Pacing & {
      /** At most one refresh attempt in this time, in this browser profile. Default 60 000. */
      refreshIntervalMs: number;
      /**
       * How long tokens may be refused one after another, with none accepted, before the user is asked to sign in: V2 while refreshes
       * work, V1 while the token has not expired by its `exp`. @default 600_000
       */
      outagePatienceMs: number;
      /** Bound of one refresh call. Default 15 000. */
      refreshTimeoutMs: number;
      /** From opening the socket to being authenticated on it. Default 8 000. */
      connectTimeoutMs: number;
      /** A socket that lived this long was a good one: the backoff starts over. Default 5 000. */
      stableAfterMs: number;
      /** Bounds of the API calls. Default submit 30 000, status 15 000, result 30 000, balance 15 000. */
      timeouts: Partial<ApiTimeouts>;
    }
  >;

  /** Asked whenever one of its values matters. Default: nothing changed. */
  settings?: () => RuntimeSettings;

  /** Everything that happens, one event each, free of secrets: for a log, a timeline, telemetry. */
  onEvent?: (event: MonitorEvent & { at: number }) => void;

  /** Hears everything that happens inside the machines: for `assessment-monitor/inspect`, in development. */
  inspect?: (event: InspectionEvent) => void;

  /** The world. Each part has the platform's own as its default. */
  fetch?: typeof fetch;
  clock?: Clock;
  random?: Random;
  /** Default `crypto.randomUUID`. Ids serve as idempotency keys: letters, digits, `-` and `_` only. */
  createId?: () => string;
  /** Jobs and the refresh budget; outlives the tab. Default `localStorage`. */
  storage?: KeyValueStore;
  /** The access token; outlives a reload. Default `sessionStorage`. */
  tokenStorage?: KeyValueStore;
  /** Lets one tab refresh at a time; null for a client that is alone. Default `navigator.locks` in a page. */
  locks?: TabLocks | null;
  /** Opens the channel over which tabs tell one another of new tokens; null for none. Default `BroadcastChannel` in a page. */
  channel?: ((name: string) => TabChannel) | null;
  /** Default: the document and window, where there are any. */
  page?: PageTarget;
  /** Default `() => import('socket.io-client')`. */
  loadSocketIo?: LoadSocketIo;
}

export const defaultPaths: ApiPaths & { refresh: string; socket: string } = {
  submit: '/api/assessment/submit',
  status: '/api/assessment/status/:id',
  result: '/api/archive/results/:id',
  job: '/api/archive/jobs/:id',
  jobs: '/api/archive/jobs',
  balance: '/api/auth/token-balance',
  refresh: '/api/auth/v2/refresh',
  socket: '/socket.io/',
};

export const defaultTimings = {
  pollMinMs: 2_000,
  pollMaxMs: 10_000,
  heartbeatMs: 45_000,
  slowCheckMs: 60_000,
  minDistanceMs: 1_000,
  archiveAfterMs: 600_000,
  refreshIntervalMs: 60_000,
  outagePatienceMs: 600_000,
  refreshTimeoutMs: 15_000,
  connectTimeoutMs: 8_000,
  stableAfterMs: 5_000,
} as const;

export const defaultTimeouts: ApiTimeouts = { submit: 30_000, status: 15_000, result: 15_000, balance: 15_000 };

export const DEFAULT_MONITORING_TIMEOUT_MS = 30 * 60_000;
