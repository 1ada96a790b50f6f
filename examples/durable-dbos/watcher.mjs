/*
 * The watcher: a DBOS workflow for each assessment, in a process with two routes on loopback.
 *
 *   POST   /watches { submissionId, jobId? }   starts a watch; starting twice is starting once
 *   DELETE /watches/<submissionId>             ends it: a page shows the result
 *
 * Its process may die at any time. `EXECUTOR_ID` names it: the process that is started again under the same id resumes its watches.
 * `TAKE_OVER=<id>` takes over the watches of an executor that does not come back.
 */
import { createServer } from 'node:http';
import { DBOS } from '@dbos-inc/dbos-sdk';
import { watchDurably } from 'assessment-monitor/durable';
import { createCalls } from './calls.mjs';
import { createCredential } from './credential.mjs';
import { sendPush, sendWebhook } from './notify.mjs';

const { env } = process;
const PAGE_PATIENCE_MS = 1_800_000;

/** What the application knows of a submission. It never enters the engine: the engine's store keeps inputs and step results in clear. */
const submissionOf = async (submissionId) => {
  const response = await fetch(`${env.APPLICATION_URL}/submissions/${encodeURIComponent(submissionId)}`);
  if (!response.ok) throw new Error(`the application answers ${response.status}`);
  return response.json();
};
const credential = createCredential({
  tokenUrl: env.TOKEN_URL,
  clientId: env.CLIENT_ID,
  clientSecret: env.CLIENT_SECRET,
});
const calls = createCalls({
  apiUrl: env.API_URL,
  credential,
  answersOf: async (submissionId) => (await submissionOf(submissionId)).answers,
});
const vapid = { subject: env.VAPID_SUBJECT, publicKey: env.VAPID_PUBLIC_KEY, privateKey: env.VAPID_PRIVATE_KEY };
const pacing = env.POLL_MS ? { pollMinMs: Number(env.POLL_MS), pollMaxMs: Number(env.POLL_MS) } : {};

const engine = {
  step: (name, run) => DBOS.runStep(run, { name }),
  sleep: (_name, ms) => DBOS.sleep(ms),
};
/** A receiver that is down for a day is repeated for a day. */
const repeated = {
  retriesAllowed: true,
  maxAttempts: 30,
  intervalSeconds: 1,
  backoffRate: 2,
  maxIntervalSeconds: 3_600,
};

const watch = DBOS.registerWorkflow(
  async (input) => {
    const { submissionId } = input;
    const output = await watchDurably(input, calls, engine, { pacing });
    const ended = { outcome: output.outcome, jobId: output.jobId };
    await DBOS.runStep(() => sendWebhook(submissionId, ended, { url: env.WEBHOOK_URL, secret: env.WEBHOOK_SECRET }), {
      name: 'webhook',
      ...repeated,
    });
    if (ended.outcome === 'completed')
      await DBOS.runStep(
        async () => {
          const { subscription } = await submissionOf(submissionId);
          if (subscription) await sendPush(submissionId, ended, subscription, vapid);
        },
        { name: 'push', ...repeated },
      );
    return ended;
  },
  { name: 'watch', maxRecoveryAttempts: 1_000 },
);

DBOS.setConfig({
  name: 'watcher',
  systemDatabaseUrl: env.DATABASE_URL,
  executorID: env.EXECUTOR_ID,
  // A workflow resumes under the version that it was started with only. Change it when the order of steps changes.
  applicationVersion: 'watch-1',
  logLevel: env.LOG_LEVEL ?? 'error',
  runAdminServer: false,
});
await DBOS.launch();
if (env.TAKE_OVER) {
  const left = await DBOS.listWorkflows({ status: 'PENDING', executorId: env.TAKE_OVER });
  for (const { workflowID, executorId } of left)
    if (executorId === env.TAKE_OVER) await DBOS.resumeWorkflow(workflowID);
}

const routes = {
  POST: async (body) => {
    const { submissionId, jobId = null } = JSON.parse(body);
    if (typeof submissionId !== 'string' || !/^[\w-]{1,255}$/.test(submissionId)) return 400;
    const input = { submissionId, jobId, deadlineAt: Date.now() + PAGE_PATIENCE_MS };
    // The idempotency key is the workflow's id.
    await DBOS.startWorkflow(watch, { workflowID: submissionId })(input);
    return 202;
  },
  DELETE: async (_body, submissionId) => {
    await DBOS.cancelWorkflow(submissionId);
    return 204;
  },
};
const server = createServer(async (request, response) => {
  try {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const [, name, id] = (request.url ?? '').split('/');
    const route = name === 'watches' ? routes[request.method] : undefined;
    response.writeHead(route ? await route(Buffer.concat(chunks).toString(), id) : 404).end();
  } catch (error) {
    response.writeHead(503).end(String(error));
  }
});
server.listen(Number(env.PORT), '127.0.0.1');
