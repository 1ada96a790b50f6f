/**
 * What can go wrong, in our own vocabulary. Server codes end here: nobody above this file matches on a message text or on
 * a code that some gateway chose.
 */
export type ErrorCode =
  /** The server refused the answers; `details` says which fields. Nothing was started. */
  | 'validation'
  /** Not enough credit. Nothing was started. */
  | 'insufficient-credit'
  /** The assessment belongs to somebody else, or the account may not do this. */
  | 'forbidden'
  /** The answers are larger than the server accepts. */
  | 'too-large'
  /** The server refused for a reason that repeating cannot change. */
  | 'rejected'
  /** The analysis itself failed on the server. */
  | 'job-failed'
  /** The result arrived and is not what its schema describes. */
  | 'invalid-result'
  /** A sign-in is needed before the assessment can go on. */
  | 'sign-in-required'
  /** The deadline passed and the analysis still runs. */
  | 'timed-out'
  /** The submission was sent and its answer was lost; without an idempotency key it must not be sent again unasked. */
  | 'outcome-unknown'
  /** No answer from the network. */
  | 'network'
  /** The server answered that it cannot answer now. */
  | 'unavailable'
  /** The server asked us to slow down. */
  | 'rate-limited'
  /** The answer was not what the contract describes. */
  | 'invalid-response'
  /** A defect: something threw that should not have. */
  | 'unexpected';

/** A problem as data: serialisable, free of secrets, safe in a snapshot. */
export interface Problem {
  readonly code: ErrorCode;
  /** English, for developers and logs. What an end user reads comes from `describeProblem`. */
  readonly message: string;
  /** Field name to message, for `validation`. */
  readonly details?: Readonly<Record<string, string>>;
}

/** Base of every error that this package throws. */
export abstract class AssessmentMonitorError extends Error {
  abstract readonly code: ErrorCode | 'unauthorized';
}

/**
 * A protected call was not authorised. Internal to the package: it leads to a refresh or to `auth-failed`, never to a user.
 */
export class UnauthorizedError extends AssessmentMonitorError {
  override readonly name = 'UnauthorizedError' as const;
  readonly code = 'unauthorized' as const;
  /** The generation of the token that was refused, or null when no usable token was there and nothing was sent. */
  readonly generation: number | null;

  constructor(generation: number | null) {
    super(generation === null ? 'no usable access token: nothing was sent' : 'the access token was refused');
    this.generation = generation;
  }
}

/** A failure that time can heal: no network, a timeout, a 5xx, a 429, an unreadable answer. */
export class TransientError extends AssessmentMonitorError {
  override readonly name = 'TransientError' as const;
  readonly code: 'network' | 'unavailable' | 'rate-limited' | 'invalid-response';
  /** What the server asked for, in ms, already clamped; null when it said nothing usable. */
  readonly retryAfterMs: number | null;
  /** Whether the server may have done the work although no proper answer arrived. */
  readonly maybeDone: boolean;

  constructor(
    code: TransientError['code'],
    message: string,
    { retryAfterMs = null, maybeDone = true }: { retryAfterMs?: number | null; maybeDone?: boolean } = {},
  ) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.maybeDone = maybeDone;
  }
}

/** The server understood and refused, and repeating will not change its mind. */
export class RejectedError extends AssessmentMonitorError {
  override readonly name = 'RejectedError' as const;
  readonly code: 'validation' | 'insufficient-credit' | 'forbidden' | 'too-large' | 'rejected';
  readonly status: number;
  readonly details: Readonly<Record<string, string>> | undefined;

  constructor(code: RejectedError['code'], status: number, message: string, details?: Record<string, string>) {
    super(message);
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

/** Thrown by `ensureValidToken` when only a new sign-in can help. */
export class SignInRequiredError extends AssessmentMonitorError {
  override readonly name = 'SignInRequiredError' as const;
  readonly code = 'sign-in-required' as const;

  constructor() {
    super(
      'The session has ended. Sign the user in, then call client.signedIn(...): waiting assessments go on by themselves.',
    );
  }
}

/** Thrown by `ensureValidToken` when there is no usable token now but there may be one later. */
export class TokenUnavailableError extends AssessmentMonitorError {
  override readonly name = 'TokenUnavailableError' as const;
  readonly code = 'unavailable' as const;
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super(`No valid access token right now; the next refresh is possible in ${Math.ceil(retryAfterMs / 1000)} s.`);
    this.retryAfterMs = retryAfterMs;
  }
}

/** An error as a {@link Problem}: what the machine keeps of it. */
export function toProblem(error: unknown): Problem {
  if (!(error instanceof AssessmentMonitorError)) {
    return { code: 'unexpected', message: error instanceof Error ? error.name : typeof error };
  }
  const { message } = error;
  const code = error.code === 'unauthorized' ? 'sign-in-required' : error.code;
  const details = error instanceof RejectedError ? error.details : undefined;
  return details ? { code, message, details } : { code, message };
}
