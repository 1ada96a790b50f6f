'use client';

import { createContext, type ReactNode, useContext, useEffect } from 'react';
import type { AssessmentClient } from '../client/client.ts';

const ClientContext = createContext<AssessmentClient | null>(null);

export interface AssessmentProviderProps {
  /**
   * Create it once, outside of any component: it owns the assessments, which outlive the components that show them. Hot reload may
   * run its module again; `const kept = import.meta.hot?.data ?? {}; export const client = (kept.client ??= create…)` keeps it.
   */
  // The types of the answers and the result are given where they are used; see `useAssessment`.
  client: AssessmentClient<never, unknown>;
  /**
   * Whether assessments from before a reload resume when the provider mounts.
   *
   * @default true
   */
  resume?: boolean;
  children?: ReactNode;
}

/**
 * Gives the components below it an assessment client, and resumes the assessments from before a reload.
 * Hooks made by `createAssessmentHooks` need no provider.
 *
 * @example
 * const client = createAssessmentClient({ baseUrl: 'https://api.example.test' });
 * <AssessmentProvider client={client}><App /></AssessmentProvider>
 */
export function AssessmentProvider({ client, resume = true, children }: AssessmentProviderProps) {
  useEffect(() => {
    // Safe to repeat, as StrictMode does: an assessment that the client already has is not started again.
    if (resume) client.resume();
  }, [client, resume]);
  // React 18 has no <ClientContext> without `.Provider`.
  return <ClientContext.Provider value={client as AssessmentClient}>{children}</ClientContext.Provider>;
}

/**
 * The client of the nearest provider.
 *
 * @throws Error when there is no provider
 * @example
 * const client = useAssessmentClient<Answers, Report>();
 */
export function useAssessmentClient<Submission = unknown, Result = unknown>(): AssessmentClient<Submission, Result> {
  const client = useContext(ClientContext);
  if (!client) throw new Error('the hooks of assessment-monitor need an <AssessmentProvider client={…}> above them');
  return client as AssessmentClient<Submission, Result>;
}
