import { countTokens } from '../count-tokens.ts';
import {
  type AssessmentClient,
  createAssessmentClient,
  type MonitorEvent,
  SignInRequiredError,
} from 'assessment-monitor';
import { createInspector } from 'assessment-monitor/inspect';
import { toBeacon } from 'assessment-monitor/telemetry';
import * as z from 'zod/mini';
import { createObserver, type Observer } from './observer.ts';
import type { Words } from './words.ts';

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

export type LoggedEvent = MonitorEvent & { at: number };

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
  /** What it saw of this visit. */
  visit: Record<'submissionsAccepted' | 'refreshes' | 'requestsWithExpiredToken' | 'unauthorizedAnswers', number>;
}

/** A list that grows, for `useSyncExternalStore`. */
export interface History<T> {
  add(entry: T): void;
  subscribe(listener: () => void): () => void;
  getSnapshot(): readonly T[];
}

/** Something that the visitor did with a switch. */
export interface Press {
  at: number;
  /** What was done, in words of the page. */
  did: Words;
  values: Record<string, string | number>;
  /** What to expect where nothing follows at once. */
  next: Words | null;
}

export interface Session {
  client: AssessmentClient<Answers, Report>;
  server: ServerView;
  /** Everything that happened. */
  events: History<LoggedEvent>;
  /** What the visitor did. */
  presses: History<Press>;
  press(did: Words, next?: Words | null, values?: Press['values']): void;
  /** What the inspector says of the machines, as it would leave for a viewer: redacted. */
  inspected: Observer;
  /** One click: a real page would show a form. @throws Error when the server does not let us in */
  signIn(): Promise<void>;
  /** Ends the token and asks at once, until the server has refused one: a refresh may come in between. */
  endToken(): Promise<void>;
  /** Makes a call now, and again until it is answered or a sign-in is needed. */
  ask(): Promise<void>;
}

/** Names this visit at the server. A reload and a second tab belong to it. */
const VISIT = visitName();
/** For so long a result is there after a reload, ms. */
const KEEP_RESULT_MS = 10 * 60_000;
/** Before a call without an answer is repeated, ms. */
const AGAIN_MS = 2_000;
/** More refreshes than this do not come between an end and a call. */
const MOST_ENDS = 5;

export async function openSession(): Promise<Session> {
  const server = await askServer();
  const events = history<LoggedEvent>();
  const presses = history<Press>();
  const counted = countTokens();
  const inspected = createObserver();
  const beacon = toBeacon('/metrics/beacon');
  const { inspect } = createInspector({ enabled: true, send: inspected.hear });

  const client = createAssessmentClient<Answers, Report>({
    baseUrl: window.location.origin,
    resultSchema: reportSchema,
    keepResult: KEEP_RESULT_MS,
    fetch: (input, init) => fetch(input, { ...init, headers: { ...(init?.headers as object), 'X-Visit': VISIT } }),
    timings: {
      // "The minute" of this server is as short as its tokens.
      refreshIntervalMs: server.options.refreshIntervalMs,
      heartbeatMs: 5_000,
      // As short as this server's jobs: its failures are final.
      failureConfirmationMs: 3_000,
      slowCheckMs: 2_000,
    },
    onEvent(event) {
      events.add(counted(event));
      beacon(event);
    },
    inspect,
  });
  const press: Session['press'] = (did, next = null, values = {}) => presses.add({ at: Date.now(), did, next, values });
  /** Whether a call was refused since this many events were there. */
  const isRefusedSince = (count: number) =>
    events
      .getSnapshot()
      .slice(count)
      .some((it) => it.type === 'request.finished' && it.outcome === 'unauthorized');
  /** One call. @returns whether another one can help */
  const call = async (): Promise<boolean> => {
    try {
      await client.refreshBalance();
      return false;
    } catch (error) {
      return !(error instanceof SignInRequiredError);
    }
  };
  let isAsking = false;
  const ask = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    while (await call()) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    isAsking = false;
  };
  return {
    client,
    server,
    events,
    presses,
    press,
    inspected,
    async signIn() {
      const { idToken, expiresIn } = await signInCall();
      client.signedIn({ accessToken: idToken, expiresIn });
    },
    async endToken() {
      const isThere = await client.ensureValidToken().then(
        () => true,
        () => false,
      );
      if (!isThere) return press('noTokenToEnd');
      const count = events.getSnapshot().length;
      press('youEnded', null, { generation: generationOf(events.getSnapshot()) });
      for (let ends = 0; ends < MOST_ENDS && !isRefusedSince(count); ends += 1) {
        await command({ do: 'endTokens' });
        await call();
      }
      return ask();
    },
    ask,
  };
}

/** The number of the token of now. */
export const generationOf = (events: readonly LoggedEvent[]): number =>
  events.findLast((it) => it.type === 'token.renewed')?.generation ?? 0;

/** The latest of something, for `useSyncExternalStore`. */
function history<T>(): History<T> {
  let entries: readonly T[] = [];
  const listeners = new Set<() => void>();
  return {
    add(entry) {
      entries = [...entries.slice(-499), entry];
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    getSnapshot: () => entries,
  };
}

/** A name that outlives a reload. A tab that this page opens gets a copy of it. */
function visitName(): string {
  const key = 'demo-visit';
  const name = sessionStorage.getItem(key) ?? crypto.randomUUID();
  sessionStorage.setItem(key, name);
  return name;
}

/** @param email an account of its own, so that two runs in one page do not share a session or a credit */
export async function signInCall(
  init: RequestInit = {},
  email = 'user@example.test',
): Promise<{ idToken: string; expiresIn: string }> {
  const response = await fetch('/api/auth/v2/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email, password: 'correct-horse' }),
    ...init,
  });
  if (!response.ok) throw new Error(`sign-in: ${response.status}`);
  return ((await response.json()) as { data: { idToken: string; expiresIn: string } }).data;
}

export async function askServer(): Promise<ServerView> {
  const response = await fetch(`/__control?visit=${VISIT}`);
  if (!response.ok) throw new Error(`control: ${response.status}`);
  return (await response.json()) as ServerView;
}

/** Changes how the demo server behaves, or lets something happen there. */
export async function command(what: { do: string } | { configure: Record<string, unknown> }): Promise<void> {
  await fetch('/__control', { method: 'POST', body: JSON.stringify(what) });
}
