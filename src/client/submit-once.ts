import { TransientError } from '../lib/errors.ts';
import type { AssessmentApi } from '../services/api/assessment-api.ts';
import type { JobStore } from '../services/job-store.ts';

/**
 * An API that looks at the shared record before it sends answers: a submission that another tab has got accepted is answered from the
 * record. Without idempotency keys, answers that another tab sends or has sent are not sent: the outcome is unknown in this tab.
 */
export function submitOnce<Submission, Result>(
  api: AssessmentApi<Submission, Result>,
  jobs: JobStore,
  idempotent: boolean,
): AssessmentApi<Submission, Result> {
  return {
    ...api,
    async submit(submission, submissionId, signal, beforeSending) {
      const shared = jobs.read(submissionId);
      if (shared && shared.jobId !== null) {
        return { jobId: shared.jobId, resultId: shared.resultId, balance: null, retryAfterMs: null };
      }
      if (!idempotent && shared?.outcomeUnknown && shared.sender !== jobs.tabId) {
        throw new TransientError('unavailable', 'another tab has sent the answers, and their outcome is not known yet');
      }
      return api.submit(submission, shared?.key ?? submissionId, signal, beforeSending);
    },
  };
}
