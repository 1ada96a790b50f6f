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
  add(submissionId: string, particulars: Omit<Particulars<Submission>, 'pacer'>): () => void;
}

/**
 * Binds the ports of the chart to the services of a client.
 *
 * @example
 * const bound = bindMachine(services);
 * const release = bound.add(submissionId, { submission, submittedAt: clock.now() });
 * const actor = createActor(bound.machine, { clock, input: { submissionId, deadlineAt } });
 */
export function bindMachine<Submission, Result>(services: BoundServices<Submission, Result>): BoundMachine<Submission> {
  const particulars = new Map<string, Particulars<Submission>>();
  const particularsOf = (submissionId: string): Particulars<Submission> => {
    const found = particulars.get(submissionId);
    if (!found) throw new Error(`the assessment ${submissionId} does not belong to this client, or has ended`);
    return found;
  };
  const submittedAt = (submissionId: string): number =>
    particulars.get(submissionId)?.submittedAt ?? services.clock.now();

  return {
    machine: assessmentMachine.provide({
      actors: createCalls(services, particularsOf),
      delays: createDelays(services, submittedAt),
    }),
    add(submissionId, { submission, submittedAt: at }) {
      const its = { submission, submittedAt: at, pacer: createPacer(services.clock) };
      particulars.set(submissionId, its);
      return () => {
        if (particulars.get(submissionId) === its) particulars.delete(submissionId);
      };
    },
  };
}
