import { buildSite } from '../build-site.ts';
import { serveSite, type ViewerServer } from './server.ts';

export type { ViewerServer };

/**
 * Builds the viewer from its sources and serves it on the loopback interface, see {@link serveSite}.
 *
 * @param options.port TCP port; 0 takes a free one
 */
export const serveViewer = async ({ port }: { port: number }): Promise<ViewerServer> =>
  serveSite({ port, site: await buildSite(new URL('./', import.meta.url)) });
