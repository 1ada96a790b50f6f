/*
 * A backend that is not the default contract: jobs are "quotes", events are server-sent, and tokens live 1 s. It stands in for yours.
 */
import { createServer } from 'node:http';

/** @returns the address and what ends the server */
export async function startServer() {
  const quotes = new Map();
  const streams = new Set();
  const tokens = new Map();

  const issueToken = () => {
    const token = `token-${tokens.size + 1}`;
    tokens.set(token, Date.now() + 1_000);
    return token;
  };
  const isGood = ({ headers }) => (tokens.get(headers.authorization?.replace('Bearer ', '')) ?? 0) > Date.now();
  const finish = (quote) => {
    quote.state = 'ready';
    for (const stream of streams) stream.write(`event: done\ndata: ${JSON.stringify({ quote: quote.id })}\n\n`);
  };

  const server = createServer(async (request, response) => {
    const answer = (status, body) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    const [, route, id, part] = request.url.split('/');
    if (!isGood(request)) return answer(401, { error: { code: 'STALE_CREDENTIAL' } });
    if (route === 'events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
      streams.add(response);
      return request.on('close', () => streams.delete(response));
    }
    if (request.method === 'POST') {
      // The same key is the same quote, however often it is sent.
      const key = request.headers['idempotency-key'];
      const quote = quotes.get(key) ?? { id: key, state: 'pricing', startedAt: Date.now() };
      if (!quotes.has(key)) setTimeout(() => finish(quote), 3_000);
      quotes.set(key, quote);
      return answer(201, { id: quote.id });
    }
    const quote = quotes.get(id);
    if (!quote) return answer(404, { error: { code: 'NO_SUCH_QUOTE' } });
    if (part === 'offer') return answer(200, { price: 42 });
    return answer(200, { id, state: quote.state, done: Math.min(1, (Date.now() - quote.startedAt) / 3_000) });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    issueToken,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
