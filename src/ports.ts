/*
 * The three ports: what an application writes for a backend, a token source or a feed of its own. The default contract is one
 * implementation of each.
 */
import type { IssuedToken } from './services/auth/access-token.ts';
import type { FeedReport } from './services/feed/vocabulary.ts';

/** What one call needs: a token that may be sent now, and a request that is bounded and sends it to the API only. */
export interface Call {
  /**
   * The access token, for an SDK that sends its own requests. It belongs in a header, never in an address. Empty for a session by cookie,
   * see {@link TokenSource}.
   */
  readonly token: string;
  /** Aborts when the assessment no longer needs the answer, and when the call takes too long. */
  readonly signal: AbortSignal;
  /**
   * Sends one request with the token as bearer token. Every answer is an answer, whatever its status. Where a call then throws an error
   * without a status, or returns `running` or what cannot be read, an error in its last answer decides: it needs no code of yours.
   *
   * @param path relative to `baseUrl`, or a whole address within its origin, such as a `Location`, resolved by {@link CallAnswer.url}
   * @throws TransientError no answer came, or it broke off
   * @throws TypeError the address is on another origin: the token does not leave the API
   * @example
   * const { body } = await call.request('/v1/analyses', { body: answers, headers: { 'Idempotency-Key': key } });
   */
  request(path: string, init?: CallInit): Promise<CallAnswer>;
}

/** One request of a {@link Call}. */
export interface CallInit {
  /** @default 'GET', or 'POST' where there is a body */
  method?: string | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON; a `URLSearchParams` is sent as a form. */
  body?: unknown;
}

/** The answer to a request of a {@link Call}. */
export interface CallAnswer {
  /** The whole address that answered. A relative `Location` is relative to it. */
  readonly url: string;
  readonly status: number;
  /** The parsed JSON; undefined where the body is not JSON. */
  readonly body: unknown;
  /** The headers that the page may read: across origins only those that `Access-Control-Expose-Headers` names. */
  readonly headers: Headers;
  /** The wait that the server asks for, ms, bounded; null where it asks for none. */
  readonly retryAfterMs: number | null;
}

/** What an API knows about a job. A state that the implementer does not know is `running`. */
export type ApiJobState =
  | {
      readonly type: 'running';
      /** @default 'processing' */
      readonly status?: 'queued' | 'processing' | undefined;
      /** 0 to 100 */
      readonly percent?: number | null | undefined;
      readonly queuePosition?: number | null | undefined;
      /** The wait that the server asks for before the next question, ms. */
      readonly retryAfterMs?: number | null | undefined;
      /** The API's own id of the user whose job it is, where the answer says. */
      readonly ownerId?: string | null | undefined;
    }
  | {
      readonly type: 'completed';
      /** The id under which `result` finds the result. @default the id of the job */
      readonly resultId?: string | null | undefined;
      readonly ownerId?: string | null | undefined;
    }
  | { readonly type: 'failed'; readonly ownerId?: string | null | undefined };

/** A result, or that it is not there yet. */
export type ApiResultState<Result> =
  | {
      readonly type: 'found';
      readonly result: Result;
      /** The API's own id of the user whose result it is, where the answer says: another user's is not shown. */
      readonly ownerId?: string | null | undefined;
    }
  | { readonly type: 'not-ready'; readonly retryAfterMs?: number | null | undefined };

/** A job that the API has accepted. */
export interface ApiSubmission {
  readonly jobId: string;
  /** Known from the start on some servers. */
  readonly resultId?: string | null | undefined;
  /** The user's credit after the submission. */
  readonly balance?: number | null | undefined;
  /** The wait that the server asks for before the first question, ms. */
  readonly retryAfterMs?: number | null | undefined;
}

/** A row of the user's list of jobs. */
export interface ApiListedJob {
  readonly jobId: string;
  readonly resultId?: string | null | undefined;
  /** When the server took the submission: ms since the epoch by the server's clock, or a text that `Date` reads. */
  readonly createdAt: number | string;
}

/**
 * A backend in three calls. Outcomes are values. What is thrown is sorted by its HTTP status, wherever an SDK keeps it: a refused token
 * leads to one refresh and one retry, a refusal of the submission ends it, and everything else is tried again.
 *
 * The implementer keeps four rules: the same key makes one job, an unknown state is `running`, there is no result before the end, and a
 * refusal of the token is let through.
 */
export interface JobApi<Submission = unknown, Result = unknown> {
  /**
   * Sends the answers. A lost answer is repeated under the same key, so the backend must make one job of one key. For a backend without
   * keys set the option `idempotencyHeader: null`: then only the user sends the answers again.
   *
   * @param key the same key is the same job, however often it is sent: letters, digits, `-` and `_`
   */
  submit(submission: Submission, key: string, call: Call): Promise<ApiSubmission>;
  status(jobId: string, call: Call): Promise<ApiJobState>;
  /** @param id the id of the result, or of the job where `status` named none */
  result(id: string, call: Call): Promise<ApiResultState<Result>>;
  /** A second place that knows jobs, asked when the first does not. */
  job?(jobId: string, call: Call): Promise<ApiJobState>;
  /** The user's jobs, newest first. It tells whether a submission arrived whose answer was lost, and whose a stored job is. */
  jobs?(call: Call): Promise<readonly ApiListedJob[]>;
  balance?(call: Call): Promise<number>;
}

/**
 * An SDK that looks after its own tokens.
 *
 * A session by cookie alone has no token to give: `{ accessToken: '', userId }` sends no `Authorization` header, and the browser adds its
 * cookie, across origins too.
 */
export interface TokenSource {
  /**
   * @param options.fresh the API has refused the token that this source returned last, so a cached one does not help
   * @returns null only when the user is signed out. A token that does not claim its user needs `IssuedToken.userId`: without it each page
   * is another user.
   * @throws anything when there is no answer now, such as a network error: the session is kept, and the question is repeated
   */
  getToken(options: { fresh: boolean }): Promise<string | IssuedToken | null>;
  /** Calls the listener after each sign-in, sign-out and renewal. @returns a function that ends it */
  onChange?(listener: () => void): () => void;
}

/** What a refresh request of an application's own is sent with. */
export interface RefreshCall {
  /** The refresh token of the latest `signedIn` or refresh, whichever tab made it; null where it is in a cookie. */
  readonly refreshToken: string | null;
  /** Aborts when the request takes too long. */
  readonly signal: AbortSignal;
}

/**
 * A refresh request of an application's own: one request, under the client's lock and budget: one at a time and at most one a minute, in
 * all tabs. Whatever else it throws means that the server may have rotated the token.
 *
 * @throws SignInRequiredError the session is over
 * @throws SyntaxError or TransientError `invalid-response`: a page answered. Where the API is answered by a login page too, several of
 * these end the session
 * @throws TransientError with `maybeDone: false`: the server did not rotate the token, such as after a 429
 */
export type RefreshTokens = (call: RefreshCall) => Promise<IssuedToken>;

/** What a feed is connected with. */
export interface FeedConnection {
  /** A token that is good now; empty for a session by cookie. It belongs in a header or a message, never in an address. */
  readonly token: string;
  /** Aborts when the connection is no longer needed. */
  readonly signal: AbortSignal;
  /** The server has accepted the token, and events will arrive from now on. */
  live(): void;
  say(event: FeedMessage): void;
  /** Hears each newer token, for a server that takes one on an open connection. Without a listener the feed connects again. */
  onToken(listener: (token: string) => void): void;
}

/** What a feed may report. Its life (`feed.live`, `feed.lost`) is reported by {@link FeedConnection.live} and by the promise. */
export type FeedMessage = FeedReport;

/**
 * Connects once. The promise settles when the connection is lost; when to connect again, and with which token, is decided by the client.
 */
export type ConnectFeed = (connection: FeedConnection) => Promise<void>;
