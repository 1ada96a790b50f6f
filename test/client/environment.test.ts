// @vitest-environment jsdom
import { type AssessmentClientOptions, createAssessmentClient, type MonitorEvent } from 'assessment-monitor';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { memoryStore } from '../../src/lib/storage.ts';

/* Pages whose environment is missing, refused or throws. Nothing answers here: what counts is that the page opens and submits. */

const events: MonitorEvent[] = [];
let client: ReturnType<typeof createAssessmentClient> | undefined;

const open = (options: Partial<AssessmentClientOptions> = {}) => {
  client = createAssessmentClient({
    baseUrl: 'https://api.example.test',
    socket: false,
    fetch: () => new Promise<never>(() => {}),
    onEvent: (event) => void events.push(event),
    ...options,
  });
  return client;
};
const reported = () =>
  events.flatMap((it) =>
    it.type === 'platform.missing' ? [it.what] : it.type === 'tabs.uncoordinated' ? [it.missing] : [],
  );
const refuse = (): never => {
  throw new DOMException('The operation is insecure.', 'SecurityError');
};

beforeEach(() => window.localStorage.clear());
afterEach(() => {
  client?.dispose();
  client = undefined;
  events.length = 0;
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('ids', () => {
  const uuid = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
  const submitAll = () => {
    open();
    return Array.from({ length: 50 }, (_, answer) => client?.submit({ answer }).id ?? '');
  };

  it('are random UUIDs on a page over plain http, which has no randomUUID, and the log reports it once', () => {
    vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
    const ids = submitAll();
    for (const id of ids) expect(id).toMatch(uuid);
    expect(new Set(ids).size).toBe(50);
    expect(reported()).toContain('crypto.randomUUID');
    expect(reported().filter((it) => it.startsWith('crypto'))).toEqual(['crypto.randomUUID']);
  });

  it.each([
    ['is missing', undefined],
    ['throws', { randomUUID: refuse, getRandomValues: refuse }],
  ])('are UUIDs where crypto %s, and the log reports each part once', (_case, stub) => {
    vi.stubGlobal('crypto', stub);
    const ids = submitAll();
    for (const id of ids) expect(id).toMatch(uuid);
    expect(new Set(ids).size).toBe(50);
    expect(reported().filter((it) => it.startsWith('crypto'))).toEqual(['crypto.randomUUID', 'crypto.getRandomValues']);
  });
});

describe('a page whose cookies are blocked', () => {
  const block = () => {
    vi.spyOn(window, 'localStorage', 'get').mockImplementation(refuse);
    vi.spyOn(window, 'sessionStorage', 'get').mockImplementation(refuse);
    vi.stubGlobal('BroadcastChannel', new Proxy(Date, { construct: refuse }));
    Object.defineProperty(navigator, 'locks', { get: refuse, configurable: true });
  };
  afterEach(() => Reflect.deleteProperty(navigator, 'locks'));

  it.each(['v1', 'v2'] as const)('opens, resumes nothing and submits with auth %s', (version) => {
    block();
    open({ auth: { version } });
    expect(client?.resume()).toEqual([]);
    client?.signedIn({ accessToken: 'a-token', expiresIn: 300, userId: 'u1' });
    expect(client?.submit({ answer: 1 }).getSnapshot().phase).toBe('submitting');
    client?.signedOut();
  });

  it('opens where BroadcastChannel and Web Locks are missing', () => {
    vi.stubGlobal('BroadcastChannel', undefined);
    expect(() => open().resume()).not.toThrow();
  });

  it('opens where the channel of the application throws', () => {
    expect(() => open({ channel: refuse }).resume()).not.toThrow();
  });
});

describe('a storage of the application that throws', () => {
  it.each(['v1', 'v2'] as const)('keeps neither the client nor a submission from working with auth %s', (version) => {
    const broken = { get: refuse, set: refuse, remove: refuse, keys: refuse };
    open({ auth: { version }, storage: broken, tokenStorage: broken });
    expect(client?.resume()).toEqual([]);
    client?.signedIn({ accessToken: 'a-token', expiresIn: 300, userId: 'u1' });
    expect(client?.submit({ answer: 1 }).getSnapshot().phase).toBe('submitting');
    client?.signedOut();
  });
});

describe('a storage that is cleared while an assessment is under way', () => {
  const jobs = (keys: string[]) => keys.filter((key) => key.includes(':job:'));

  it('holds the record again after the next event of the assessment', () => {
    open();
    const assessment = client?.submit({ answer: 1 });
    const [key = ''] = jobs(Object.keys(window.localStorage));
    const text = window.localStorage.getItem(key);
    window.localStorage.clear();
    assessment?.actor.send({ type: 'page.resumed', reason: 'visible' });
    expect(window.localStorage.getItem(key)).toBe(text);
  });

  it('does not hold the record of a cancelled assessment again', () => {
    const storage = memoryStore();
    open({ storage });
    const assessment = client?.submit({ answer: 1 });
    assessment?.cancel();
    expect(jobs(storage.keys())).toEqual([]);
  });
});

describe('a token that no header can carry', () => {
  it.each(['caf\u00e9-\u2013', 'two\nlines', 'a\0b'])('is refused at the sign-in: %j', (accessToken) => {
    expect(() => new Headers({ Authorization: `Bearer ${accessToken}` })).toThrow();
    open();
    expect(() => client?.signedIn({ accessToken })).toThrow(TypeError);
  });

  it.each(['a-token\n', 'caf\u00e9'])('is not confused with one that a header can carry: %j', (accessToken) => {
    expect(() => new Headers({ Authorization: `Bearer ${accessToken}` })).not.toThrow();
    open();
    expect(() => client?.signedIn({ accessToken })).not.toThrow();
  });

  it('counts as no token where an application of auth v1 has stored it, and the log reports it once', async () => {
    const storage = memoryStore();
    storage.set('token', 'caf\u00e9-\u2013');
    open({ auth: { version: 'v1' }, storage });
    client?.submit({ answer: 1 });
    await expect(client?.ensureValidToken()).rejects.toThrow('sign');
    expect(events.filter(({ type }) => type === 'token.unsendable')).toHaveLength(1);
    expect(events.filter(({ type }) => type === 'request.started')).toEqual([]);
  });

  it('counts as no token where auth v2 finds it after a reload, and the log reports it once', () => {
    const tokenStorage = memoryStore();
    const stored = { value: 'caf\u00e9-\u2013', generation: 1, expiresAt: null, ttlMs: null, userId: null };
    tokenStorage.set('assessment-monitor:token', JSON.stringify(stored));
    open({ tokenStorage });
    client?.submit({ answer: 1 });
    expect(events.filter(({ type }) => type === 'token.unsendable')).toHaveLength(1);
    expect(events.filter((it) => it.type === 'request.started' && it.route === 'submit')).toEqual([]);
  });
});

/** An answer without a stream, as in engines that have none. */
const plainAnswer = (status: number, body: unknown): Response =>
  ({ status, headers: new Headers(), text: async () => JSON.stringify(body) }) as unknown as Response;

it('20,000 reports of a fraction more progress notify a subscriber once for each whole percent', async () => {
  const accepted = { success: true, data: { jobId: 'j1', status: 'queued' } };
  open({
    fetch: (input) =>
      String(input).endsWith('/submit') ? Promise.resolve(plainAnswer(202, accepted)) : new Promise<never>(() => {}),
  });
  client?.signedIn({ accessToken: 'a-token', expiresIn: 3_600, userId: 'u1' });
  const assessment = client?.submit({ answer: 1 });
  await expect.poll(() => assessment?.getSnapshot().phase).toBe('waiting');
  const listener = vi.fn<() => void>();
  assessment?.subscribe(listener);
  for (let report = 1; report <= 20_000; report += 1) {
    const percent = report / 200;
    assessment?.actor.send({ type: 'job.progressed', jobId: 'j1', resultId: null, status: 'processing', percent });
  }
  expect(assessment?.getSnapshot().progress.percent).toBe(100);
  expect(listener.mock.calls.length).toBeLessThanOrEqual(101);
});
