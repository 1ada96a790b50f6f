/** Requests that share one rate limit. */
export type LimitScope = 'general' | 'auth' | 'submit' | 'archive';

/** The calls of the API, by name. */
export type RouteName =
  | 'submit'
  | 'retry'
  | 'queue'
  | 'status'
  | 'result'
  | 'job'
  | 'jobs'
  | 'balance'
  | 'login'
  | 'refresh'
  | 'logout'
  | 'v1Login'
  | 'v1Logout';

/** Which of the things that a fault could hit it does hit. */
interface Aim {
  /** How many it hits. Default: every one. */
  times?: number | undefined;
  /** The share of them that it hits, drawn with the backend's own dice, 0 to 1. Default 1. */
  share?: number | undefined;
  /** What it is called in the statistics. Default: its kind. */
  name?: string | undefined;
}

export interface RequestFault extends Aim {
  route: RouteName | 'any';
  /**
   * Before the work: `status` answers `status` at once; `hang` never answers, as when the request is lost; `reset` breaks the
   * connection; `delay` waits `ms`. After the work: `drop-answer` breaks the connection; `truncate` does so in the middle of
   * the body; `dribble` sends the body byte by byte, one each `ms`; `body` answers with this body instead. `duplicate`: the
   * request arrives twice.
   *
   * Something in front of the API: `html` answers `status` with a page, `redirect` sends to `location`. After the work: `cut` and
   * `nan` break the JSON, `slow-body` sends it in ten parts over `ms`, `foreign-row` names another job and user, `date` moves the
   * `Date` header by `ms`.
   */
  kind:
    | 'status'
    | 'hang'
    | 'reset'
    | 'delay'
    | 'drop-answer'
    | 'truncate'
    | 'dribble'
    | 'body'
    | 'duplicate'
    | 'html'
    | 'redirect'
    | 'cut'
    | 'nan'
    | 'slow-body'
    | 'foreign-row'
    | 'date';
  /** For `status`, default 503; for `html`, default 403; for `body`, default what the answer would have had. */
  status?: number | undefined;
  /** Of `body`, and of `status` where it is not the usual error. */
  body?: string | undefined;
  /** More headers of `status`, `html` and `body`. */
  headers?: Record<string, string> | undefined;
  /** Of `redirect`. Default a login page on another origin. */
  location?: string | undefined;
  /** Of `body`. Default `application/json`. */
  contentType?: string | undefined;
  /** The Retry-After header of a `status` fault. */
  retryAfter?: string | undefined;
  /** Of `delay`, `dribble` and `slow-body`, default 1 000; of `date`, default 30 days. */
  ms?: number | undefined;
}

/** Something that happens to an event on its way to a socket. */
export interface EventFault extends Aim {
  route: 'event';
  kind: 'lose' | 'duplicate' | 'delay' | 'malformed';
  /** Of `delay`. Default 1 000. */
  ms?: number | undefined;
}

/** Something that happens to a socket before it is one. `reset` and `hang` give no reason, as a proxy does that knows no WebSocket. */
export interface HandshakeFault extends Aim {
  route: 'handshake';
  kind: 'reset' | 'hang' | 'delay';
  /** Of `delay`. Default 1 000. */
  ms?: number | undefined;
}

/** Something that goes wrong on purpose. The first fault that matches wins. */
export type Fault = RequestFault | EventFault | HandshakeFault;

/** A way in which real servers differ from the contract. */
export type Quirk =
  | 'events-without-job-id'
  /** A job that fails was of a kind that the worker does not know: the event for that has another name. */
  | 'unknown-kind-of-job'
  /** No event reports a change of the balance. */
  | 'no-balance-events'
  /** A completed job's status comes with `resultId: null`. */
  | 'completed-without-result-id'
  /** The status follows the event a second later. */
  | 'status-lags'
  /** Results are given to everybody, without a token. */
  | 'public-results'
  /** A refresh does not end the token before. */
  | 'old-tokens-stay-good'
  /** A socket that authenticates as another user receives the events of both. */
  | 'rooms-pile-up'
  /** Cross-origin requests may carry four headers, and no idempotency key is one of them. */
  | 'gateway-cors'
  /**
   * Idempotency as the original has it where it is switched on: keys are everybody's, are written down late, and where none is sent
   * one is made up of user, name and day, so that other answers on the same day are answered with the first job.
   */
  | 'weak-idempotency'
  /** Any caller may drop the sockets of any user. */
  | 'public-debug-route'
  /** What is submitted is paid for and written down, but never worked on: 500 QUEUE_ERROR, and no refund before the sweeper. */
  | 'queue-down'
  /** An outage of the verifier also answers refreshes with 503, and the assessment routes in the words of the service. */
  | 'outage-takes-refresh'
  /** Submissions are answered with `X-Idempotency-Supported: true`, whether keys are stored or not. */
  | 'announces-keys'
  /** The queue position is 0 while the worker is idle. */
  | 'queue-position-zero'
  /**
   * Errors as the original words them: 401 for an unknown assessment path, 500 for a body that is no JSON, details as a list for a
   * result id that is no UUID, empty details, `IDENTIFIER_NOT_FOUND`, and a retry by `jobId` alone.
   */
  | 'original-errors'
  | 'result-before-done'
  | 'refresh-without-rotation'
  | 'readable-cookie'
  | 'limit-without-retry-after';

/** How the backend behaves. Everything but the port can be changed while it runs. */
export interface BackendOptions {
  /** TCP port on the loopback interface; 0 takes a free one. Default 0. */
  port: number;
  /** Life of a V2 access token, ms. Default 8 000. */
  accessTokenTtlMs: number;
  /** Life of a refresh token, ms. Default 30 days. */
  refreshTokenTtlMs: number;
  /** Life of a V1 token, ms. Default 7 days. */
  v1TokenTtlMs: number;
  /** "The minute": at most one refresh per session in this time, ms. Default 60 000. */
  refreshIntervalMs: number;
  /** How refresh tokens travel. Default `cookie`. */
  refreshTransport: 'cookie' | 'body';
  /** From acceptance to the end of a job, ms. The first tenth, at most 1 s, it is queued. Default 25 000. */
  jobDurationMs: number;
  /** How jobs end; read when one does. Default `completed`. */
  jobOutcome: 'completed' | 'failed';
  /** Attempts of the worker that fail before the one that `jobOutcome` decides. Default 0. */
  failedAttempts: number;
  /** The worker's waits before it tries a failed job again, ms; each failure is published and refunded. Default none. */
  retryDelaysMs: readonly number[];
  /** From the sweeper's verdict on a job to its redelivery: the worker takes it up again, ms. Default null: never. */
  redeliveryMs: number | null;
  /** How long the worker recognises equal answers of a user, ms, and answers with the first result. Default 0: never. */
  dedupWindowMs: number;
  /** Jobs of a user in an hour; the worker fails more. Default unlimited. */
  jobsPerHour: number;
  /** From the arrival of a submission to its answer, ms; keys of `weak-idempotency` are stored after it. Default 0. */
  submitMs: number;
  /** The archive's rows of a finished job are 404 for so long, ms. Default 0. */
  archiveLagMs: number;
  /** Added to every answer, ms. Default 0. */
  latencyMs: number;
  /** While true every access token, fresh ones too, is answered INVALID_TOKEN: the verifier is down. Default false. */
  authOutage: boolean;
  /** `refuse`: Socket.IO handshakes are refused. Default `accept`. */
  sockets: 'accept' | 'refuse';
  /** Whether a submission that is sent twice under one key is recognised. Default true. */
  idempotency: boolean;
  /**
   * Requests that are granted: of an address in 10 minutes (`general`) and 15 (`auth`), of a user in an hour (`submit`) and 15 minutes
   * (`archive`). Default none is limited.
   */
  rateLimits: Partial<Record<LimitScope, number>>;
  /** Credit of a new user. Default 5. */
  initialBalance: number;
  /** Default none: strict. */
  quirks: readonly Quirk[];
  /** Default none. */
  faults: readonly Fault[];
  /** Of the dice that decide which share a fault hits; read once, at the start. Default 1. */
  seed: number;
}

export const defaultOptions: BackendOptions = {
  port: 0,
  accessTokenTtlMs: 8_000,
  refreshTokenTtlMs: 30 * 24 * 3_600_000,
  v1TokenTtlMs: 7 * 24 * 3_600_000,
  refreshIntervalMs: 60_000,
  refreshTransport: 'cookie',
  jobDurationMs: 25_000,
  jobOutcome: 'completed',
  failedAttempts: 0,
  retryDelaysMs: [],
  redeliveryMs: null,
  dedupWindowMs: 0,
  jobsPerHour: Number.POSITIVE_INFINITY,
  submitMs: 0,
  archiveLagMs: 0,
  latencyMs: 0,
  authOutage: false,
  sockets: 'accept',
  idempotency: true,
  rateLimits: {},
  initialBalance: 5,
  quirks: [],
  faults: [],
  seed: 1,
};
