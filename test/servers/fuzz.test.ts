import { seededRandom } from 'assessment-monitor/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningCommand, startCommand } from './commands.ts';
import { rawRequest, sendRaw, statusOf, textFrame, upgradeHeaders } from './raw.ts';

/* `npm start` and `npm run inspect` as processes: no request ends them. A crash shows in the exit of the process. */

/** Four of five go to the demo: `REQUESTS=12500` sends it 10,000. */
const REQUESTS = Number(process.env.REQUESTS ?? 2_000);
const AT_ONCE = 40;

let demo: RunningCommand;
let viewer: RunningCommand;

beforeAll(async () => {
  [demo, viewer] = await Promise.all([startCommand('demo/start.ts'), startCommand('scripts/inspect.ts')]);
});
afterAll(() => Promise.all([demo?.stop(), viewer?.stop()]));

/** How a server is after a request: the status of its page, or what ended its process. */
const conditionOf = async (server: RunningCommand): Promise<unknown> =>
  server.ended() ?? statusOf(await sendRaw(server.port, rawRequest(server.port, '/')));

it.each([
  '//',
  '///',
  '/\\',
  '*',
  'http://[',
  '/%',
  '/%00',
  '//user@',
  '/?\u0080',
  'x',
  '/socket.io/?EIO=4&transport=x',
])('both servers answer the target %j, and the next request', async (target) => {
  for (const server of [demo, viewer]) {
    expect(statusOf(await sendRaw(server.port, rawRequest(server.port, target)))).toBeGreaterThanOrEqual(200);
    expect(await conditionOf(server)).toBe(200);
  }
});

it('both servers survive a control request whose body is cut off', async () => {
  for (const server of [demo, viewer]) {
    const request = rawRequest(
      server.port,
      '/__control',
      { 'Content-Length': '100' },
      { method: 'POST', body: '{"do":' },
    );
    await sendRaw(server.port, request, { cut: true });
    expect(await conditionOf(server)).toBe(200);
  }
});

it('the demo survives a socket that authenticates with a time that is no number', async () => {
  const { port } = demo;
  const handshake = rawRequest(port, '/socket.io/?EIO=4&transport=websocket', upgradeHeaders);
  const odd = textFrame('42["authenticate",{"token":"x","sentAt":{"valueOf":1,"toString":1}}]');
  await sendRaw(port, Buffer.concat([Buffer.from(handshake), textFrame('40'), odd]));
  expect(await conditionOf(demo)).toBe(200);
});

it(
  `both servers answer after ${REQUESTS} requests of a fuzzer on all routes, upgrades included`,
  { timeout: 600_000 },
  async () => {
    const random = seededRandom(18);
    let left = REQUESTS;
    const answers = new Map<number, number>();
    const lane = async (): Promise<void> => {
      while ((left -= 1) >= 0) {
        // The demo has most of the routes.
        const { port } = left % 5 === 0 ? viewer : demo;
        const { bytes, cut } = anyRequest(port, random);
        const status = statusOf(await sendRaw(port, bytes, { cut, patienceMs: 1_000 }));
        answers.set(status, (answers.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    expect(await conditionOf(demo)).toBe(200);
    expect(await conditionOf(viewer)).toBe(200);
    // It reached the routes, and not the parser alone.
    for (const status of [101, 200, 400, 401, 403, 404, 413])
      expect.soft(answers.get(status) ?? 0, `${status}`).toBeGreaterThan(0);
  },
);

const targets = [
  '/',
  '//',
  '/index.html',
  '/__control',
  '/metrics',
  '/metrics/beacon',
  '/events',
  '/health',
  '/health/ready',
  '/api/assessment/submit',
  '/api/assessment/retry',
  '/api/assessment/status/x',
  '/api/assessment/queue/status',
  '/api/archive/results/x',
  '/api/archive/jobs/x',
  '/api/auth/token-balance',
  '/api/auth/login',
  '/api/auth/logout',
  '/api/auth/v2/login',
  '/api/auth/v2/refresh',
  '/api/auth/v2/logout',
  '/api/notifications/debug/disconnect/x',
  '/socket.io/?EIO=4&transport=websocket',
  '/socket.io/?EIO=4&transport=polling',
  '/socket.io/?EIO=3&transport=polling',
  '/socket.io/?transport=nonsense&sid=x',
  '/socket.io/?EIO=4&transport=polling&sid=x',
] as const;
const bodies = [
  '',
  '{',
  'null',
  '[]',
  '"text"',
  '{"__proto__":null}',
  '{"email":"user@example.test","password":"correct-horse"}',
  '{"email":{"toString":1},"password":[]}',
  '{"configure":{"faults":[{"route":"any"}]}}',
  '{"do":"explode"}',
  '{"request|status|ok|":[1e308,{},null]}',
  `{"assessment_data":${'['.repeat(2_000)}`,
  'x'.repeat(70_000),
];
const frames = [
  '40',
  '42["authenticate"]',
  '42["authenticate",{"token":7}]',
  '42["error"]',
  '42["disconnect",{}]',
  '451-["authenticate",{"_placeholder":true,"num":0}]',
  '4',
  '2probe',
  '{"type":"@xstate.actor","sessionId":"x:0","name":{"toString":1},"snapshot":{}}',
  '{"type":"@xstate.event","sessionId":"x:0","event":null}',
  '{"type":"@xstate.snapshot","sessionId":"x:0","snapshot":7,"event":{"type":{}}}',
  'null',
];

function anyRequest(port: number, random: () => number): { bytes: Buffer; cut: boolean } {
  const of = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const target = random() < 0.1 ? `${of(targets)}${noise(random)}` : of(targets);
  const method = of(['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'OPTIONS', 'HEAD', 'TRACE']);
  const headers: Record<string, string> = {};
  if (random() < 0.1)
    headers.Host = of(['evil.test', '', 'localhost', `localhost:${port}/`, '[::1]', `127.0.0.1:${port}`]);
  if (random() < 0.3)
    headers.Origin = of(['null', 'http://evil.test', 'http://localhost:5173', `http://localhost:${port}`, '\u00ff']);
  if (random() < 0.2) headers.Authorization = of(['Bearer', 'Bearer x', 'Bearer eyJhbGciOiJub25lIn0.e30.', 'Basic ;']);
  if (random() < 0.1) headers.Cookie = of(['__Host-refresh=x', '=;;=', `refresh=${noise(random)}`]);
  if (random() < 0.1) headers['X-Sent-At'] = of(['NaN', '-1e999', '[]', '0']);
  if (random() < 0.1) headers['Last-Event-Id'] = of(['.', 'x.y.z', '1e9']);
  if (random() < 0.3) {
    Object.assign(headers, upgradeHeaders);
    if (random() < 0.3) headers.Upgrade = of(['h2c', 'websocket, x', '']);
    if (random() < 0.3) headers['Sec-WebSocket-Key'] = of(['', 'short', noise(random)]);
    if (random() < 0.2) headers['Sec-WebSocket-Version'] = of(['12', 'x']);
    const sent = Array.from({ length: Math.floor(random() * 4) }, () =>
      random() < 0.2 ? Buffer.from(noise(random), 'latin1') : textFrame(of(frames)),
    );
    const bytes = Buffer.concat([Buffer.from(rawRequest(port, target, headers), 'latin1'), ...sent]);
    return { bytes, cut: random() < 0.2 };
  }
  const body = method === 'GET' || method === 'HEAD' ? '' : of(bodies);
  let cut = random() < 0.1;
  const oddity = random();
  if (oddity < 0.05) headers['Content-Length'] = of(['-1', '99999999999', 'x', '100000']);
  else if (oddity < 0.1) headers['Transfer-Encoding'] = 'chunked';
  // A body that never ends is not waited for.
  if (oddity < 0.1) cut = true;
  const whole = rawRequest(port, target, headers, { method, body });
  // A part of a request, and what is no request at all.
  const text = random() < 0.05 ? whole.slice(0, Math.floor(random() * whole.length)) : whole;
  if (text !== whole) cut = true;
  return { bytes: Buffer.from(random() < 0.02 ? noise(random) : text, 'latin1'), cut };
}

const noise = (random: () => number): string =>
  Array.from({ length: 1 + Math.floor(random() * 30) }, () => String.fromCharCode(1 + Math.floor(random() * 254))).join(
    '',
  );
