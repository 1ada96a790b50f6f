/* The viewer as the package ships it: `npm pack` bundles this file, and puts the files of the page beside it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { siteOf } from '../site.ts';
import { serveSite, type ViewerServer } from './server.ts';

/** Serves the viewer that was built with the package. @param options.port TCP port; 0 takes a free one */
export function serveViewer({ port }: { port: number }): Promise<ViewerServer> {
  const folder = fileURLToPath(new URL('site', import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.\w+$/.test(name))
    .map((name) => [`/${name.replaceAll('\\', '/')}`, readFileSync(join(folder, name))] as const);
  return serveSite({ port, site: siteOf(new Map(files)) });
}
