/**
 * Every reason why an assessment or a call fails. The codes belong to this package: code above this file never matches on a
 * message text or on a code of a server or gateway.
 */
export type ErrorCode =
  /** The server rejected the answers; `details` names the fields. No assessment was started. */
  | 'validation'
  /** Not enough credit. No assessment was started. */
  | 'insufficient-credit'
  /** The assessment belongs to another user, or the account lacks the permission. */
  | 'forbidden'
  /** The answers are larger than the server accepts. */
  | 'too-large'
  /** The server rejected the request for a reason that a retry cannot change. */
  | 'rejected'
  /** Neither the status route nor the archive knows the job any more. */
  | 'job-not-found'
  /** The server reports a failure that a worker may still take back. */
  | 'unconfirmed-failure'
  /** The analysis itself failed on the server. */
  | 'job-failed'
  /** The result arrived and does not fit its schema. */
  | 'invalid-result'
  /** The assessment is paused until the user signs in. */
  | 'sign-in-required'
  /** The deadline has passed and the analysis is still running. */
  | 'timed-out'
  /** The submission was sent and its answer was lost. Without an idempotency key only the user may decide to send it again. */
  | 'outcome-unknown'
  /** No answer from the network. */
  | 'network'
  /** The server is temporarily unavailable, such as a 5xx. */
  | 'unavailable'
  /** The server limited the rate of requests (429). */
  | 'rate-limited'
  /** The answer does not fit the contract. */
  | 'invalid-response'
  /** A defect: an exception that the package does not expect. */
  | 'unexpected';

/** Problems whose texts are true of a delayed assessment: it runs, or may run, on the server. */
export const delayCodes = [
  'network',
  'unavailable',
  'rate-limited',
  'invalid-response',
  'forbidden',
  'job-not-found',
  'unconfirmed-failure',
  'invalid-result',
  'timed-out',
] as const satisfies readonly ErrorCode[];

/** An error as data: serialisable, without secrets, safe in a snapshot. */
export interface Problem {
  readonly code: ErrorCode;
  /** English, for developers and logs. Texts for end users come from `describeProblem`. */
  readonly message: string;
  /** Field name to message, for `validation`. */
  readonly details?: ProblemDetails;
  /** When the next attempt follows, ms since the epoch; only for a wait that a user should know about. */
  readonly retryAt?: number;
}

/** Field name to message. */
export type ProblemDetails = Readonly<Record<string, string>>;

/** Base class of every error that this package throws. `cause` holds the underlying error where there is one. */
export abstract class AssessmentMonitorError extends Error {
  abstract readonly code: ErrorCode | 'unauthorized';
}

/** A protected call was not authorised. Internal to the package: it leads to a refresh or to `auth-failed`. */
export class UnauthorizedError extends AssessmentMonitorError {
  override readonly name = 'UnauthorizedError' as const;
  readonly code = 'unauthorized' as const;
  /** The generation of the rejected token, or null when there was no usable token and no request was sent. */
  readonly generation: number | null;

  constructor(generation: number | null, options?: ErrorOptions) {
    super(generation === null ? 'no usable access token: nothing was sent' : 'the access token was refused', options);
    this.generation = generation;
  }
}

interface TransientErrorOptions extends ErrorOptions {
  /** @default null */
  retryAfterMs?: number | null;
  /** @default true */
  maybeDone?: boolean;
  /** @default null */
  status?: number | null;
}

/** A failed call that a later retry can resolve: no network, a timeout, a 5xx, a 429, an answer that is not the API's. */
export class TransientError extends AssessmentMonitorError {
  override readonly name = 'TransientError' as const;
  readonly code: 'network' | 'unavailable' | 'rate-limited' | 'invalid-response' | 'forbidden' | 'job-not-found';
  /** The wait that the server asked for, ms, already clamped; null where it asked for none. */
  readonly retryAfterMs: number | null;
  /** Whether the server may have processed the request although no valid answer arrived. */
  readonly maybeDone: boolean;
  /** The status of the answer, or null where there was none. */
  readonly status: number | null;

  constructor(
    code: TransientError['code'],
    message: string,
    { retryAfterMs = null, maybeDone = true, status = null, ...options }: TransientErrorOptions = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.maybeDone = maybeDone;
    this.status = status;
  }
}

/** The server rejected the request, and a retry would be rejected too. */
export class RejectedError extends AssessmentMonitorError {
  override readonly name = 'RejectedError' as const;
  readonly code: 'validation' | 'insufficient-credit' | 'forbidden' | 'too-large' | 'rejected';
  readonly status: number;
  readonly details: ProblemDetails | undefined;

  constructor(
    code: RejectedError['code'],
    status: number,
    message: string,
    details?: ProblemDetails,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

/** Thrown by `ensureValidToken` when the session has ended. Only a new sign-in creates a valid token. */
export class SignInRequiredError extends AssessmentMonitorError {
  override readonly name = 'SignInRequiredError' as const;
  readonly code = 'sign-in-required' as const;

  constructor(options?: ErrorOptions) {
    super(
      'The session has ended. Sign the user in, then call client.signedIn(...): paused assessments resume automatically.',
      options,
    );
  }
}

/** Thrown by `ensureValidToken` when there is no usable token now and a later refresh may bring one. */
export class TokenUnavailableError extends AssessmentMonitorError {
  override readonly name = 'TokenUnavailableError' as const;
  readonly code = 'unavailable' as const;
  /** When the next refresh is allowed, ms from now. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number, options?: ErrorOptions) {
    super(
      `No valid access token right now; the next refresh is possible in ${Math.ceil(retryAfterMs / 1000)} s.`,
      options,
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** Converts an error into a {@link Problem} for the machine. The `cause` is left out: it may not be serialisable. */
export function toProblem(error: unknown): Problem {
  if (!(error instanceof AssessmentMonitorError)) {
    return { code: 'unexpected', message: error instanceof Error ? error.name : typeof error };
  }
  const { message } = error;
  const code = error.code === 'unauthorized' ? 'sign-in-required' : error.code;
  const details = error instanceof RejectedError ? error.details : undefined;
  return details ? { code, message, details } : { code, message };
}
