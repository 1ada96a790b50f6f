import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Backend } from '../../backend/index.ts';
import { serveDemo } from '../../demo/serve.ts';
import { serveViewer, type ViewerServer } from '../../demo/viewer/serve.ts';
import { launchChromium } from '../browser/chromium.ts';
import { rawRequest, sendRaw, statusOf, upgradeHeaders } from './raw.ts';

/*
 * A developer runs `npm start` or `npm run inspect` and opens a hostile page in the same browser. Two names lead to this machine:
 * one is the hostile page's own, the other is a name that was rebound to the port of a server.
 */

const EVIL = 'evil.example.test';
const REBOUND = 'rebound.example.test';

let browser: Browser;
let demo: Backend;
let viewer: ViewerServer;
let elsewhere: Server;
let evilUrl: string;

beforeAll(async () => {
  const names = `--host-resolver-rules=MAP ${EVIL} 127.0.0.1, MAP ${REBOUND} 127.0.0.1`;
  elsewhere = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>hostile</title>');
  });
  await new Promise<void>((resolve) => void elsewhere.listen(0, '127.0.0.1', resolve));
  [browser, demo, viewer] = await Promise.all([
    launchChromium([names]),
    serveDemo({ port: 0, accessTokenTtlMs: 60_000, jobDurationMs: 600_000 }),
    serveViewer({ port: 0 }),
  ]);
  evilUrl = `http://${EVIL}:${(elsewhere.address() as AddressInfo).port}/`;
});
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
afterAll(async () => {
  elsewhere?.closeAllConnections();
  elsewhere?.close();
  await Promise.all([browser?.close(), demo?.close(), viewer?.close()]);
});

const portOf = ({ url }: { url: string }) => Number(new URL(url).port);
const openHostilePage = async (): Promise<Page> => {
  const page = await browser.newPage();
  await page.goto(evilUrl);
  return page;
};

describe('a hostile page in Chromium', () => {
  it('ends neither server with an image', async () => {
    const page = await openHostilePage();
    for (const { url } of [demo, viewer]) {
      await page.evaluate(
        (src) =>
          new Promise((resolve) => {
            const image = new Image();
            image.addEventListener('error', resolve);
            image.src = src;
          }),
        `${url}//`,
      );
      expect((await fetch(url)).status).toBe(200);
    }
  });

  it('pulls no lever of the demo, neither by a request that needs no preflight nor under a rebound name', async () => {
    const page = await openHostilePage();
    const pull = (url: string) =>
      page.evaluate(async (address) => {
        const body = JSON.stringify({ configure: { latencyMs: 9_000 }, do: 'revokeSessions' });
        const response = await fetch(address, { method: 'POST', mode: 'no-cors', body }).catch(() => null);
        return response?.status ?? 0;
      }, url);
    expect(await pull(`${demo.url}/__control`)).toBe(0);
    expect((await page.goto(`http://${REBOUND}:${portOf(demo)}/`))?.status()).toBe(403);
    expect(await pull('/__control')).toBe(403);
    expect(demo.options.latencyMs).toBe(0);
    expect((await page.goto(`http://${REBOUND}:${portOf(viewer)}/`))?.status()).toBe(403);
  });

  it('opens no WebSocket to either server', async () => {
    const page = await openHostilePage();
    const open = (url: string) =>
      page.evaluate(
        (address) =>
          new Promise<string>((resolve) => {
            // Not the import: this runs in the page.
            const socket = new globalThis.WebSocket(address);
            socket.addEventListener('open', () => resolve('opened'));
            socket.addEventListener('error', () => resolve('refused'));
          }),
        url.replace('http', 'ws'),
      );
    expect(await open(viewer.url)).toBe('refused');
    expect(await open(`${demo.url}/socket.io/?EIO=4&transport=websocket`)).toBe('refused');
    // A page of this machine may: that is how a page is inspected.
    await page.goto(evilUrl.replace(EVIL, 'localhost'));
    expect(await open(viewer.url)).toBe('opened');
  });

  it('shows neither page in a frame', async () => {
    const page = await openHostilePage();
    for (const { url } of [demo, viewer]) {
      await page.evaluate(
        (src) =>
          new Promise((resolve) => {
            const frame = document.createElement('iframe');
            frame.addEventListener('load', resolve);
            frame.src = src;
            document.body.replaceChildren(frame);
          }),
        url,
      );
      await expect.poll(() => page.frames()[1]?.url()).toBe('chrome-error://chromewebdata/');
    }
  });

  it('opens the viewer in a window and still cannot show a machine in it', async () => {
    const page = await openHostilePage();
    const popup = page.waitForEvent('popup');
    await page.evaluate(
      ([url, actor]) => {
        const opened = window.open(url);
        // The viewer greets the page that opened it once it listens.
        window.addEventListener('message', () => opened?.postMessage(JSON.parse(actor ?? ''), '*'));
      },
      [viewer.url, actorNamed('forged')],
    );
    const shown = await popup;
    await shown.getByRole('heading', { name: 'Inspector' }).waitFor();
    // What a process sends afterwards is shown: the window is alive, and it has read its messages.
    const socket = await sender();
    socket.send(actorNamed('genuine'));
    await shown.getByRole('button', { name: 'genuine: here' }).waitFor();
    expect(await shown.getByRole('button', { name: 'forged: here' }).count()).toBe(0);
    socket.terminate();
  });
});

describe('the pages under their Content Security Policy', () => {
  const openWatched = async (url: string) => {
    const page = await browser.newPage({ locale: 'en-GB' });
    const violations: string[] = [];
    await page.exposeFunction('tellViolation', (text: string) => violations.push(text));
    await page.addInitScript(() => {
      const { tellViolation } = window as unknown as { tellViolation: (text: string) => void };
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) =>
        tellViolation(`${violatedDirective} ${blockedURI} ${sample}`),
      );
    });
    const response = await page.goto(url);
    return { page, violations, policy: response?.headers()['content-security-policy'] ?? '' };
  };

  it('the demo runs an assessment to its result without a violation', async () => {
    const { page, violations, policy } = await openWatched(demo.url);
    await page.getByRole('button', { name: 'Sign in as a demo user' }).click();
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('img', { name: 'State of the chart: ws-monitoring' }).waitFor();
    demo.finishJobs();
    await page.getByRole('heading', { name: 'Your result' }).waitFor();
    expect(violations).toEqual([]);
    for (const rule of ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "default-src 'none'"])
      expect(policy).toContain(rule);
  });

  it('the viewer shows a machine without a violation', async () => {
    const { page, violations, policy } = await openWatched(viewer.url);
    const socket = await sender();
    socket.send(actorNamed('machine'));
    await page.getByRole('button', { name: 'machine: here' }).waitFor();
    expect(violations).toEqual([]);
    for (const rule of ['frame-ancestors http://localhost:*', "base-uri 'none'", "default-src 'none'"])
      expect(policy).toContain(rule);
    socket.terminate();
  });
});

describe('the viewer', () => {
  it('is not blanked by forged events', async () => {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', ({ message }) => errors.push(message));
    await page.goto(viewer.url);
    const socket = await sender();
    const actor = JSON.parse(actorNamed('odd')) as Record<string, unknown>;
    const forged = [
      { name: { toString: 1 } },
      { name: null },
      { name: ['a'] },
      { name: 'x'.repeat(5_000) },
      { sessionId: 7 },
      { rootId: {} },
      { definition: 'null' },
      { definition: '{"states":"text"}' },
      { definition: '{"id":"assessment","states":{"active":{}}}', snapshot: { value: { odd: 'odd' } } },
      { snapshot: null },
      { snapshot: { value: [[[{ a: 1 }]]] } },
      { createdAt: 1e300 },
      { createdAt: '1e300' },
      { type: '@xstate.event' },
      { type: '@xstate.event', event: { type: { $$typeof: 1 } } },
      { type: '@xstate.snapshot', event: null },
      { type: '@xstate.nonsense' },
    ];
    for (const change of forged) socket.send(JSON.stringify({ ...actor, ...change }));
    socket.send(actorNamed('last'));
    await page.getByRole('button', { name: 'last: here' }).waitFor();
    expect(errors).toEqual([]);
    socket.terminate();
  });

  it('keeps a bounded number of events, and a bounded number of bytes', async () => {
    const socket = await sender();
    const event = (numbers: number, type = 'step') =>
      JSON.stringify({
        type: '@xstate.event',
        sessionId: 'x:0',
        event: { type, numbers: Array.from({ length: numbers }, () => 1) },
      });
    for (let sent = 0; sent < 2_500; sent += 1) socket.send(event(1));
    socket.send(event(1, 'many'));
    const kept = (await backlogUntil('"many"')).split('\n\n').length;
    expect(kept).toBeLessThanOrEqual(2_001);
    for (let sent = 0; sent < 40; sent += 1) socket.send(event(400_000));
    socket.send(event(1, 'large'));
    expect((await backlogUntil('"large"')).length).toBeLessThan(17_000_000);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.send(event(600_000));
    expect(await closed).toBe(1009);
  });
});

describe('both servers', () => {
  const servers = { demo: () => portOf(demo), viewer: () => portOf(viewer) };
  const paths = {
    demo: [
      '/',
      '/index.html',
      '/__control',
      '/metrics',
      '/metrics/beacon',
      '/health',
      '/api/auth/token-balance',
      '/socket.io/?EIO=4&transport=polling',
    ],
    viewer: ['/', '/index.html', '/events'],
  };
  const routes = (['demo', 'viewer'] as const).flatMap((name) => paths[name].map((path) => [name, path] as const));

  it.each(routes)('%s %s is refused by another host name and to another origin', async (name, path) => {
    const port = servers[name]();
    const status = async (headers: Record<string, string>) =>
      statusOf(await sendRaw(port, rawRequest(port, path, headers)));
    for (const Host of [
      `${REBOUND}:${port}`,
      `localhost.${EVIL}`,
      `127.0.0.1.${EVIL}:${port}`,
      '0.0.0.0',
      `a@localhost:${port}`,
    ])
      expect.soft(await status({ Host }), Host).toBeOneOf([400, 403]);
    for (const Origin of ['null', `http://${EVIL}`, `http://localhost.${EVIL}:${port}`, `http://${REBOUND}:${port}`])
      expect.soft(await status({ Origin }), Origin).toBe(403);
    expect.soft(await status({ 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' })).toBe(403);
    for (const Host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`])
      expect.soft(await status({ Host, Origin: `http://${Host}` }), Host).toBeOneOf([200, 401, 405]);
  });

  it.each([
    ['demo', '/socket.io/?EIO=4&transport=websocket'],
    ['viewer', '/'],
  ] as const)('%s refuses an upgrade of %s by another host name and to another origin', async (name, path) => {
    const port = servers[name]();
    const status = async (headers: Record<string, string>) =>
      statusOf(await sendRaw(port, rawRequest(port, path, { ...upgradeHeaders, ...headers })));
    expect(await status({ Host: `${REBOUND}:${port}` })).toBe(403);
    expect(await status({ Origin: `http://${EVIL}` })).toBe(403);
    expect(await status({ Origin: 'null' })).toBe(403);
    expect(await status({ Origin: 'http://localhost:5173' })).toBe(101);
    expect(await status({})).toBe(101);
  });

  it('let a page of another port use the API, and not the levers', async () => {
    const port = portOf(demo);
    const status = async (path: string) =>
      statusOf(await sendRaw(port, rawRequest(port, path, { Origin: 'http://localhost:5173' })));
    expect(await status('/api/auth/token-balance')).toBe(401);
    expect(await status('/socket.io/?EIO=4&transport=polling')).toBe(200);
    expect(await status('/__control')).toBe(403);
    expect(await status('/metrics/beacon')).toBe(403);
  });

  it('answer 413 to a body that is too long, whether it announces its length or not', async () => {
    const post = async (port: number, path: string, headers: Record<string, string>, body: string) =>
      statusOf(await sendRaw(port, rawRequest(port, path, headers, { method: 'POST', body })));
    const long = 'x'.repeat(70_000);
    const chunk = `${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`;
    expect(await post(portOf(demo), '/__control', {}, long)).toBe(413);
    expect(
      await post(portOf(demo), '/__control', { 'Transfer-Encoding': 'chunked', 'Content-Length': '' }, chunk),
    ).toBeOneOf([400, 413]);
    expect(await post(portOf(demo), '/metrics/beacon', {}, long)).toBe(413);
    expect(await post(portOf(demo), '/', {}, long)).toBe(413);
    expect(await post(portOf(viewer), '/', {}, long)).toBe(413);
    expect(await post(portOf(viewer), '/events', {}, long)).toBe(413);
    const announced = { 'Content-Length': String(11 * 1_024 * 1_024) };
    expect(await post(portOf(demo), '/api/auth/v2/login', announced, 'x')).toBe(413);
  });

  it.each(['::1', '127.0.0.2'])('listen on no other address, such as %s', async (address) => {
    for (const port of [portOf(demo), portOf(viewer)]) {
      const outcome = await new Promise((resolve) => {
        const socket = connect(port, address);
        socket.once('connect', () => resolve('connected'));
        socket.once('error', () => resolve('refused'));
      });
      expect(outcome).toBe('refused');
    }
  });
});

async function sender(): Promise<WebSocket> {
  const socket = new WebSocket(viewer.url.replace('http', 'ws'));
  await new Promise((resolve) => socket.once('open', resolve));
  return socket;
}

function actorNamed(name: string): string {
  const definition = JSON.stringify({ id: name, states: { here: {} } });
  const ids = { sessionId: `x:${name}`, rootId: `x:${name}` };
  return JSON.stringify({
    type: '@xstate.actor',
    ...ids,
    name,
    definition,
    snapshot: { value: 'here' },
    _version: '0',
  });
}

/** What the viewer keeps for a new window once it has received the event that holds a text. */
async function backlogUntil(text: string): Promise<string> {
  await readUntil(text);
  return readUntil(text);
}

async function readUntil(text: string): Promise<string> {
  const response = await fetch(`${viewer.url}/events`);
  const decoder = new TextDecoder();
  let received = '';
  for await (const chunk of response.body ?? []) {
    received += decoder.decode(chunk as Uint8Array, { stream: true });
    if (received.slice(-1_000).includes(text)) break;
  }
  return received;
}
