import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { siteOf } from '../../demo/site.ts';

const script = 'const repeated = 1;\n'.repeat(500);
let server: Server;
let base = '';

beforeAll(async () => {
  server = createServer(
    siteOf(
      new Map<string, string | Uint8Array>([
        ['/index.html', '<!doctype html>'],
        ['/assets/main-1a2b.js', script],
      ]),
    ),
  );
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const get = (path: string, encoding: string) => fetch(`${base}${path}`, { headers: { 'Accept-Encoding': encoding } });

describe('a site that is served from memory', () => {
  it('compresses its files for a browser that takes it, and for no other', async () => {
    for (const encoding of ['gzip, deflate, br', 'gzip']) {
      const response = await get('/assets/main-1a2b.js', encoding);
      expect(response.headers.get('content-encoding')).toBe('gzip');
      expect(await response.text()).toBe(script);
    }
    const plain = await get('/assets/main-1a2b.js', 'identity');
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(await plain.text()).toBe(script);
  });

  it('lets browsers keep what has a digest in its name, and asks for the page each time', async () => {
    expect((await get('/assets/main-1a2b.js', 'gzip')).headers.get('cache-control')).toContain('immutable');
    expect((await get('/', 'gzip')).headers.get('cache-control')).toBe('no-cache');
    expect((await get('/missing.js', 'gzip')).status).toBe(404);
  });
});
