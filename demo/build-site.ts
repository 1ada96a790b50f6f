import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { build, type Rolldown } from 'vite';
import { type Site, type SiteFiles, siteOf } from './site.ts';

/** Builds a page of ours and answers requests for it, see {@link buildFiles}. */
export const buildSite = async (folder: URL): Promise<Site> => siteOf(await buildFiles(folder));

/**
 * Builds a page of ours from the package's sources; takes about a second. It is held in memory, so that tests that build
 * the same one at the same time do not sweep away each other's files.
 *
 * @example
 * const files = await buildFiles(new URL('./viewer/', import.meta.url)); // '/index.html', '/assets/…'
 */
export async function buildFiles(folder: URL): Promise<SiteFiles> {
  const built = (await build({
    configFile: false,
    logLevel: 'warn',
    root: fileURLToPath(folder),
    plugins: [react()],
    // tsconfig.json maps the package's name to its sources.
    resolve: { tsconfigPaths: true },
    build: { write: false, chunkSizeWarningLimit: 1_000 },
  })) as Rolldown.RolldownOutput;
  return new Map(built.output.map((file) => [`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source]));
}
