import {
  type Assessment,
  type AssessmentClient,
  type AssessmentClientOptions,
  type AssessmentView,
  createAssessmentClient,
  type MonitorEvent,
} from 'assessment-monitor';
import { memoryStore } from 'assessment-monitor';
import { type Backend, type BackendOptions, startBackend } from '@assessment-monitor/backend';
import { createBook } from '@assessment-monitor/demo/book';
import { sampleAnswers } from '@assessment-monitor/demo/sample-answers';
import { cookieFetch } from './cookie-fetch.ts';
import { countTokens } from '@assessment-monitor/demo/count-tokens';
import { createNarrator, secondsSince, type TimelineLine } from '@assessment-monitor/demo/timeline';

/*
 * A stage for stories: the reference backend on loopback, a browser's worth of world around a real client (cookies, storage that
 * outlives a reload), and a book in which everything that is opened is counted until it is closed.
 */

/** What was left open, on the client's side. */
export interface LeftOpen {
  timers: number;
  sockets: number;
  requests: number;
}

export interface Stage {
  readonly backend: Backend;
  /** The page of now; `reload` replaces it. */
  readonly client: AssessmentClient;
  /** Everything the clients reported, in order. */
  readonly events: (MonitorEvent & { at: number })[];
  /** Every view that a user was shown, in order. */
  readonly shown: AssessmentView[];
  /** States of the chart in order, `idle` first, across reloads. */
  readonly states: string[];
  readonly timeline: TimelineLine[];
  /** @param spoil changes the token between the sign-in page and the client */
  signIn(spoil?: (accessToken: string) => string): Promise<void>;
  /** Signs in as another user; any address ends with `@example.test`. */
  signInAs(email: string): Promise<void>;
  submit(): Assessment;
  /** Throws the page away in the middle of everything and opens it again, as a browser does. */
  reload(): readonly Assessment[];
  /** Shows an assessment to the user from now on. */
  show(assessment: Assessment): Assessment;
  /** Resolves when the condition holds; looked at whenever something happens. Rejects after `ms`. */
  until(what: string, condition: () => boolean, ms?: number): Promise<void>;
  /** Ends the page and says what it left open. */
  close(): Promise<LeftOpen>;
}

export interface StageOptions {
  backend?: Partial<BackendOptions>;
  client?: Partial<AssessmentClientOptions<Record<string, unknown>>>;
}

export async function openStage({
  backend: backendOptions = {},
  client: clientOptions = {},
}: StageOptions): Promise<Stage> {
  const backend = await startBackend(backendOptions);
  const book = createBook(() => lookAround());
  const browserFetch = cookieFetch();
  const storage = memoryStore();
  const tokenStorage = memoryStore();
  const startedAt = Date.now();
  const narrate = createNarrator(startedAt);
  const counted = countTokens();
  const events: Stage['events'] = [];
  const shown: AssessmentView[] = [];
  const states = ['idle'];
  const timeline: TimelineLine[] = [];
  const waiting = new Set<() => void>();
  const lookAround = (): void => {
    for (const check of waiting) check();
  };
  const stopListening = backend.onLog((entry) => {
    if (entry.kind === 'auth' || entry.kind === 'job') note(entry.at, `server: ${entry.text}`);
    lookAround();
  });
  const note = (at: number, text: string): void => {
    timeline.push({ seconds: secondsSince(startedAt, at), text, tone: 'plain' });
  };
  const auth = clientOptions.auth?.version ?? 'v2';

  const openPage = (): AssessmentClient => {
    const page = createAssessmentClient({
      baseUrl: backend.url,
      storage,
      tokenStorage,
      clock: book.clock,
      fetch: book.fetch(browserFetch),
      ...clientOptions,
      timings: {
        heartbeatMs: 1_500,
        pollMinMs: 500,
        pollMaxMs: 1_000,
        minDistanceMs: 200,
        settlingMs: 300,
        failureConfirmationMs: 600,
        ...clientOptions.timings,
      },
      onEvent: (event) => {
        events.push(event);
        if (event.type === 'state.changed' && states.at(-1) !== event.to) states.push(event.to);
        timeline.push(...narrate(counted(event)));
        lookAround();
      },
    });
    page.subscribe(lookAround);
    return page;
  };
  let client = openPage();

  const stage: Stage = {
    backend,
    get client() {
      return client;
    },
    events,
    shown,
    states,
    timeline,
    async signIn(spoil = (it) => it) {
      const session = await logIn(browserFetch, backend.url, auth, 'user@example.test');
      client.signedIn({ ...session, accessToken: spoil(session.accessToken) });
    },
    async signInAs(email) {
      client.signedIn(await logIn(browserFetch, backend.url, auth, email));
    },
    show(assessment) {
      const look = () => {
        shown.push(assessment.getSnapshot());
        lookAround();
      };
      look();
      assessment.subscribe(look);
      return assessment;
    },
    submit: () => stage.show(client.submit(sampleAnswers)),
    reload() {
      note(Date.now(), 'the page is reloaded');
      client.dispose();
      client = openPage();
      return client.resume().map(stage.show);
    },
    until: (what, condition, ms = 30_000) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!condition()) return;
          finish();
          resolve();
        };
        const timer = setTimeout(() => {
          finish();
          reject(new Error(`waited ${ms / 1000} s in vain until ${what}`));
        }, ms);
        const finish = (): void => {
          clearTimeout(timer);
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      }),
    async close() {
      client.dispose();
      // The server notices the end of a socket a moment later than the client closes it, and a request that is aborted rejects a moment later.
      const open = () => ({ ...book.open(), sockets: backend.openConnections().sockets });
      await stage
        .until('nothing is open', () => Object.values(open()).every((count) => count === 0), 5_000)
        .catch(() => {});
      const left = open();
      stopListening();
      await backend.close();
      return left;
    },
  };
  return stage;
}

/** Signs in as a page would, and returns what it hands to the client. */
export async function logIn(fetch: typeof globalThis.fetch, url: string, version: 'v1' | 'v2', email: string) {
  const path = version === 'v1' ? '/api/auth/login' : '/api/auth/v2/login';
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email, password: 'correct-horse' }),
    credentials: 'include',
  });
  const { data } = (await response.json()) as {
    data: { idToken?: string; token?: string; expiresIn?: string; refreshToken?: string };
  };
  return { accessToken: data.idToken ?? data.token ?? '', expiresIn: data.expiresIn, refreshToken: data.refreshToken };
}
