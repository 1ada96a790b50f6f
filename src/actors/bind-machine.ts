import type { ProblemDetails } from '../lib/errors.ts';
import { assessmentMachine } from '../machines/assessment-machine.ts';
import { createPacer } from '../services/pacer.ts';
import { type CallServices, createCalls, type Particulars } from './calls.ts';
import { createDelays, type DelayServices } from './delays.ts';

/** The services that all assessments of a client share. */
export type BoundServices<Submission, Result> = CallServices<Submission, Result> & DelayServices;

/** The chart of one client, its ports bound to the client's services. */
export interface BoundMachine<Submission> {
  readonly machine: typeof assessmentMachine;
  /**
   * Provides the calls of one assessment with its particulars. Context and input hold only the submission id, since both are
   * stored and inspected.
   *
   * @returns how to release them after the end of the assessment
   */
  add(
    submissionId: string,
    its: Pick<
      Particulars<Submission>,
      'submission' | 'submittedAt' | 'jobId' | 'resultId' | 'lostAt' | 'owner' | 'keepOwner'
    >,
  ): () => void;
  /** The messages for the fields of a refused submission, in the server's words; kept until the particulars are released. */
  detailsOf(submissionId: string): ProblemDetails | undefined;
}

/**
 * Binds the ports of the chart to the services of a client.
 *
 * @example
 * const bound = bindMachine(services);
 * const known = { jobId: null, resultId: null, lostAt: null, owner: null, keepOwner: () => {} };
 * const its = { submission, submittedAt: clock.now(), ...known };
 * const release = bound.add(submissionId, its);
 * const actor = createActor(bound.machine, { clock, input: { submissionId, deadlineAt } });
 */
export function bindMachine<Submission, Result>(services: BoundServices<Submission, Result>): BoundMachine<Submission> {
  const particulars = new Map<string, Particulars<Submission>>();
  const submittedAt = (submissionId: string): number =>
    particulars.get(submissionId)?.submittedAt ?? services.clock.now();

  return {
    machine: assessmentMachine.provide({
      actors: createCalls(services, particulars),
      delays: createDelays(services, submittedAt),
    }),
    detailsOf: (submissionId) => particulars.get(submissionId)?.details,
    add(submissionId, given) {
      const its: Particulars<Submission> = {
        ...given,
        pacer: createPacer(services.clock),
        isTaken: false,
        isAsked: false,
        unansweredSearches: 0,
        missedResults: 0,
        invalidResults: 0,
        unreadableResults: 0,
        failedAt: null,
        failedForMs: 0,
        statusTrouble: 0,
        details: undefined,
      };
      particulars.set(submissionId, its);
      return () => {
        if (particulars.get(submissionId) === its) particulars.delete(submissionId);
      };
    },
  };
}
