import type { ConnectFeed, FeedMessage } from '../ports.ts';
import { parseJson } from '../lib/parse-json.ts';

/** The part of a WebSocket that the feed uses. The platform's own and the package `ws` fit. */
export interface WebSocketLike {
  send(data: string): void;
  close(code?: number): void;
  addEventListener(type: 'open' | 'close' | 'error', listener: (event: { code?: number }) => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
}

/** What a message of the server means: the token is accepted, the token is refused, an event, or none of these. */
export type SocketNews = 'accepted' | 'refused' | FeedMessage | null;

/** Options of {@link webSocket}. The token travels in the first message or as a subprotocol, never in the address. */
export type WebSocketOptions = {
  /** The address, `wss://...`. */
  url: string;
  /**
   * Translates a message of the server. A message for which it throws is ignored.
   *
   * @param data the parsed JSON of the message; undefined where it is not JSON
   */
  toNews: (data: unknown) => SocketNews;
  /** Opens a socket. @default the platform's `WebSocket` */
  WebSocket?: new (url: string, protocols: string[]) => WebSocketLike;
  /** The subprotocols of the server, beside those of the token. @default none */
  protocols?: readonly string[];
} & (
  | {
      /** The first message of a connection, sent as JSON. The feed is live once `toNews` answers `'accepted'`. */
      firstMessage: (token: string) => unknown;
      /** Whether the server takes a newer token on an open connection, by the same message. @default false: the feed connects again */
      takesNewerTokens?: boolean;
      tokenProtocols?: undefined;
    }
  | {
      /** The subprotocols that carry the token, for a server that checks it in the handshake. The feed is live once the socket is open. */
      tokenProtocols: (token: string) => readonly string[];
      firstMessage?: undefined;
      takesNewerTokens?: undefined;
    }
);

/**
 * A feed over a plain WebSocket.
 *
 * @example
 * const client = createAssessmentClient({
 *   baseUrl: 'https://api.example.test',
 *   feed: webSocket({
 *     url: 'wss://api.example.test/feed',
 *     firstMessage: (token) => ({ type: 'auth', token }),
 *     toNews: (data) => {
 *       const { type, job } = data as { type: string; job: string };
 *       if (type === 'welcome') return 'accepted';
 *       return type === 'done' ? { type: 'job.completed', jobId: job, resultId: null } : null;
 *     },
 *   }),
 * });
 */
export function webSocket(options: WebSocketOptions): ConnectFeed {
  const { url, toNews, protocols = [], firstMessage, tokenProtocols, takesNewerTokens = false } = options;

  return ({ token, signal, live, say, onToken }) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return resolve();
      const Socket =
        options.WebSocket ?? (globalThis.WebSocket as new (url: string, protocols: string[]) => WebSocketLike);
      const socket = new Socket(url, [...protocols, ...(tokenProtocols?.(token) ?? [])]);
      let isLive = false;
      const end = (settle: () => void): void => {
        signal.removeEventListener('abort', stop);
        settle();
        socket.close();
      };
      const stop = (): void => end(resolve);
      signal.addEventListener('abort', stop);
      const read = (data: unknown): SocketNews => {
        try {
          return toNews(typeof data === 'string' ? parseJson(data) : undefined);
        } catch {
          return null;
        }
      };
      const authenticate = (newest: string): void => {
        if (firstMessage) socket.send(JSON.stringify(firstMessage(newest)));
      };

      socket.addEventListener('open', () => {
        if (signal.aborted) return socket.close();
        if (tokenProtocols) return live();
        authenticate(token);
        if (takesNewerTokens) onToken(authenticate);
      });
      socket.addEventListener('message', ({ data }) => {
        if (signal.aborted) return;
        const news = read(data);
        // A server may accept each newer token as well.
        if (news === 'accepted' && !isLive) {
          isLive = true;
          live();
        } else if (news === 'accepted') return;
        else if (news === 'refused') end(() => reject(new SocketRefusedError()));
        else if (news !== null) say(news);
      });
      socket.addEventListener('close', ({ code }) => {
        const isRefusal = code !== undefined && REFUSAL_CODES.has(code);
        end(() => (isRefusal ? reject(new SocketRefusedError()) : resolve()));
      });
      // The event of an error says nothing; `close` follows it.
      socket.addEventListener('error', () => {});
    });
}

/** Close codes that say that the token is refused: 3000 is registered for it, 4401 is common. */
const REFUSAL_CODES = new Set([3_000, 4_401]);

/** The server has refused the token, as a 401 does. */
class SocketRefusedError extends Error {
  override readonly name = 'SocketRefusedError' as const;
  readonly status = 401;

  constructor() {
    super('the server refused the token of the feed');
  }
}
