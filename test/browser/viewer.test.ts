import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInspector, type Inspector } from 'assessment-monitor/inspect';
import type { Browser, FrameLocator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { buildSite } from '../../demo/build-site.ts';
import type { Site } from '../../demo/site.ts';
import { openStage } from '../../e2e/scenarios/stage.ts';
import { serveViewer, type ViewerServer } from '../../demo/viewer/serve.ts';
import { leak, PLANTED } from '../inspect/leaky-machine.ts';
import { barriers } from './accessibility.ts';
import { launchChromium } from './chromium.ts';

/* What `npm run inspect` serves, with machines that run. */

let browser: Browser;
let viewer: ViewerServer;
let inspector: Inspector | undefined;
/** Everything that a window of the viewer has asked for. */
let asked: string[];

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  viewer = await serveViewer({ port: 0 });
  asked = [];
});
afterEach(async () => {
  inspector?.stop();
  await Promise.all(browser.contexts().map((context) => context.close()));
  await viewer.close();
});

const watch = (page: Page): void => {
  page.on('request', (request) => asked.push(new URL(request.url()).origin));
  page.on('websocket', (socket) => asked.push(new URL(socket.url()).origin));
};
const open = async (): Promise<Page> => {
  const page = await browser.newPage();
  watch(page);
  await page.goto(viewer.url);
  return page;
};
const toItsServer = () => viewer.url.replace('http', 'ws');

describe('the local viewer', () => {
  it('shows an assessment that runs: its chart, the last event on its way, and what its actors do', async () => {
    inspector = createInspector({ enabled: true, url: toItsServer() });
    const stage = await openStage({ backend: { jobDurationMs: 600_000 }, client: { inspect: inspector.inspect } });
    const page = await open();
    await page.getByText('No page is inspected yet.').waitFor();

    await stage.signIn();
    stage.submit();
    await page.getByRole('img', { name: 'State of the chart: ws-monitoring' }).waitFor();
    expect(await barriers(page)).toEqual([]);
    stage.backend.finishJobs();
    await page.getByRole('img', { name: 'State of the chart: completed' }).waitFor();
    expect(await page.locator('.event-label').textContent()).toBe('fetchResult done');
    expect(await page.locator('.way[data-taken=true]').count()).toBe(1);
    const sequence = await page.getByRole('list', { name: 'Actors and events' }).innerText();
    for (const line of ['jobFeed began', 'assessment assessment.submit', 'assessment job.completed'])
      expect(sequence).toContain(line);

    // A window that comes late receives everything.
    const late = await open();
    await late.getByRole('img', { name: 'State of the chart: completed' }).waitFor();
    expect(await page.content()).not.toMatch(PLANTED);
    expect(new Set(asked)).toEqual(new Set([viewer.url]));
    await stage.close();
  });

  it('shows no secret of a process that sends to it, not even of one that hides nothing', async () => {
    inspector = createInspector({ enabled: true, url: toItsServer() });
    const page = await open();
    await leak(inspector.inspect);
    await page.getByRole('button', { name: 'leaky: done' }).waitFor();

    const careless = new WebSocket(toItsServer());
    await new Promise((resolve) => careless.once('open', resolve));
    const definition = JSON.stringify({ id: 'careless', states: { 'eyJhbGciOiJIUzI1NiJ9.a.b': {} } });
    const actor = { type: '@xstate.actor', sessionId: 'x:0', rootId: 'x:0', _version: '0' };
    careless.send('neither JSON nor an event');
    careless.send(JSON.stringify({ ...actor, name: 'careless', definition, snapshot: { value: 'here' } }));
    careless.send(JSON.stringify({ ...actor, type: '@xstate.event', event: { type: 'Bearer PLANTED', PLANTED: 1 } }));
    await page.getByRole('button', { name: 'careless: here' }).waitFor();
    await page.getByText('[redacted]').waitFor();
    expect(await page.content()).not.toMatch(PLANTED);
    expect(new Set(asked)).toEqual(new Set([viewer.url]));
    careless.terminate();
  });

  it('opens in a window or a frame of the page that is inspected, and shows no secret of it', async () => {
    const application = await serve(await buildSite(new URL('../inspect/leaky-page/', import.meta.url)));
    const { port } = application.address() as AddressInfo;
    const address = `http://localhost:${port}/?viewer=${encodeURIComponent(viewer.url)}`;
    const showsNoSecret = async (shown: Page | FrameLocator) => {
      await shown.getByRole('button', { name: 'leaky: done' }).waitFor();
      await shown.getByRole('listitem').filter({ hasText: 'leaky finish' }).waitFor();
      expect(await shown.locator('body').innerHTML()).not.toMatch(PLANTED);
    };
    const page = await browser.newPage();
    page.context().on('page', watch);
    const opened = page.waitForEvent('popup');
    await page.goto(address);
    await showsNoSecret(await opened);
    await page.goto(`${address}&frame`);
    await showsNoSecret(page.frameLocator('iframe'));
    expect(new Set(asked)).toEqual(new Set([viewer.url]));
    application.closeAllConnections();
    application.close();
  });

  it('is only there by its own name, and lets no window talk to another server', async () => {
    const page = await open();
    const talk = (url: string) =>
      page.evaluate(
        (it) =>
          fetch(it).then(
            () => 'answered',
            () => 'refused',
          ),
        url,
      );
    const elsewhere = await serve((_, response) => {
      response.setHeader('Access-Control-Allow-Origin', '*').end();
    });
    expect(await talk(`http://localhost:${(elsewhere.address() as AddressInfo).port}/`)).toBe('refused');
    expect(await talk('/')).toBe('answered');
    elsewhere.closeAllConnections();
    elsewhere.close();
    // As a page would ask whose name was pointed at this machine.
    const { port } = new URL(viewer.url);
    await page.route('http://viewer.example.test/', async (route) => {
      const response = await route.fetch({ url: viewer.url, headers: { host: `viewer.example.test:${port}` } });
      await route.fulfill({ response });
    });
    expect((await page.goto('http://viewer.example.test/'))?.status()).toBe(403);
  });
});

async function serve(site: Site): Promise<Server> {
  const server = createServer(site);
  await new Promise<void>((resolve) => void server.listen(0, 'localhost', resolve));
  return server;
}
