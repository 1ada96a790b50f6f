import { createAssessmentClient } from 'assessment-monitor';
import { createInspector, type InspectedEvent, type Inspector, redactEvent } from 'assessment-monitor/inspect';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createActor, fromPromise, toPromise } from 'xstate';
import { sampleAnswers } from '../../demo/sample-answers.ts';
import { memoryStore } from '../../src/lib/storage.ts';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { collectFrames } from './frames.ts';
import { leak, PLANTED } from './leaky-machine.ts';

let inspector: Inspector | undefined;
afterEach(() => {
  inspector?.stop();
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});

/** The last event of the leaky machine. */
const isEnd = (text: string) => text.includes('"status":"done"') && text.includes('"value":"done"');
const untilEnd = (left: readonly string[]) =>
  vi.waitFor(() => expect(left.some(isEnd)).toBe(true), { timeout: 10_000 });

/** A fake window that collects every message posted to the viewer's window. */
function fakeWindow() {
  const left: string[] = [];
  const opened: string[] = [];
  const listeners: ((event: unknown) => void)[] = [];
  const viewer = { postMessage: (message: unknown) => left.push(JSON.stringify(message)) };
  vi.stubGlobal('window', {
    open: (url: string) => (opened.push(url), viewer),
    addEventListener: (_: string, listener: (event: unknown) => void) => listeners.push(listener),
    requestIdleCallback: (callback: () => void) => setTimeout(callback),
  });
  const isListenedTo = () => listeners.length > 0;
  const connect = () => listeners.forEach((it) => it({ data: { type: '@statelyai.connected' } }));
  return { left, opened, viewer, isListenedTo, connect };
}

describe('the inspector sends no secret', () => {
  it('to the `send` function', async () => {
    const left: string[] = [];
    inspector = createInspector({ enabled: true, send: (event) => left.push(JSON.stringify(event)) });
    await leak(inspector.inspect);
    await untilEnd(left);
    expect(left.filter((it) => PLANTED.test(it))).toEqual([]);
  });

  it('to the hosted inspector in a window, before and after it connects', async () => {
    const { left, opened, connect, isListenedTo } = fakeWindow();
    inspector = createInspector({ enabled: true });
    await leak(inspector.inspect);
    await vi.waitFor(() => expect(isListenedTo()).toBe(true));
    connect();
    await leak(inspector.inspect);
    await vi.waitFor(() => expect(left.filter(isEnd).length).toBeGreaterThanOrEqual(2));
    expect(opened).toEqual(['https://stately.ai/inspect']);
    expect(left.filter((it) => PLANTED.test(it))).toEqual([]);
  });

  it('to a viewer in an iframe', async () => {
    const { left, viewer, connect, isListenedTo } = fakeWindow();
    const loaded: (() => void)[] = [];
    const iframe = {
      contentWindow: viewer,
      addEventListener: (_: string, listener: () => void) => loaded.push(listener),
      setAttribute: () => {},
    } as unknown as HTMLIFrameElement;
    inspector = createInspector({ enabled: true, url: 'http://localhost:4700/', iframe });
    await vi.waitFor(() => expect(isListenedTo()).toBe(true));
    loaded.forEach((it) => it());
    connect();
    await leak(inspector.inspect);
    await untilEnd(left);
    expect(left.filter((it) => PLANTED.test(it))).toEqual([]);
  });

  it('over a WebSocket, before and after it opens', async () => {
    const frames = await collectFrames();
    inspector = createInspector({ enabled: true, url: frames.url });
    await leak(inspector.inspect);
    await untilEnd(frames.texts);
    const before = frames.texts.length;
    await leak(inspector.inspect);
    await vi.waitFor(() => expect(frames.texts.slice(before).some(isEnd)).toBe(true));
    expect(frames.texts.filter((it) => PLANTED.test(it))).toEqual([]);
    frames.close();
  });

  it('under a revealed key when the text looks like a token', async () => {
    const left: string[] = [];
    inspector = createInspector({
      enabled: true,
      reveal: ['authorization'],
      send: (event) => left.push(JSON.stringify(event)),
    });
    await leak(inspector.inspect);
    await untilEnd(left);
    expect(left.filter((it) => PLANTED.test(it))).toEqual([]);
  });
});

it('sends the chart, the states and the events of an assessment', async () => {
  const seen: InspectedEvent[] = [];
  inspector = createInspector({ enabled: true, send: (event) => seen.push(event) });
  const client = createAssessmentClient({
    baseUrl: 'https://api.example.test',
    socket: false,
    clock: virtualClock(),
    storage: memoryStore(),
    tokenStorage: memoryStore(),
    inspect: inspector.inspect,
    fetch: () => new Promise(() => {}),
  });
  client.signedIn({ accessToken: 'PLANTED', expiresIn: 3_600 });
  client.submit({ ...sampleAnswers, assessment_name: 'PLANTED' });
  await vi.waitFor(() => {
    const snapshot = seen.findLast((it) => it.type === '@xstate.snapshot' && it.sessionId === it.rootId);
    expect(snapshot).toMatchObject({ snapshot: { value: { active: { submitting: 'sending' } } } });
  });
  const actor = seen.find((it) => it.type === '@xstate.actor' && it.sessionId === it.rootId);
  const { definition } = actor as { definition: string };
  expect(JSON.parse(definition)).toHaveProperty('states.active.states.auth-failed.on');
  expect(seen).toContainEqual(expect.objectContaining({ type: '@xstate.event', event: { type: 'assessment.submit' } }));
  expect(JSON.stringify(seen)).not.toMatch(PLANTED);
  client.dispose();
});

it('sends the definition of the whole chart: each name in it is shown', () => {
  const flat = { type: '@xstate.actor', definition: assessmentMachine.config };
  const { definition } = redactEvent(flat) as unknown as { definition: string };
  const hidden = definition.match(/"[^"]*":"\[redacted\]"|"\[redacted\]":/g) ?? [];
  expect(hidden.filter((it) => !it.startsWith('"description":'))).toEqual([]);
});

it('sends no value of a result that the actor of a promise brings, and continues after a `send` that throws', async () => {
  const seen: InspectedEvent[] = [];
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  inspector = createInspector({
    enabled: true,
    send(event) {
      seen.push(event);
      throw new Error('a broken viewer');
    },
  });
  const actor = createActor(
    fromPromise(() => Promise.resolve({ name: 'PLANTED', score: 73_421 })),
    { inspect: inspector.inspect },
  ).start();
  await toPromise(actor);
  await vi.waitFor(() => expect(seen.at(-1)).toMatchObject({ snapshot: { status: 'done', output: {} } }));
  expect(JSON.stringify(seen)).not.toMatch(/PLANTED|73421/);
  expect(warn).toHaveBeenCalled();
  warn.mockRestore();
});

it('an inspector that throws does not stop an assessment', async () => {
  const client = createAssessmentClient({
    baseUrl: 'https://api.example.test',
    socket: false,
    clock: virtualClock(),
    storage: memoryStore(),
    tokenStorage: memoryStore(),
    inspect: () => {
      throw new Error('a broken viewer');
    },
    fetch: () => new Promise(() => {}),
  });
  client.signedIn({ accessToken: 'a-token', expiresIn: 3_600 });
  expect(client.submit(sampleAnswers).getSnapshot().phase).toBe('submitting');
  client.dispose();
});

describe('the environment', () => {
  it.each([undefined, 'production', 'test', 'staging', 'Development'])(
    'sends nothing when NODE_ENV is %s, unless `enabled` is true',
    async (environment) => {
      vi.stubEnv('NODE_ENV', environment);
      const left: InspectedEvent[] = [];
      const wanted: InspectedEvent[] = [];
      inspector = createInspector({ send: (event) => left.push(event) });
      await leak(inspector.inspect);
      const second = createInspector({ enabled: true, send: (event) => wanted.push(event) });
      await leak(second.inspect);
      await untilEndOf(wanted);
      expect(left).toEqual([]);
      second.stop();
    },
  );

  it('sends when NODE_ENV is `development`, unless `enabled` is false', async () => {
    vi.stubEnv('NODE_ENV', 'development');
    const left: InspectedEvent[] = [];
    const unwanted: InspectedEvent[] = [];
    inspector = createInspector({ send: (event) => left.push(event) });
    await leak(createInspector({ enabled: false, send: (event) => unwanted.push(event) }).inspect);
    await leak(inspector.inspect);
    await untilEndOf(left);
    expect(unwanted).toEqual([]);
  });

  it('sends nothing after stop, earlier events included', async () => {
    const left: InspectedEvent[] = [];
    inspector = createInspector({ enabled: true, send: (event) => left.push(event) });
    const { inspect } = inspector;
    const run = leak(inspect);
    inspector.stop();
    await run;
    expect(left).toEqual([]);
  });
});
const untilEndOf = (left: readonly InspectedEvent[]) =>
  vi.waitFor(() => expect(left.map((it) => JSON.stringify(it)).some(isEnd)).toBe(true));

it.each([
  [
    'a window of the hosted inspector',
    {},
    /the window with https:\/\/stately\.ai\/inspect; if none has opened, allow pop-ups/,
  ],
  ['a window', { url: 'http://localhost:4700' }, /the window with http:\/\/localhost:4700; if none has opened/],
  ['the page of a viewer that it sends to', { url: 'ws://localhost:1' }, /look at http:\/\/localhost:1$/],
])('writes once where to look: %s', async (_, options, words) => {
  fakeWindow();
  const info = vi.spyOn(console, 'info').mockImplementation(() => {});
  inspector = createInspector({ enabled: true, ...options });
  await vi.waitFor(() => expect(info).toHaveBeenCalled());
  expect(info.mock.calls.flat()).toEqual([expect.stringMatching(words)]);
  info.mockRestore();
});

it('writes nothing where the application receives the events itself', async () => {
  const info = vi.spyOn(console, 'info').mockImplementation(() => {});
  const left: string[] = [];
  inspector = createInspector({ enabled: true, send: (event) => left.push(JSON.stringify(event)) });
  await leak(inspector.inspect);
  await untilEnd(left);
  expect(info).not.toHaveBeenCalled();
  info.mockRestore();
});
