import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  /** Parsed JSON, or the text where it is none; undefined where there was no body. */
  body: unknown;
}

export interface LoopbackServer {
  readonly url: string;
  /** Every request, in order. */
  readonly requests: readonly SeenRequest[];
  /** How the requests from now on are answered. */
  answer(handler: (response: ServerResponse, request: SeenRequest) => void): void;
  /** Answers everything from now on with this status, JSON body (a text goes out as it is) and headers. */
  reply(status: number, body: unknown, headers?: Record<string, string>): void;
  /** Resolves when the server has received this many requests in all. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

/** A real HTTP server on the loopback interface. */
export async function startServer(): Promise<LoopbackServer> {
  const requests: SeenRequest[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let handler: Parameters<LoopbackServer['answer']>[0] = (response) => response.writeHead(500).end();

  const server = createServer((incoming, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of incoming) text += String(chunk);
      const { method = '', url = '', headers } = incoming;
      const request = { method, path: url, headers, body: text === '' ? undefined : parse(text) };
      requests.push(request);
      handler(response, request);
      for (const { count, resolve } of waiting) if (requests.length >= count) resolve();
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (next) => void (handler = next),
    reply(status, body, headers = {}) {
      handler = (response) =>
        response
          .writeHead(status, { 'content-type': 'application/json', ...headers })
          .end(typeof body === 'string' ? body : JSON.stringify(body));
    },
    received: (count) =>
      new Promise((resolve) => {
        if (requests.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
