export type JobStatus = 'processing' | 'failed' | 'completed';

/** One change of a job's status, at a true time. */
export interface PlannedStep {
  at: number;
  status: JobStatus;
}

/** A job as the server knows it. */
export interface WireJob {
  jobId: string;
  resultId: string;
  /** The result that its rows and events name once it is completed: its own, or that of an earlier job with the same answers. */
  shownResultId: string;
  userId: string;
  acceptedAt: number;
  plan: readonly PlannedStep[];
  /** When the last step of its plan comes. */
  doneAt: number;
}

/** The row of an answer, or the payload of an event. */
export type WireRow = Record<string, unknown>;
export type RowKind = 'submit' | 'status' | 'job' | 'result' | 'event';

/** The status of a job at a true time. */
export const statusAt = ({ plan }: WireJob, time: number): JobStatus =>
  plan.findLast(({ at }) => at <= time)?.status ?? 'processing';

/** The credit of a user: two users never have the same. */
export const balanceOf = (userId: string): number => (userId === 'user-2' ? 7 : 4);

const percents: Readonly<Record<JobStatus, number>> = { processing: 25, completed: 100, failed: 0 };
const resultIdAt = (job: WireJob, time: number) =>
  statusAt(job, time) === 'completed' ? job.shownResultId : job.resultId;

/** What the routes and the socket say about a job at a true time. */
export const rows = {
  submit: ({ jobId, resultId, userId }: WireJob): WireRow => ({
    jobId,
    resultId,
    status: 'queued',
    remainingTokens: balanceOf(userId),
  }),
  status: (job: WireJob, time: number): WireRow => ({
    jobId: job.jobId,
    status: statusAt(job, time),
    progress: percents[statusAt(job, time)],
    queuePosition: 0,
    userId: job.userId,
    resultId: resultIdAt(job, time),
  }),
  job: (job: WireJob, time: number): WireRow => ({
    job_id: job.jobId,
    user_id: job.userId,
    status: statusAt(job, time),
    result_id: resultIdAt(job, time),
    created_at: new Date(job.acceptedAt).toISOString(),
  }),
  /** The row exists before it is filled. */
  result: (job: WireJob, time: number, id: string): WireRow => {
    const isThere = statusAt(job, time) === 'completed' && id === job.shownResultId;
    return { id, user_id: job.userId, test_result: isThere ? { of: job.jobId } : null };
  },
  started: ({ jobId, resultId }: WireJob): WireRow => ({
    jobId,
    resultId,
    status: 'processing',
    estimated_time: '1-3 minutes',
  }),
  completed: ({ shownResultId }: WireJob): WireRow => ({ result_id: shownResultId, status: 'completed' }),
  failed: (): WireRow => ({ result_id: null, error_message: 'the analysis failed' }),
};
