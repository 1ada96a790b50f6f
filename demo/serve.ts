import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Backend, type BackendOptions, startBackend } from '@assessment-monitor/backend';
import { contentSecurityPolicy, pathOf, readBody } from '@assessment-monitor/backend/local-server';
import { createCollector } from 'assessment-monitor/collect';
import { buildSite } from './build-site.ts';
import type { Site } from './site.ts';

const METRICS_PATH = '/metrics';
export const BEACON_PATH = '/metrics/beacon';
/** Bytes. Browsers send no longer beacon. */
const MAX_BEACON = 64 * 1_024;

let page: Promise<Site> | undefined;

/**
 * The demo: the page and the reference backend in one process, on one port. Tokens live 8 s and a job takes 25 s, so that the
 * point is made in half a minute.
 */
export async function serveDemo(options: Partial<BackendOptions> = {}): Promise<Backend> {
  page ??= buildSite(new URL('./page/', import.meta.url));
  return startBackend({
    accessTokenTtlMs: 8_000,
    jobDurationMs: 25_000,
    // "The minute" between two refreshes, scaled down with the tokens.
    refreshIntervalMs: 3_000,
    initialBalance: 100,
    ...options,
    control: true,
    fallback: withMetrics(guarded(await page)),
    fallbackBodies: [BEACON_PATH],
  });
}

/** A site, and what its pages count, for Prometheus: `GET /metrics`. */
export function withMetrics(site: Site): (request: IncomingMessage, response: ServerResponse) => unknown {
  const collector = createCollector();
  return async (request, response) => {
    const path = pathOf(request);
    if (path === METRICS_PATH && request.method === 'GET')
      return response
        .writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8', 'Cache-Control': 'no-store' })
        .end(collector.prometheus());
    if (path !== BEACON_PATH) return site(request, response);
    if (request.method !== 'POST') return response.writeHead(405, { Allow: 'POST' }).end();
    const body = await readBody(request, MAX_BEACON);
    if (body === null) return response.writeHead(413, { Connection: 'close' }).end();
    return response.writeHead(collector.take(body) ? 204 : 400).end();
  };
}

/** The page as a document that no other page may frame or open, and that loads only from its own server. */
const guarded =
  (site: Site): Site =>
  (request, response) => {
    response.setHeader('Content-Security-Policy', contentSecurityPolicy());
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    response.setHeader('Referrer-Policy', 'no-referrer');
    site(request, response);
  };
