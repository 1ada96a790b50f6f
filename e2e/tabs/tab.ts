import { type AssessmentView, createAssessmentClient, type MonitorEvent, systemClock } from 'assessment-monitor';
import { sampleAnswers } from '@assessment-monitor/demo/sample-answers';

/*
 * One tab of many: a client of its own, an assessment of its own, and the cookie, the storage, the locks and the channel of the browser.
 * It keeps a book of what it was shown and of what it has open, for those who watch the tabs from outside.
 */

export interface TabBook {
  phase: AssessmentView['phase'] | 'nothing';
  /** Every view that was shown, as text. */
  shown: string[];
  events: (MonitorEvent & { at: number })[];
  open: { timers: number; requests: number };
  /** It is the one that is refreshing now. */
  isRefreshing: boolean;
}

export interface TabHandle {
  /** @param email whose session it is; the application names that user @default a user whom only the token names */
  signIn(email?: string): Promise<void>;
  submit(): void;
  signOut(): void;
  refresh(): Promise<string>;
  dispose(): void;
  book(): TabBook;
}

const settings = new URLSearchParams(window.location.search);
const ms = (name: string, otherwise: number): number => Number(settings.get(name) ?? otherwise);

/** A book of what was shown is a memory of it: a test that searches the memory of the page does without. */
const keepsBook = settings.get('book') !== 'none';
const book: TabBook = {
  phase: 'nothing',
  shown: [],
  events: [],
  open: { timers: 0, requests: 0 },
  isRefreshing: false,
};
const timers = new Set<unknown>();

const fetchWithBook: typeof fetch = async (input, init) => {
  const isRefresh = String(input).endsWith('/refresh');
  book.open.requests += 1;
  book.isRefreshing ||= isRefresh;
  const end = (): void => {
    book.open.requests -= 1;
    if (isRefresh) book.isRefreshing = false;
  };
  try {
    const response = await fetch(input, init);
    // A request has ended when its body has been read.
    const text = response.text.bind(response);
    response.text = () => text().finally(end);
    return response;
  } catch (error) {
    end();
    throw error;
  }
};

const client = createAssessmentClient({
  baseUrl: window.location.origin + (settings.get('base') ?? ''),
  socket: settings.get('socket') === 'none' ? false : { transports: ['websocket'] },
  timings: {
    refreshIntervalMs: ms('refreshIntervalMs', 3_000),
    refreshTimeoutMs: ms('refreshTimeoutMs', 3_000),
    pollMinMs: 500,
    pollMaxMs: 1_000,
    heartbeatMs: 2_000,
    minDistanceMs: 200,
  },
  onEvent: (event) => void book.events.push(event),
  clock: {
    now: systemClock.now,
    setTimeout(callback, delay) {
      const handle = systemClock.setTimeout(() => {
        timers.delete(handle);
        callback();
      }, delay);
      timers.add(handle);
      return handle;
    },
    clearTimeout(handle) {
      timers.delete(handle);
      systemClock.clearTimeout(handle);
    },
  },
  // With `fetch=page` the client uses the page's own, which is a part of it.
  ...(settings.get('fetch') !== 'page' && { fetch: fetchWithBook }),
});

const showPhase = (phase: TabBook['phase']): void => {
  book.phase = phase;
  const output = document.querySelector('#phase');
  if (output) output.textContent = phase;
};
const show = (view: AssessmentView): void => {
  if (keepsBook) book.shown.push(JSON.stringify(view));
  showPhase(view.phase);
  showResult(view.phase === 'completed' ? JSON.stringify(view.result) : '');
};
const showResult = (text: string): void => {
  const output = document.querySelector('#result');
  if (output) output.textContent = text;
};
const showNothing = (): void => {
  showPhase('nothing');
  showResult('');
};
const followed = new WeakSet<object>();
/** Shows every assessment of the client, and nothing when the last one has left. */
const follow = (): void => {
  const { assessments, balance } = client.getSnapshot();
  const output = document.querySelector('#balance');
  if (output) output.textContent = balance === null ? '' : String(balance);
  if (assessments.length === 0) showNothing();
  for (const assessment of assessments) {
    if (followed.has(assessment)) continue;
    followed.add(assessment);
    show(assessment.getSnapshot());
    assessment.subscribe(() => show(assessment.getSnapshot()));
  }
};
client.subscribe(follow);
client.resume();

const handle: TabHandle = {
  async signIn(email) {
    const response = await fetch('/api/auth/v2/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: email ?? 'user@example.test', password: 'correct-horse' }),
    });
    const { data } = (await response.json()) as { data: { idToken: string; expiresIn: string } };
    client.signedIn({ accessToken: data.idToken, expiresIn: data.expiresIn, userId: email });
  },
  // Answers of its own: equal answers would be one assessment in all tabs.
  submit: () => void client.submit({ ...sampleAnswers, assessment_name: `Assessment of tab ${crypto.randomUUID()}` }),
  signOut: () => client.signedOut(),
  refresh: () => client.ensureValidToken(true),
  dispose: () => client.dispose(),
  book: () => ({ ...book, open: { ...book.open, timers: timers.size } }),
};
Object.assign(window, { tab: handle });
