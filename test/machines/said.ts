import { type Edge, type ModelEvent, shortEvent } from 'assessment-monitor/testing';

/** `checkStatus: running`, `checkStatus: defect`, `after pollDelay`, or the type of an event of the world. */
export function saidBy({ event }: Pick<Edge, 'event'>): string {
  const known = said.get(event) ?? inWords(event);
  said.set(event, known);
  return known;
}

/** The model has few events and many edges. */
const said = new WeakMap<ModelEvent, string>();

function inWords(event: ModelEvent): string {
  if (!('actorId' in event)) return shortEvent(event.type);
  if ('error' in event) return `${event.actorId}: defect`;
  return `${event.actorId}: ${(event.output as { type: string } | undefined)?.type ?? 'over'}`;
}

/** The feed speaks of the job that is being watched, by either of its names. */
export function isAboutOurJob({ before, event }: Edge): boolean {
  const { jobId, resultId, finished } = before.context;
  if (!('jobId' in event) || jobId === null || finished) return false;
  return event.jobId !== null ? event.jobId === jobId : event.resultId !== null && event.resultId === resultId;
}

/**
 * A job has ended, and it may be the watched one. An end without a job id may be, whatever its result: equal answers share the result of
 * the first. A failure is no more than a hint even where it names the job: its worker may try again.
 */
export function isHint({ before, event }: Edge): boolean {
  const { jobId, resultId, finished } = before.context;
  if (jobId === null || finished) return false;
  if (event.type === 'job.failed') return event.jobId === null || event.jobId === jobId;
  return (
    event.type === 'job.completed' && event.jobId === null && (event.resultId === null || event.resultId !== resultId)
  );
}
