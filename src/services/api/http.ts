import type { Observable } from 'rxjs';
import { abortReason } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import { TransientError } from '../../lib/errors.ts';
import type { HttpAnswer } from './answer.ts';
import { parseRetryAfter } from './retry-after.ts';
import { parseJson } from '../../lib/parse-json.ts';

export interface HttpDeps {
  fetch: typeof fetch;
  clock: Clock;
  /** Origin and optional path prefix of the API, without a trailing slash. */
  baseUrl: string;
}

export interface HttpRequest {
  method: string;
  /** Relative to `baseUrl`. Never holds a token: URLs end up in logs. */
  path: string;
  headers?: Record<string, string> | undefined;
  /** Sent as JSON; a `URLSearchParams` is sent as a form. */
  body?: unknown;
  /**
   * The longest silence, ms: from sending to the answer's headers, and between two parts of its body. A body that makes progress is
   * read for up to {@link MAX_SILENCES} times as long. A large request body gets the time that a slow line needs to send it.
   */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** When it emits, the answer counts as lost. Never for a request that changes something on the server: it may have arrived. */
  lost$?: Observable<unknown> | undefined;
  /**
   * Without an answer after so many ms the request is sent once more, beside the first; the first answer counts. For a request that a
   * user waits for and that changes nothing on the server: most answers that are so late never come.
   */
  againAfterMs?: number;
  /** Asked before the second request. */
  mayAskAgain?: () => boolean;
  credentials?: RequestCredentials;
  /** The request outlives the page: what it changes on the server must not be lost halfway. */
  keepalive?: boolean;
  /** The largest Retry-After that is obeyed, ms. */
  maxRetryAfterMs?: number;
}

/** A body may take so many times `timeoutMs` while it makes progress. */
export const MAX_SILENCES = 10;
/** The slowest line that a large request body is given time for, bytes per ms (16 kB/s). */
const UPLOAD_BYTES_PER_MS = 16;
const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

const isForm = (body: unknown): boolean => Object.prototype.toString.call(body) === '[object URLSearchParams]';

/** How a request proves its user: by bearer token, or where that is empty by the browser's cookie. */
export const authorised = (token: string, headers: Record<string, string> = {}) =>
  token === ''
    ? { headers, credentials: 'include' as const }
    : { headers: { ...headers, Authorization: `Bearer ${token}` } };

/**
 * One HTTP exchange. Every answer is an answer, whatever its status; only a missing one is an error.
 *
 * A redirect to another origin is refused: neither answers nor tokens leave the API's origin, and a foreign answer is not read.
 *
 * @throws TransientError `network` when no answer came, it broke off, the page slept through it, or nothing arrived for `timeoutMs`
 * @throws the signal's reason when the caller aborted
 */
export function exchange(deps: HttpDeps, request: HttpRequest): Promise<HttpAnswer> {
  const { clock } = deps;
  const { timeoutMs, signal, lost$, againAfterMs, mayAskAgain } = request;
  if (signal?.aborted) return Promise.reject(abortReason(signal));
  const controller = new AbortController();
  const init = initOf(request, controller.signal);
  const uploadMs = typeof init.body === 'string' ? init.body.length / UPLOAD_BYTES_PER_MS : 0;
  return new Promise((resolve, reject) => {
    let isAskedAgain = false;
    let late: unknown;
    let silence: unknown;
    const end = (): void => {
      clock.clearTimeout(silence);
      clock.clearTimeout(limit);
      clock.clearTimeout(late);
      signal?.removeEventListener('abort', cancel);
      losing?.unsubscribe();
      if (isAskedAgain) controller.abort();
    };
    // A custom fetch may ignore its signal: the caller must not hang with it.
    const giveUp = (reason: unknown): void => {
      end();
      reject(reason as Error);
      controller.abort(reason);
    };
    const cancel = () => giveUp(signal && abortReason(signal));
    const waitFor = (ms: number): void => {
      clock.clearTimeout(silence);
      silence = clock.setTimeout(() => giveUp(noAnswer(`nothing arrived for ${Math.round(ms)} ms`)), ms);
    };
    waitFor(timeoutMs + uploadMs);
    const limit = clock.setTimeout(
      () => giveUp(noAnswer(`no whole answer within ${MAX_SILENCES} times ${timeoutMs} ms`)),
      MAX_SILENCES * timeoutMs + uploadMs,
    );
    signal?.addEventListener('abort', cancel);
    const losing = lost$?.subscribe(() => giveUp(noAnswer('the page slept, and the answer is lost')));
    const onHeaders = (): void => {
      // A long answer is not a late one: a second request would make it longer.
      clock.clearTimeout(late);
      if (!controller.signal.aborted) waitFor(timeoutMs);
    };
    const onProgress = (): void => {
      if (!controller.signal.aborted) waitFor(timeoutMs);
    };
    const send = (): Promise<void> =>
      answerOf(deps, request, init, onHeaders, onProgress).then(
        (answer) => {
          end();
          resolve(answer);
        },
        (cause: unknown) => {
          end();
          reject(cause instanceof TransientError ? cause : noAnswer('the network gave no answer', cause));
        },
      );
    const askAgain = (): void => {
      isAskedAgain = mayAskAgain?.() ?? true;
      if (isAskedAgain) void send();
    };
    if (againAfterMs) late = clock.setTimeout(askAgain, againAfterMs);
    void send();
  });
}

function initOf(request: HttpRequest, signal: AbortSignal): RequestInit {
  const { method, headers, body, credentials, keepalive } = request;
  return {
    method,
    headers: {
      Accept: JSON_TYPE,
      ...(body !== undefined && { 'Content-Type': isForm(body) ? FORM_TYPE : JSON_TYPE }),
      ...headers,
    },
    signal,
    cache: 'no-store',
    ...(body !== undefined && { body: isForm(body) ? String(body) : JSON.stringify(body) }),
    ...(credentials && { credentials }),
    ...(keepalive && { keepalive }),
  };
}

async function answerOf(
  { fetch, clock, baseUrl }: HttpDeps,
  { path, maxRetryAfterMs }: HttpRequest,
  init: RequestInit,
  onHeaders: () => void,
  onProgress: () => void,
): Promise<HttpAnswer> {
  const sentAt = clock.now();
  const { response, isRedirected } = await fetchWithin(fetch, baseUrl + path, init);
  onHeaders();
  const text = response === null ? '' : await readText(response, onProgress);
  const body = parseJson(text);
  const header = (name: string) => response?.headers.get(name) ?? null;
  const date = Date.parse(header('date') ?? '');
  const serverNow = Number.isNaN(date) ? null : date;
  const now = serverNow ?? clock.now();
  return {
    status: response?.status ?? REDIRECTED,
    body,
    sentAt,
    serverNow,
    retryAfterMs:
      parseRetryAfter(header('retry-after'), now, maxRetryAfterMs) ??
      parseRetryAfter((body as { retryAfter?: unknown } | null | undefined)?.retryAfter, now, maxRetryAfterMs),
    headers: response?.headers,
    url: response?.url || baseUrl + path,
    isRedirected,
    isPage: body === undefined && (/html/i.test(header('content-type') ?? '') || /^\s*</.test(text)),
  };
}

/** The status of a redirect that was refused and that the browser hides. */
const REDIRECTED = 302;
const MAX_REDIRECTS = 3;

/**
 * Fetches, and follows redirects within the origin only. `response` is null where a redirect was refused: nothing of a foreign answer
 * is read.
 *
 * A browser does not tell a script where a redirect leads, and once it follows, the body has left. So each request is sent with
 * `redirect: 'manual'`; where the page and the API share an origin, mode `same-origin` lets the browser follow safely.
 */
async function fetchWithin(
  fetch: typeof globalThis.fetch,
  url: string,
  init: RequestInit,
): Promise<{ response: Response | null; isRedirected: boolean }> {
  let response = await fetch(url, { ...init, redirect: 'manual' });
  let from = url;
  for (let hops = 0; isRedirect(response); hops += 1) {
    if (response.type === 'opaqueredirect') {
      if (originOf(from) === null || originOf(from) !== pageOrigin()) return { response: null, isRedirected: true };
      response = await fetch(from, { ...init, redirect: 'follow', mode: 'same-origin' });
      return { response, isRedirected: true };
    }
    const to = targetOf(response, from);
    const keepsMethod = init.method === 'GET' || response.status === 307 || response.status === 308;
    if (to === null || originOf(to) !== originOf(from) || !keepsMethod || hops === MAX_REDIRECTS) {
      void response.body?.cancel();
      return { response: null, isRedirected: true };
    }
    from = to;
    response = await fetch(to, { ...init, redirect: 'manual' });
  }
  // A custom fetch may have followed on its own.
  const isForeign = response.redirected === true && originOf(response.url) !== originOf(url);
  return { response: isForeign ? null : response, isRedirected: from !== url || response.redirected === true };
}

const isRedirect = ({ type, status }: Response): boolean =>
  type === 'opaqueredirect' || [301, 302, 303, 307, 308].includes(status);
const pageOrigin = (): string | null => (globalThis as { location?: Location }).location?.origin ?? null;

/** The origin of an address, whole or of the page; null where it has none. */
export function originOf(url: string): string | null {
  try {
    return new URL(url, (globalThis as { location?: Location }).location?.href).origin;
  } catch {
    // React Native has no `URL.origin`.
    return /^https?:\/\/[^/?#]+/i.exec(url)?.[0].toLowerCase() ?? null;
  }
}

function targetOf(response: Response, from: string): string | null {
  try {
    return new URL(
      response.headers.get('location') ?? '',
      new URL(from, (globalThis as { location?: Location }).location?.href),
    ).href;
  } catch {
    return null;
  }
}

/** Reads a body part by part, so that progress differs from silence. */
async function readText(response: Response, onProgress: () => void): Promise<string> {
  try {
    // React Native and some fakes have no streams.
    const reader = response.body?.getReader?.();
    if (!reader) return await response.text();
    const decoder = new TextDecoder();
    let text = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      onProgress();
      text += decoder.decode(part.value, { stream: true });
    }
    return text + decoder.decode();
  } catch (cause) {
    throw new TransientError('network', 'the answer broke off', { status: response.status, cause });
  }
}

const noAnswer = (message: string, cause?: unknown) => new TransientError('network', message, { cause });
