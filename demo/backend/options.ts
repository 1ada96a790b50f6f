/** The calls of the API, by name. */
export type RouteName =
  'submit' | 'status' | 'result' | 'job' | 'balance' | 'login' | 'refresh' | 'logout' | 'v1Login' | 'v1Logout';

/** Something that goes wrong on purpose. The first fault that matches a request wins. */
export interface Fault {
  route: RouteName | 'any';
  /**
   * `status`: answers `status` at once, the work undone. `hang`: never answers. `reset`: breaks the connection before the
   * work. `drop-answer`: does the work, then breaks the connection. `body`: does the work and answers with this body instead.
   */
  kind: 'status' | 'hang' | 'reset' | 'drop-answer' | 'body';
  /** For `status`, default 503; for `body`, default what the answer would have had. */
  status?: number | undefined;
  body?: string | undefined;
  /** Of `body`. Default `application/json`. */
  contentType?: string | undefined;
  /** The Retry-After header of a `status` fault. */
  retryAfter?: string | undefined;
  /** How many requests it hits. Default: every one. */
  times?: number | undefined;
}

/** A way in which real servers differ from the contract. */
export type Quirk =
  | 'events-without-job-id'
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
  /** Added to every answer, ms. Default 0. */
  latencyMs: number;
  /** While true every access token, fresh ones too, is answered INVALID_TOKEN: the verifier is down. Default false. */
  authOutage: boolean;
  /** `refuse`: Socket.IO handshakes are refused. Default `accept`. */
  sockets: 'accept' | 'refuse';
  /** Whether a submission that is sent twice under one key is recognised. Default true. */
  idempotency: boolean;
  /** Credit of a new user. Default 5. */
  initialBalance: number;
  /** Default none: strict. */
  quirks: readonly Quirk[];
  /** Default none. */
  faults: readonly Fault[];
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
  latencyMs: 0,
  authOutage: false,
  sockets: 'accept',
  idempotency: true,
  initialBalance: 5,
  quirks: [],
  faults: [],
};
