import { parseRetryAfter } from '../services/api/retry-after.ts';
import type { Call, CallAnswer, CallInit } from '../ports.ts';
import { parseJson } from '../lib/parse-json.ts';

/** What a {@link testCall} is made of. */
export interface TestCallOptions {
  /** The address of the API, as the client gets it. */
  baseUrl: string;
  token: string;
  /** @default a signal that never aborts */
  signal?: AbortSignal;
  /** @default the platform's own */
  fetch?: typeof fetch;
}

/**
 * A `Call` for tests of a `JobApi`, without a client: real requests, the token in a header, and none to another origin.
 *
 * @example
 * const { jobId } = await api.submit(answers, crypto.randomUUID(), testCall({ baseUrl, token }));
 */
export function testCall({ baseUrl, token, signal = new AbortController().signal, fetch }: TestCallOptions): Call {
  return {
    token,
    signal,
    async request(path, init = {}) {
      const url = addressOf(path, baseUrl);
      const send = fetch ?? globalThis.fetch;
      const response = await send(url, { ...initOf(init, token), signal, cache: 'no-store' });
      return answerOf(response, url, await response.text());
    },
  };
}

function addressOf(path: string, baseUrl: string): string {
  const isWhole = /^[a-z][a-z0-9+.-]*:/i.test(path);
  const url = isWhole ? path : `${baseUrl.replace(/\/$/, '')}/${path.replace(/^\//, '')}`;
  if (new URL(url).origin === new URL(baseUrl).origin) return url;
  throw new TypeError('The address is on another origin: the token does not leave the API.');
}

function initOf({ method, headers, body }: CallInit, token: string): RequestInit {
  const isForm = body instanceof URLSearchParams;
  const type = isForm ? 'application/x-www-form-urlencoded' : 'application/json';
  return {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      Accept: 'application/json',
      ...(body !== undefined && { 'Content-Type': type }),
      ...headers,
      Authorization: `Bearer ${token}`,
    },
    ...(body !== undefined && { body: isForm ? body.toString() : JSON.stringify(body) }),
  };
}

function answerOf({ status, headers, url }: Response, asked: string, text: string): CallAnswer {
  const retryAfterMs = parseRetryAfter(headers.get('retry-after'), Date.now());
  return { url: url || asked, status, headers, retryAfterMs, body: parseJson(text) };
}
