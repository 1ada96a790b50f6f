import { createContext, type ReactNode, useContext, useEffect } from 'react';
import type { AssessmentClient } from '../client/client.ts';

const ClientContext = createContext<AssessmentClient | null>(null);

export interface AssessmentProviderProps {
  /**
   * Created once, outside of any component: it owns the assessments, which outlive the components that show them. Hot reload may
   * run its module again: `const kept = import.meta.hot?.data ?? {}; export const client = (kept.client ??= create…)` keeps the one.
   */
  // The answers and the result are typed where they are used; see `useAssessment`.
  client: AssessmentClient<never, unknown>;
  /** Whether assessments from before a reload go on by themselves. Default true. */
  resume?: boolean;
  children?: ReactNode;
}

/**
 * Gives the components below it an assessment client, and goes on with what was under way before a reload.
 *
 * @example
 * const client = createAssessmentClient({ baseUrl: 'https://api.example.test' });
 * <AssessmentProvider client={client}><App /></AssessmentProvider>
 */
export function AssessmentProvider({ client, resume = true, children }: AssessmentProviderProps) {
  useEffect(() => {
    // Safe to repeat, as StrictMode does: what already runs is not started again.
    if (resume) client.resume();
  }, [client, resume]);
  // `.Provider` and not the context itself: React 18 knows nothing else.
  return <ClientContext.Provider value={client as AssessmentClient}>{children}</ClientContext.Provider>;
}

/** The client of the nearest provider. @throws Error when there is none */
export function useAssessmentClient<Submission = unknown, Result = unknown>(): AssessmentClient<Submission, Result> {
  const client = useContext(ClientContext);
  if (!client) throw new Error('the hooks of assessment-monitor need an <AssessmentProvider client={…}> above them');
  return client as AssessmentClient<Submission, Result>;
}
