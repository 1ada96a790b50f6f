import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Backend } from './backend.ts';
import { readBody } from './local-server.ts';

export const CONTROL_PATH = '/__control';
/** Bytes of one command. */
const MAX_COMMAND = 64 * 1_024;

const ms = z
  .number()
  .min(0)
  .max(30 * 24 * 3_600_000);
const aim = {
  times: z.number().int().positive().optional(),
  share: z.number().min(0).max(1).optional(),
  name: z.string().optional(),
  ms: ms.optional(),
};
const routes = [
  'submit',
  'retry',
  'queue',
  'status',
  'result',
  'job',
  'jobs',
  'balance',
  'login',
  'refresh',
  'logout',
  'v1Login',
  'v1Logout',
  'any',
] as const;
const fault = z.union([
  z.strictObject({
    route: z.enum(routes),
    kind: z.enum([
      'status',
      'hang',
      'reset',
      'delay',
      'drop-answer',
      'truncate',
      'dribble',
      'body',
      'duplicate',
      'html',
      'redirect',
      'cut',
      'nan',
      'slow-body',
      'foreign-row',
      'date',
    ]),
    status: z.number().int().min(200).max(599).optional(),
    body: z.string().optional(),
    contentType: z.string().optional(),
    headers: z.record(z.string(), z.string()).optional(),
    location: z.string().optional(),
    retryAfter: z.string().optional(),
    ...aim,
  }),
  z.strictObject({ route: z.literal('event'), kind: z.enum(['lose', 'duplicate', 'delay', 'malformed']), ...aim }),
  z.strictObject({ route: z.literal('handshake'), kind: z.enum(['reset', 'hang', 'delay']), ...aim }),
]);
const commandSchema = z.strictObject({
  configure: z
    .strictObject({
      accessTokenTtlMs: ms,
      refreshTokenTtlMs: ms,
      v1TokenTtlMs: ms,
      refreshIntervalMs: ms,
      refreshTransport: z.enum(['cookie', 'body']),
      jobDurationMs: ms,
      jobOutcome: z.enum(['completed', 'failed']),
      failedAttempts: z.number().int().min(0).max(20),
      retryDelaysMs: z.array(ms).max(20),
      redeliveryMs: ms.nullable(),
      dedupWindowMs: ms,
      jobsPerHour: z.number().int().min(0),
      submitMs: ms,
      archiveLagMs: ms,
      latencyMs: ms,
      authOutage: z.boolean(),
      sockets: z.enum(['accept', 'refuse']),
      idempotency: z.boolean(),
      initialBalance: z.number().int(),
      faults: z.array(fault),
    })
    .partial()
    .optional(),
  do: z
    .enum([
      'endTokens',
      'revokeSessions',
      'dropSockets',
      'closeSockets',
      'kickSockets',
      'restart',
      'sweepJobs',
      'finishJobs',
      'failJobs',
    ])
    .optional(),
});

/** The demo's levers over HTTP. The server lets only its own page through. */
export async function handleControl(
  backend: Backend,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = (status: number, body?: unknown): void => {
    response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  };
  if (request.method === 'GET') {
    const { options } = backend;
    return answer(200, {
      options,
      counts: backend.counts(),
      visit: backend.visit(new URL(request.url ?? '', backend.url).searchParams.get('visit') ?? ''),
      jobs: backend.jobs(),
      openConnections: backend.openConnections(),
    });
  }
  if (request.method !== 'POST') return answer(405, { error: 'GET or POST' });
  const text = await readBody(request, MAX_COMMAND);
  if (text === null) {
    response.setHeader('Connection', 'close');
    return answer(413, { error: 'the body is larger than 64 KiB' });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return answer(400, { error: 'the body is not JSON' });
  }
  const command = commandSchema.safeParse(json);
  if (!command.success) return answer(400, { error: z.prettifyError(command.error) });
  if (command.data.configure) backend.configure(command.data.configure as Parameters<Backend['configure']>[0]);
  if (command.data.do === 'failJobs') backend.finishJobs('failed');
  else if (command.data.do) backend[command.data.do]();
  return answer(204);
}
