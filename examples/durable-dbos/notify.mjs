/*
 * Says that an assessment has ended: a signed webhook to the application (https://www.standardwebhooks.com), and a push to the user's
 * browsers. Side effects happen at least once on every engine, so both carry the submission's id: the receiver of the webhook ignores an id
 * that it has seen, and a push service replaces a push of the same topic.
 */
import { createHash } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import webpush from 'web-push';

const TIMEOUT_MS = 15_000;

/** Neither message holds the result: it is behind the sign-in, where the page shows it. */
const messageOf = (submissionId, { outcome, jobId }) =>
  JSON.stringify({ type: `assessment.${outcome}`, data: { submissionId, jobId } });

/** @throws where the receiver does not take it: the engine then repeats the step */
export async function sendWebhook(submissionId, output, { url, secret }) {
  const body = messageOf(submissionId, output);
  const at = new Date();
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'webhook-id': submissionId,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(secret).sign(submissionId, at, body),
    },
    body,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the webhook's receiver answers ${response.status}`);
}

/**
 * @param subscription what the browser's `pushManager.subscribe()` gave, from the application's own store
 * @param vapid `{ subject, publicKey, privateKey }`, see `npx web-push generate-vapid-keys`
 */
export async function sendPush(submissionId, output, subscription, vapid) {
  const { method, endpoint, headers, body } = webpush.generateRequestDetails(
    subscription,
    messageOf(submissionId, output),
    {
      vapidDetails: vapid,
      TTL: 86_400,
      // At most 32 characters of the base64url alphabet.
      topic: createHash('sha256').update(submissionId).digest('base64url').slice(0, 32),
    },
  );
  const response = await fetch(endpoint, { method, headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) });
  // The user has taken the permission back.
  if (response.status === 404 || response.status === 410) return;
  if (!response.ok) throw new Error(`the push service answers ${response.status}`);
}
