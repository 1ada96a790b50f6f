/*
 * The watcher: a Restate workflow for each assessment. The server of Restate calls this process over HTTP/2, on loopback, and resumes each
 * watch in whichever process answers at the address of the deployment.
 */
import './polyfill.mjs';
import { createServer } from 'node:http2';
import * as restate from '@restatedev/restate-sdk';
import { watchDurably } from 'assessment-monitor/durable';
import { createCalls } from './calls.mjs';
import { createCredential } from './credential.mjs';
import { sendPush, sendWebhook } from './notify.mjs';

const { env } = process;
const DAY_MS = 86_400_000;

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
/** A receiver that is down for a day is repeated for a day. */
const repeated = { maxRetryDuration: DAY_MS, initialRetryInterval: 1_000, maxRetryInterval: 3_600_000 };

const watch = restate.workflow({
  name: 'watch',
  handlers: {
    run: async (ctx, { jobId = null, deadlineAt }) => {
      // The idempotency key is the workflow's id.
      const submissionId = ctx.key;
      const engine = {
        step: (name, run) => ctx.run(name, run),
        sleep: (name, ms) => ctx.sleep(ms, name),
      };
      const output = await watchDurably({ submissionId, jobId, deadlineAt }, calls, engine, { pacing });
      const ended = { outcome: output.outcome, jobId: output.jobId };
      const webhook = { url: env.WEBHOOK_URL, secret: env.WEBHOOK_SECRET };
      await ctx.run('webhook', () => sendWebhook(submissionId, ended, webhook), repeated);
      if (ended.outcome === 'completed')
        await ctx.run(
          'push',
          async () => {
            const { subscription } = await submissionOf(submissionId);
            if (subscription) await sendPush(submissionId, ended, subscription, vapid);
          },
          repeated,
        );
      return ended;
    },
  },
});

const silent = () => {};
createServer(restate.createEndpointHandler({ services: [watch], ...(env.VERBOSE ? {} : { logger: silent }) })).listen(
  Number(env.PORT),
  '127.0.0.1',
);
