/*
 * What is around the watcher, as one process on loopback: the API (the reference backend of assessment-monitor), its authorization server,
 * the application with its answers and its receiver of webhooks, and a push service. It counts what it sees, and GET /seen tells.
 */
import { createECDH, randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

const { startBackend } = await import('../../backend/index.ts');

const { JOB_MS = '20000', FLAKY = '' } = process.env;
const client = { id: 'watcher', secret: randomBytes(16).toString('hex') };
const webhookSecret = `whsec_${randomBytes(24).toString('base64')}`;
const backend = await startBackend({
  jobDurationMs: Number(JOB_MS),
  initialBalance: 1_000_000,
  sockets: 'refuse',
  faults: FLAKY
    ? [
        { route: 'submit', kind: 'drop-answer', share: 0.2 },
        { route: 'submit', kind: 'status', share: 0.1 },
        { route: 'status', kind: 'status', share: 0.05 },
        { route: 'result', kind: 'reset', share: 0.1 },
      ]
    : [],
});

const seen = { webhooks: {}, forged: 0, pushes: {}, tokens: [] };
const MARKER = 'answers-that-nobody-may-find';
const publicKey = () => {
  const browser = createECDH('prime256v1');
  browser.generateKeys();
  return browser.getPublicKey('base64url');
};
/** The API's own account of the watcher: a session each time, so no two tokens end each other. */
const issue = async () => {
  const response = await fetch(`${backend.url}/api/auth/v2/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email: 'watcher@example.test', password: 'correct-horse' }),
  });
  const { data } = await response.json();
  const token = data.idToken ?? data.token;
  seen.tokens.push(token);
  return { access_token: token, token_type: 'Bearer', expires_in: Number(data.expiresIn), scope: 'assessments:watch' };
};

const routes = {
  'POST /token': async (request, body) => {
    const [id, secret] = Buffer.from(request.headers.authorization?.slice(6) ?? '', 'base64')
      .toString()
      .split(':');
    if (id !== client.id || secret !== client.secret) return [401, { error: 'invalid_client' }];
    if (new URLSearchParams(body).get('scope') !== 'assessments:watch') return [400, { error: 'invalid_scope' }];
    return [200, await issue()];
  },
  'GET /submissions': (request, _body, id, url) => [
    200,
    {
      answers: { assessment_name: `${MARKER} ${id}`, assessment_data: { riasec: { realistic: 50 } } },
      subscription: {
        endpoint: `${url}/push/${id}`,
        keys: { p256dh: publicKey(), auth: randomBytes(16).toString('base64url') },
      },
    },
  ],
  'POST /webhook': (request, body) => {
    try {
      const { type } = new Webhook(webhookSecret).verify(body, request.headers);
      (seen.webhooks[request.headers['webhook-id']] ??= []).push(type);
      return [204];
    } catch {
      seen.forged += 1;
      return [401, {}];
    }
  },
  'POST /push': (request, _body, id) => {
    (seen.pushes[id] ??= []).push(request.headers.topic);
    return [201, {}];
  },
  'GET /seen': () => [200, { ...seen, marker: MARKER, counts: backend.counts(), jobs: backend.jobs() }],
};

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const [, name, id] = (request.url ?? '').split('/');
  const route = routes[`${request.method} /${name}`];
  const [status, body] = route
    ? await route(request, Buffer.concat(chunks).toString(), id ?? randomUUID(), url)
    : [404, {}];
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(body && JSON.stringify(body));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}`;

// The environment of a watcher in this world.
process.stdout.write(
  `${JSON.stringify({
    API_URL: backend.url,
    TOKEN_URL: `${url}/token`,
    CLIENT_ID: client.id,
    CLIENT_SECRET: client.secret,
    APPLICATION_URL: url,
    WEBHOOK_URL: `${url}/webhook`,
    WEBHOOK_SECRET: webhookSecret,
  })}\n`,
);
process.on('disconnect', () => process.exit());
