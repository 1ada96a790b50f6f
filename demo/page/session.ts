import { type AssessmentClient, createAssessmentClient, type MonitorEvent } from 'assessment-monitor';
import { createInspector } from 'assessment-monitor/inspect';
import { toBeacon } from 'assessment-monitor/telemetry';
import * as z from 'zod/mini';
import { createObserver, type Observer } from './observer.ts';

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
  options: {
    accessTokenTtlMs: number;
    jobDurationMs: number;
    refreshIntervalMs: number;
    sockets: 'accept' | 'refuse';
    authOutage: boolean;
    faults: { name?: string }[];
  };
  counts: Record<'submissionsAccepted' | 'refreshes' | 'requestsWithExpiredToken' | 'unauthorizedAnswers', number>;
}

export interface Session {
  client: AssessmentClient<Answers, Report>;
  server: ServerView;
  /** Everything that happened, for `useSyncExternalStore`. */
  events: { subscribe(listener: () => void): () => void; getSnapshot(): readonly LoggedEvent[] };
  /** What the inspector says of the machines, as it would leave for a viewer: redacted. */
  inspected: Observer;
  /** One click: a real page would show a form. @throws Error when the server does not let us in */
  signIn(): Promise<void>;
}

export async function openSession(): Promise<Session> {
  const server = await askServer();
  const events = history<LoggedEvent>();
  const inspected = createObserver();
  const beacon = toBeacon('/metrics/beacon');
  const { inspect } = createInspector({ enabled: true, send: inspected.hear });

  const client = createAssessmentClient<Answers, Report>({
    baseUrl: window.location.origin,
    resultSchema: reportSchema,
    timings: {
      // "The minute" of this server is as short as its tokens.
      refreshIntervalMs: server.options.refreshIntervalMs,
      heartbeatMs: 5_000,
      // As short as this server's jobs: its failures are final.
      failureConfirmationMs: 3_000,
      slowCheckMs: 2_000,
    },
    onEvent(event) {
      events.add(event);
      beacon(event);
    },
    inspect,
  });
  return {
    client,
    server,
    events,
    inspected,
    async signIn() {
      const { idToken, expiresIn } = await signInCall();
      client.signedIn({ accessToken: idToken, expiresIn });
    },
  };
}

/** The latest of something, for `useSyncExternalStore`. */
function history<T>() {
  let entries: readonly T[] = [];
  const listeners = new Set<() => void>();
  return {
    add(entry: T) {
      entries = [...entries.slice(-499), entry];
      for (const listener of listeners) listener();
    },
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    getSnapshot: () => entries,
  };
}

export async function signInCall(init: RequestInit = {}): Promise<{ idToken: string; expiresIn: string }> {
  const response = await fetch('/api/auth/v2/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email: 'user@example.test', password: 'correct-horse' }),
    ...init,
  });
  if (!response.ok) throw new Error(`sign-in: ${response.status}`);
  return ((await response.json()) as { data: { idToken: string; expiresIn: string } }).data;
}

export async function askServer(): Promise<ServerView> {
  const response = await fetch('/__control');
  if (!response.ok) throw new Error(`control: ${response.status}`);
  return (await response.json()) as ServerView;
}

/** Changes how the demo server behaves, or lets something happen there. */
export async function command(what: { do: string } | { configure: Record<string, unknown> }): Promise<void> {
  await fetch('/__control', { method: 'POST', body: JSON.stringify(what) });
}
