import { type AssessmentClient, createAssessmentClient, type MonitorEvent } from 'assessment-monitor';
import * as z from 'zod/mini';

/*
 * The page's one client, and what an engineer wants to see of it. Created outside of React, as an application would.
 */

/** What the demo shows of a result: a schema of the application's own. */
export const reportSchema = z.object({
  archetype: z.string(),
  shortSummary: z.string(),
  strengthSummary: z.string(),
  strengths: z.array(z.string()),
  careerRecommendation: z.array(z.object({ careerName: z.string(), justification: z.string() })),
});
export type Report = z.infer<typeof reportSchema>;

export interface Answers {
  assessment_name: string;
  assessment_data: Record<string, Record<string, number>>;
}

type LoggedEvent = MonitorEvent & { at: number };

/** What the demo server tells of itself at `/__control`. */
export interface ServerView {
  options: { accessTokenTtlMs: number; jobDurationMs: number; refreshIntervalMs: number };
  counts: Record<'submissionsAccepted' | 'refreshes' | 'requestsWithExpiredToken' | 'unauthorizedAnswers', number>;
}

export interface Session {
  client: AssessmentClient<Answers, Report>;
  server: ServerView;
  /** Everything that happened, for `useSyncExternalStore`. */
  events: { subscribe(listener: () => void): () => void; getSnapshot(): readonly LoggedEvent[] };
  /** One click: a real page would show a form. @throws Error when the server does not let us in */
  signIn(): Promise<void>;
}

export async function openSession(): Promise<Session> {
  const server = await askServer();
  let log: readonly LoggedEvent[] = [];
  const listeners = new Set<() => void>();

  const client = createAssessmentClient<Answers, Report>({
    baseUrl: window.location.origin,
    resultSchema: reportSchema,
    timings: {
      // "The minute" of this server is as short as its tokens.
      refreshIntervalMs: server.options.refreshIntervalMs,
      heartbeatMs: 5_000,
    },
    onEvent(event) {
      log = [...log.slice(-499), event];
      for (const listener of listeners) listener();
    },
  });
  return {
    client,
    server,
    events: {
      subscribe(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      getSnapshot: () => log,
    },
    async signIn() {
      const response = await fetch('/api/auth/v2/login', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email: 'user@example.test', password: 'correct-horse' }),
      });
      if (!response.ok) throw new Error(`sign-in: ${response.status}`);
      const { data } = (await response.json()) as { data: { idToken: string; expiresIn: string } };
      client.signedIn({ accessToken: data.idToken, expiresIn: data.expiresIn });
    },
  };
}

export async function askServer(): Promise<ServerView> {
  const response = await fetch('/__control');
  if (!response.ok) throw new Error(`control: ${response.status}`);
  return (await response.json()) as ServerView;
}

/** Pulls a lever of the demo server. */
export async function pull(lever: 'endTokens' | 'dropSockets' | 'revokeSessions'): Promise<void> {
  await fetch('/__control', { method: 'POST', body: JSON.stringify({ do: lever }) });
}
