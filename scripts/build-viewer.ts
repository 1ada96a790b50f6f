/* A step of `npm pack`: builds the viewer of `assessment-monitor inspect`, its page and its server, into dist/viewer. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { buildFiles } from '../demo/build-site.ts';

const pathOf = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const folder = pathOf('dist/viewer');

rmSync(folder, { recursive: true, force: true });
for (const [name, content] of await buildFiles(new URL('../demo/viewer/', import.meta.url))) {
  const file = `${folder}/site${name}`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
// With everything that it needs: a viewer adds no dependency to an application.
await build({
  configFile: false,
  logLevel: 'warn',
  root: pathOf(''),
  resolve: { tsconfigPaths: true },
  ssr: { noExternal: true },
  build: {
    ssr: pathOf('demo/viewer/packed.ts'),
    outDir: folder,
    emptyOutDir: false,
    target: 'node20',
    minify: true,
    rolldownOptions: { output: { entryFileNames: 'server.js', codeSplitting: false } },
  },
});
