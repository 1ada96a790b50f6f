import type { InspectionEvent } from 'xstate';
import { defaultPacing, type Pacing } from '../actors/delays.ts';
import type { RefusalHint } from '../services/api/answer.ts';
import type { ApiPaths, ApiTimeouts } from '../services/api/assessment-api.ts';
import type { StatusWords } from '../services/api/status-words.ts';
import type { ProgressScale } from '../services/job-report.ts';
import type { Random } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { ConnectFeed, JobApi, RefreshTokens, TokenSource } from '../ports.ts';
import type { LoadSocketIo } from '../services/feed/socket-io.ts';
import type { MonitorEvent } from '../lib/log.ts';
import type { PageTarget } from '../services/page-signals.ts';
import type { Messages } from '../messages/index.ts';
import type { Schema } from '../lib/schema.ts';
import type { TabChannel } from '../services/auth/shared-session.ts';
import type { KeyValueStore } from '../lib/storage.ts';
import type { TabLocks } from '../services/auth/tab-lock.ts';

/**
 * Settings that can change in production without a new build. A change applies to assessments that are under way, too. A value that
 * makes no sense counts as its last good one.
 */
export interface RuntimeSettings {
  /**
   * Whether tokens are refreshed at all. When off, a token that expires pauses the assessment until the next sign-in, or until it is on
   * again.
   *
   * @default true
   */
  refresh?: boolean | undefined;
  /** Whether a token is refreshed ahead of its expiry. When off, it is refreshed when it has expired. @default true */
  preventiveRefresh?: boolean | undefined;
  /** Whether the socket is used. When off, assessments poll. @default true */
  socket?: boolean | undefined;
  /**
   * Between two status polls of a job of any age, ms, from 1_000 to 60_000. A wait that has begun ends as it began.
   *
   * @default `timings.pollMinMs` to `timings.pollMaxMs`, by the age of the job
   */
  pollIntervalMs?: number | undefined;
  /**
   * From the acceptance to the question whether to wait longer, ms. A change moves the deadline of an assessment under way by the
   * difference.
   *
   * @default 1_800_000, the server's own limit
   */
  monitoringTimeoutMs?: number | undefined;
}

/** Settings that announce their changes, such as `settingsFrom` makes of a feature flag client. */
export interface SettingsSource {
  get(): RuntimeSettings;
  /** Calls the listener after each change. @returns a function that ends it */
  subscribe(listener: () => void): () => void;
}

/** How the API authenticates. `v2`: short-lived tokens with refresh. `v1`: one stored token, no refresh. */
export type AuthVersion = 'v1' | 'v2';

/**
 * Options of `createAssessmentClient`. Only `baseUrl` is required.
 *
 * @template Found what the `api` returns as a result, before the schema
 */
export interface AssessmentClientOptions<Result = unknown, Submission = unknown, Found = Result> {
  /** The address of the API: an origin, optionally with a path prefix. In a page, `''` is the page's own origin. */
  baseUrl: string;

  /**
   * A backend with a contract of its own, in three calls. The client keeps its guarantees: tokens, retries, bounds, waits, one submission,
   * and the schema. The options `paths`, `statusWords` and `progressScale` then say nothing about these calls.
   *
   * @default the contract of docs/protocol.md
   * @example
   * const api: JobApi<Answers, Report> = {
   *   async submit(answers, key, call) {
   *     const { body } = await call.request('/jobs', { body: answers, headers: { 'Idempotency-Key': key } });
   *     return { jobId: idIn(body) };
   *   },
   *   status: async (jobId, call) => stateIn(await call.request(`/jobs/${jobId}`)),
   *   result: async (jobId, call) => resultIn(await call.request(`/jobs/${jobId}/result`)),
   * };
   */
  api?: JobApi<Submission, Found> | undefined;

  /** The shape of a result: any Standard Schema (zod, arktype, …). @default any object */
  resultSchema?: Schema<Result>;

  auth?: {
    /** `v2`: short-lived tokens with refresh. `v1`: one stored token, no refresh. @default 'v2' */
    version?: AuthVersion;
    /**
     * An SDK that looks after its own tokens: the client asks it, and keeps none. Options of the own tokens (`version`, `refreshTransport`,
     * `refresh`, `v1TokenKeys`) do not apply. Where the SDK reports no changes, call `signedOut` at a sign-out.
     *
     * @example
     * const source: TokenSource = { getToken: ({ fresh }) => auth.currentUser?.getIdToken(fresh) ?? null };
     */
    source?: TokenSource | undefined;
    /**
     * A refresh request of your own, for auth V2 with another route or dialect. When it is sent is decided by the client.
     *
     * @default a request in the contract of docs/protocol.md
     */
    refresh?: RefreshTokens | undefined;
    /** How a V2 refresh token travels. `cookie` is httpOnly and invisible to scripts. @default 'cookie' */
    refreshTransport?: 'cookie' | 'body';
    /** The storage keys of a V1 application's token; the first key that holds one wins. @default ['token', 'auth_token'] */
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
  paths?: Partial<ApiPaths & ServicePaths>;

  /**
   * Header that carries the idempotency key; null where a gateway's CORS list blocks it. With an {@link api}, null says that the backend
   * may make two jobs of one key.
   *
   * @default 'Idempotency-Key'
   */
  idempotencyHeader?: string | null;

  /**
   * A feed of your own in place of Socket.IO. It connects once; when to connect, with which token, and when again is decided by the client,
   * and all assessments share the connection.
   *
   * @default Socket.IO, see {@link socket}
   * @example
   * const feed: ConnectFeed = async ({ token, signal, live, say }) => {
   *   for await (const event of openStream('/events', token, signal)) {
   *     if (event.type === 'hello') live();
   *     else if (event.type === 'done') say({ type: 'job.completed', jobId: event.job, resultId: null });
   *   }
   * };
   */
  feed?: ConnectFeed | undefined;

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

  /** All in ms. */
  timings?: Partial<
    Pacing & {
      /** At most one refresh attempt in this time, in this browser profile. @default 60_000 */
      refreshIntervalMs: number;
      /**
       * How long tokens may be refused one after another, with none accepted, before the user is asked to sign in: V2 while refreshes
       * work, V1 while the token has not expired by its `exp`. @default 600_000
       */
      outagePatienceMs: number;
      /** Bound of one refresh call. @default 15_000 */
      refreshTimeoutMs: number;
      /** From opening the socket to being authenticated on it. @default 8_000 */
      connectTimeoutMs: number;
      /** A socket that stays live this long resets the reconnect backoff. @default 5_000 */
      stableAfterMs: number;
      /** Bounds of the API calls. @default { submit: 30_000, status: 15_000, result: 30_000, balance: 15_000 } */
      timeouts: Partial<ApiTimeouts>;
    }
  >;

  /**
   * A function is called whenever one of its values matters, and every 10 s while an assessment is under way. A source announces its
   * changes.
   *
   * @default no change
   */
  settings?: (() => RuntimeSettings) | SettingsSource | undefined;

  /** Receives everything that happens, the client's own creation included, one event each and free of secrets. */
  onEvent?: (event: MonitorEvent & { at: number }) => void;

  /** Receives XState's inspection events: for `assessment-monitor/inspect`, in development. */
  inspect?: (event: InspectionEvent) => void;

  /**
   * Where answers wait until the server has accepted them, for a day at most: in the tab's `sessionStorage` (option `tokenStorage`), which
   * survives a reload and ends with the tab; in `localStorage` (option `storage`), where another tab can send them as well; or in memory
   * only, where a reload before the acceptance loses them. React Native has no `sessionStorage`: there the default is memory as well.
   *
   * @default 'session', the least that survives a reload
   */
  unsentAnswers?: 'session' | 'local' | 'memory' | undefined;

  /**
   * How long the record of a job is kept in this browser, ms: from the submission, and again from the moment that its user is no longer
   * signed in. It holds ids; the answers are erased with the acceptance, the sign-out or the next user's sign-in. The record of a failed
   * job is kept for a day.
   *
   * @default 604_800_000, 7 days
   */
  keepForMs?: number | undefined;

  /**
   * For how long after it was first shown a result is shown again after a reload, ms, to its user only. The browser keeps the ids of the
   * job and not the result: the client fetches the result again, with a valid token. Ends early with the sign-out, with the sign-in of
   * another user, and with `dismiss`.
   *
   * @default no time: after a reload the page is ready for the next assessment
   * @example
   * const options = { baseUrl, keepResult: 15 * 60_000 };
   */
  keepResult?: number | undefined;

  /**
   * Texts for end users, in more languages or in place of single ones of the package. A view then has them in `error.message`.
   *
   * @default English and Indonesian
   * @example
   * const options = { baseUrl, messages: { de: { network: 'Es gibt gerade keine Verbindung. Wir versuchen es weiter.' } } };
   */
  messages?: Messages | undefined;

  // The environment.

  /**
   * Sends the requests. A `fetch` of your own has to repeat a refresh itself when the page's keepalive quota refuses it.
   *
   * @default the platform's own; a refresh that a full keepalive quota of the page refuses is sent without `keepalive`
   */
  fetch?: typeof fetch;
  /** The time and the timers. @default the system's */
  clock?: Clock;
  /** Numbers from 0 to 1, for the jitter of waits. @default Math.random */
  random?: Random;
  /**
   * Ids serve as idempotency keys: letters, digits, `-` and `_` only.
   *
   * @default crypto.randomUUID; where it is missing, a UUID of crypto.getRandomValues or of Math.random, and the log says so
   */
  createId?: () => string;
  /**
   * Records of jobs, the position of the session and the refresh budget; outlives the tab. With auth V1 also the token.
   *
   * @default localStorage in a page, memory elsewhere
   */
  storage?: KeyValueStore;
  /**
   * The access token; outlives a reload. Also the refresh token with `refreshTransport: 'body'`, and answers that were not accepted yet,
   * see {@link unsentAnswers}.
   *
   * @default sessionStorage in a page, memory elsewhere; for the token of auth V1 the option `storage`
   */
  tokenStorage?: KeyValueStore;
  /** Lets one tab refresh at a time; null for a client without other tabs. @default navigator.locks, in a page */
  locks?: TabLocks | null;
  /** Opens the channel over which tabs share new tokens, sign-ins and sign-outs; null for none. @default BroadcastChannel, in a page */
  channel?: ((name: string) => TabChannel) | null;
  /**
   * Says when the page is visible, online or awake again, and when another tab has changed the storage. React Native: `appPage`.
   *
   * @default the document and window, where they exist
   */
  page?: PageTarget;
  /** Loads Socket.IO on its first use. @default () => import('socket.io-client') */
  loadSocketIo?: LoadSocketIo;
}

/** Where the calls go that are not about a job. */
export interface ServicePaths {
  refresh: string;
  socket: string;
  /**
   * The health route of the auth service, which needs no token. While the API refuses a token that should still be valid, the client asks it
   * whether the service is there: before it spends the refresh of that minute, and every 15 to 45 s while an assessment waits (at first,
   * and for a finished result, more often). A server error, or no answer, means that the service is down, and a success with JSON
   * that it is there. A route that does not exist, or is wrong, is ignored. Null: it is never asked.
   *
   * @default '/api/auth/v2/health', or null with another `refresh` path, an `api` of the application's own, `auth.source` or `auth.refresh`
   */
  health: string | null;
}

export const defaultPaths: ApiPaths & ServicePaths & { health: string } = {
  submit: '/api/assessment/submit',
  status: '/api/assessment/status/:id',
  result: '/api/archive/results/:id',
  job: '/api/archive/jobs/:id',
  jobs: '/api/archive/jobs',
  balance: '/api/auth/token-balance',
  refresh: '/api/auth/v2/refresh',
  health: '/api/auth/v2/health',
  socket: '/socket.io/',
};

export const defaultTimings = {
  ...defaultPacing,
  refreshIntervalMs: 60_000,
  outagePatienceMs: 600_000,
  refreshTimeoutMs: 15_000,
  connectTimeoutMs: 8_000,
  stableAfterMs: 5_000,
} as const;

export const defaultTimeouts: ApiTimeouts = { submit: 30_000, status: 15_000, result: 30_000, balance: 15_000 };

export const DEFAULT_MONITORING_TIMEOUT_MS = 30 * 60_000;
