/*
 * The three ports of a client, each a few lines: a backend of its own, an SDK that holds the tokens, and events over SSE. The token expires
 * twice while the quote is made.
 */
import { createAssessmentClient } from 'assessment-monitor';
import { ensureOk, sse } from 'assessment-monitor/adapters';
import { startServer } from './server.mjs';

const server = await startServer();

/** Stands in for Firebase, Auth0, MSAL or Clerk: it caches a token, and brings another one when it is asked for a fresh one. */
const sdk = {
  token: server.issueToken(),
  async getToken({ fresh }) {
    if (fresh) this.token = server.issueToken();
    return { accessToken: this.token, userId: 'user-1' };
  },
};

const client = createAssessmentClient({
  baseUrl: server.url,
  api: {
    async submit(answers, key, call) {
      const { body } = ensureOk(await call.request('/quotes', { body: answers, headers: { 'Idempotency-Key': key } }));
      return { jobId: body.id };
    },
    async status(jobId, call) {
      const { body } = ensureOk(await call.request(`/quotes/${jobId}`));
      return body.state === 'ready' ? { type: 'completed' } : { type: 'running', percent: body.done * 100 };
    },
    async result(jobId, call) {
      const { body } = ensureOk(await call.request(`/quotes/${jobId}/offer`));
      return { type: 'found', result: body };
    },
  },
  auth: { source: { getToken: (options) => sdk.getToken(options) } },
  feed: sse({
    url: `${server.url}/events`,
    toMessage: (data, { event }) =>
      event === 'done' ? { type: 'job.completed', jobId: data.quote, resultId: null } : null,
  }),
  // This server takes a fresh token every second.
  timings: { refreshIntervalMs: 1_000 },
  onEvent: ({ type, route, outcome }) => type === 'request.finished' && console.error(`${route}: ${outcome}`),
});

const assessment = client.submit({ rooms: 3 });
const end = await assessment.settled();
client.dispose();
server.close();
console.log(end.phase === 'completed' ? `completed: ${end.result.price}` : end.phase);
