import { type AssessmentPhase, createAssessmentClient, type RuntimeSettings } from 'assessment-monitor';
import { toBeacon } from 'assessment-monitor/telemetry';
import { sampleAnswers } from '@assessment-monitor/demo/sample-answers';

/* A page with the client, the beacon and a switch. Its server is the judge, so the page keeps no counts of its own. */

export interface OpsHandle {
  signIn(): Promise<void>;
  submit(count: number): void;
  /** Of each assessment, in the order of their submission. */
  phases(): AssessmentPhase[];
  /** The ids of the jobs whose results are shown. */
  shownJobs(): (string | null)[];
  setRefresh(isOn: boolean): void;
  /** Sends no further request until the page is shown again, and resolves when every request that was sent has its answer. */
  settle(): Promise<void>;
  /** Whether the browser has restored this page from its back/forward cache. */
  isRestored(): boolean;
}

let settings: RuntimeSettings = {};
const listeners = new Set<() => void>();
let isLeaving = false;
let isRestored = false;
/** Calls that the client has begun and not ended, and those of them that wait for the page to be shown again. */
const calls = { open: 0, held: 0 };

window.addEventListener('pageshow', ({ persisted }) => {
  isLeaving = false;
  isRestored ||= persisted;
});

/** A request that leaves with the page has no answer to count, although the server counts it: a page that leaves holds it back. */
const fetchUntilLeaving: typeof fetch = async (input, init) => {
  if (isLeaving) {
    calls.held += 1;
    await new Promise((resolve) => window.addEventListener('pageshow', resolve, { once: true }));
    calls.held -= 1;
  }
  return fetch(input, init);
};

const beacon = toBeacon('/metrics/beacon');
const client = createAssessmentClient({
  baseUrl: window.location.origin,
  socket: false,
  fetch: fetchUntilLeaving,
  settings: {
    get: () => settings,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  },
  timings: { refreshIntervalMs: 2_000, pollMinMs: 250, pollMaxMs: 500, minDistanceMs: 10 },
  onEvent(event) {
    if (event.type === 'request.started') calls.open += 1;
    if (event.type === 'request.finished') calls.open -= 1;
    beacon(event);
  },
});
client.resume();

const views = () => client.getSnapshot().assessments.map((assessment) => assessment.getSnapshot());
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

const handle: OpsHandle = {
  async signIn() {
    const response = await fetch('/api/auth/v2/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: 'user@example.test', password: 'correct-horse' }),
    });
    const { data } = (await response.json()) as { data: { idToken: string; expiresIn: string } };
    client.signedIn({ accessToken: data.idToken, expiresIn: data.expiresIn });
  },
  submit(count) {
    // Answers of its own for each: equal answers would be one assessment.
    for (let left = count; left > 0; left -= 1)
      client.submit({ ...sampleAnswers, assessment_name: `Assessment ${crypto.randomUUID()}` });
  },
  phases: () => views().map(({ phase }) => phase),
  shownJobs: () => views().flatMap(({ phase, jobId }) => (phase === 'completed' ? [jobId] : [])),
  setRefresh(isOn) {
    settings = { refresh: isOn };
    for (const listener of listeners) listener();
  },
  async settle() {
    isLeaving = true;
    do await turn();
    while (calls.open > calls.held);
  },
  isRestored: () => isRestored,
};
Object.assign(window, { ops: handle });
