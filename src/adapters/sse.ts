import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { ConnectFeed, FeedMessage } from '../ports.ts';
import { claimedUser } from '../services/auth/access-token.ts';

/** Options of {@link sse}. */
export interface SseOptions {
  /** The address of the stream. */
  url: string;
  /**
   * Translates an event of the server; null for one that says nothing of a job. An event for which it throws is ignored.
   *
   * @param data the parsed JSON of the event; the text itself where it is not JSON
   * @param event the event as it came, with its name and its id
   */
  toMessage: (data: unknown, event: EventSourceMessage) => FeedMessage | null;
  /** @default the platform's own */
  fetch?: typeof fetch;
}

/**
 * A feed of Server-Sent Events. The token travels in a header, which `EventSource` cannot do: its address would end up in logs.
 *
 * After a loss the next connection sends `Last-Event-ID`, for the same user only. The stream is live when the server has answered 200 with
 * `text/event-stream`. A newer token opens a new stream.
 *
 * @example
 * const client = createAssessmentClient({
 *   baseUrl: 'https://api.example.test',
 *   feed: sse({
 *     url: 'https://api.example.test/events',
 *     toMessage: (data, { event }) =>
 *       event === 'done' ? { type: 'job.completed', jobId: (data as { job: string }).job, resultId: null } : null,
 *   }),
 * });
 */
export function sse({ url, toMessage, fetch }: SseOptions): ConnectFeed {
  const read = (event: EventSourceMessage): FeedMessage | null => {
    try {
      return toMessage(parse(event.data), event);
    } catch {
      return null;
    }
  };
  let latest: { id: string; token: string } | null = null;

  return async ({ token, signal, live, say }) => {
    if (latest !== null && !isSameUser(latest.token, token)) latest = null;
    const send = fetch ?? globalThis.fetch;
    const response = await send(url, {
      headers: {
        Accept: 'text/event-stream',
        ...(token !== '' && { Authorization: `Bearer ${token}` }),
        ...(latest !== null && { 'Last-Event-ID': latest.id }),
      },
      // Without a token the session is in a cookie.
      ...(token === '' && { credentials: 'include' }),
      // A redirect could carry the token to another origin.
      redirect: 'error',
      cache: 'no-store',
      signal,
    });
    const type = response.headers.get('content-type') ?? '';
    if (!response.ok || !type.startsWith('text/event-stream') || response.body === null) {
      void response.body?.cancel();
      throw new StreamRefusedError(response.status);
    }
    live();
    const parser = createParser({
      onEvent(event) {
        if (signal.aborted) return;
        if (event.id !== undefined) latest = event.id === '' ? null : { id: event.id, token };
        const message = read(event);
        if (message !== null) say(message);
      },
    });
    const reader = response.body.getReader();
    // Node stops listening to the signal of a request once the request is garbage: the body is cancelled by hand.
    const stop = () => void reader.cancel().catch(() => {});
    signal.addEventListener('abort', stop);
    const decoder = new TextDecoder();
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read())
        parser.feed(decoder.decode(part.value, { stream: true }));
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
}

/** The server has not opened the stream. A 401 is a refused token. */
class StreamRefusedError extends Error {
  override readonly name = 'StreamRefusedError' as const;
  readonly status: number;

  constructor(status: number) {
    super(`the stream was not opened: status ${status}`);
    this.status = status;
  }
}

/** Whether two tokens are known to be of one user. Of two opaque tokens that is not known: the new stream begins with its first event. */
function isSameUser(one: string, other: string): boolean {
  const user = claimedUser(one);
  return (one !== '' && one === other) || (user !== null && user === claimedUser(other));
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return data;
  }
}
