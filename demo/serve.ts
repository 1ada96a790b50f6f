import { type Backend, type BackendOptions, startBackend } from '@assessment-monitor/backend';
import { contentSecurityPolicy } from '@assessment-monitor/backend/local-server';
import { buildSite, type Site } from './build-site.ts';

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
    fallback: guarded(await page),
  });
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
