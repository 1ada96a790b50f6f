import { fit, maybeId, maybeNumber, maybeText, object } from '../../lib/schemas.ts';
import { percentOf, reasonOf } from '../job-report.ts';

/** An event of the feed in this package's own vocabulary. An id is null where the server does not send it. */
export type JobFeedEvent =
  | { type: 'feed.live' }
  | { type: 'feed.lost' }
  | {
      type: 'job.progressed';
      jobId: string | null;
      resultId: string | null;
      status: 'processing';
      /** 0 to 100; null where the server sends no percentage, as `analysis-started` of the real one does not. */
      percent: number | null;
    }
  | { type: 'job.completed'; jobId: string | null; resultId: string | null }
  | { type: 'job.failed'; jobId: string | null; resultId: string | null; message: string }
  | { type: 'balance.changed'; balance: number };

/** What a server reports. The life of the connection is reported by the connection. */
export type FeedReport = Exclude<JobFeedEvent, { type: 'feed.live' | 'feed.lost' }>;

/** Every field that this package reads from the payload of a socket event. */
const payloadSchema = object({
  jobId: maybeId,
  resultId: maybeId,
  result_id: maybeId,
  progress: maybeNumber,
  error: maybeText,
  error_message: maybeText,
  balance: maybeNumber,
  token_balance: maybeNumber,
});

/**
 * Translates a socket event of the server.
 *
 * @returns null for a known event with a malformed payload, undefined for an event that this package does not know
 *
 * @example
 * toJobFeedEvent('analysis-complete', { result_id: 'r1' });
 * // { type: 'job.completed', jobId: null, resultId: 'r1' }
 */
export function toJobFeedEvent(name: string, payload: unknown): FeedReport | null | undefined {
  const content = fit(payload, payloadSchema);
  const job = content && { jobId: content.jobId, resultId: content.result_id ?? content.resultId };
  switch (name) {
    case 'analysis-started':
      return job && { type: 'job.progressed', ...job, status: 'processing', percent: percentOf(content.progress) };
    case 'analysis-complete':
      return job && { type: 'job.completed', ...job };
    case 'analysis-failed':
    // The server sends it when its worker does not know the kind of assessment. Older clients do not listen for it.
    case 'analysis-unknown':
      return job && { type: 'job.failed', ...job, message: reasonOf(content.error_message, content.error) };
    case 'token-balance-update': {
      const balance = content?.balance ?? content?.token_balance ?? null;
      return balance === null ? null : { type: 'balance.changed', balance };
    }
  }
}
