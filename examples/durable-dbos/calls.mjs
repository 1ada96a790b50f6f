/* The four calls of a watch, to the API of assessment-monitor's wire protocol. Each resolves its credential itself. */
import { ClientRefused } from './credential.mjs';

/** A failure that a worker may still take back is believed after this time, ms. */
const FAILURE_CONFIRMATION_MS = 90_000;

const transient = (code, retryAfterMs = null) => ({
  type: 'transient',
  retryAfterMs,
  problem: { code, message: `the API is ${code}` },
});

/**
 * @param {{ apiUrl: string, credential: ReturnType<import('./credential.mjs').createCredential>,
 *   answersOf: (submissionId: string) => Promise<unknown>, timeoutMs?: number }} options
 * @returns {import('assessment-monitor/durable').DurableCalls}
 */
export function createCalls({ apiUrl, credential, answersOf, timeoutMs = 1_800_000 }) {
  /** One request. Outcomes that every call shares are returned as `outcome`. */
  const ask = async (path, signal, { method, body, headers } = {}) => {
    let token;
    try {
      token = await credential.get(signal);
    } catch (error) {
      return {
        outcome: error instanceof ClientRefused ? { type: 'unauthorized', generation: null } : transient('unavailable'),
      };
    }
    let response;
    let said;
    try {
      response = await fetch(new URL(path, apiUrl), {
        ...(method && { method, body: JSON.stringify(body) }),
        headers: {
          Authorization: `Bearer ${token.token}`,
          ...(body && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        signal,
        redirect: 'error',
      });
      said = await response.json();
    } catch {
      // No answer, or something in front of the API answered.
      return { outcome: transient('network'), isSent: true };
    }
    const seconds = Number(response.headers.get('Retry-After'));
    const retryAfterMs = seconds > 0 ? seconds * 1_000 : null;
    const { status } = response;
    const isWord = said?.success === false;
    if (status === 401 && isWord) return { outcome: { type: 'unauthorized', generation: token.generation } };
    if (status === 429) return { outcome: transient('rate-limited', retryAfterMs) };
    if (status >= 500) return { outcome: transient('unavailable', retryAfterMs), isSent: true };
    if (said?.success === true && said.data) return { data: said.data };
    return { refusal: isWord ? status : null, outcome: transient('invalid-response', retryAfterMs), isSent: !isWord };
  };

  return {
    async submitAssessment({ submissionId }, signal) {
      const answers = await answersOf(submissionId);
      const { data, refusal, outcome, isSent } = await ask('/api/assessment/submit', signal, {
        method: 'POST',
        body: answers,
        headers: { 'Idempotency-Key': submissionId },
      });
      if (data)
        return {
          type: 'accepted',
          jobId: data.jobId,
          resultId: data.resultId ?? null,
          balance: null,
          deadlineAt: Date.now() + timeoutMs,
        };
      const code = { 400: 'validation', 402: 'insufficient-credit', 413: 'too-large' }[refusal];
      if (code) return { type: 'rejected', problem: { code, message: 'the API refuses the answers' } };
      // The answers may have arrived. The key makes a repetition safe.
      if (isSent) return { ...outcome, type: 'unconfirmed' };
      return outcome;
    },

    async checkStatus({ jobId }, signal) {
      const { data, refusal, outcome } = await ask(`/api/assessment/status/${encodeURIComponent(jobId)}`, signal);
      if (refusal === 404) return transient('job-not-found');
      if (refusal === 403) return transient('forbidden');
      if (!data) return outcome;
      if (data.status === 'completed') return { type: 'completed', resultId: data.resultId ?? null };
      if (data.status === 'failed')
        return {
          type: 'failed',
          problem: { code: 'job-failed', message: 'the API reports that the job failed' },
          isConfirmed: Date.now() - Date.parse(data.updatedAt) >= FAILURE_CONFIRMATION_MS,
        };
      return {
        type: 'running',
        status: data.status === 'queued' ? 'queued' : 'processing',
        percent: data.progress ?? null,
        queuePosition: data.queuePosition ?? null,
      };
    },

    /** The result itself stays here. */
    async fetchResult({ jobId, resultId }, signal) {
      const { data, outcome } = await ask(`/api/archive/results/${encodeURIComponent(resultId ?? jobId)}`, signal);
      if (!data) return outcome;
      return (data.test_result ?? null) === null ? transient('unavailable') : { type: 'ready', result: null };
    },

    async refreshToken({ refusedGeneration }, signal) {
      credential.drop(refusedGeneration);
      try {
        await credential.get(signal);
        return { type: 'renewed' };
      } catch (error) {
        return error instanceof ClientRefused ? { type: 'rejected' } : { type: 'wait', retryAfterMs: 5_000 };
      }
    },
  };
}
