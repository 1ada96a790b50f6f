/*
 * npm run docs [-- --serve]
 *
 * Builds the documentation site into docs/.vitepress/dist: the API reference from the sources, the pictures of new diagrams, then the
 * pages. Fails on a dead link.
 * `--serve` then serves it on this machine only.
 */
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Application, ReflectionKind, type TypeDocOptions } from 'typedoc';
import type { PluginOptions } from 'typedoc-plugin-markdown';
import { build } from 'vitepress';
import { drawDiagrams } from './diagrams.ts';

const { values } = parseArgs({ options: { serve: { type: 'boolean' } } });
const root = join(import.meta.dirname, '..');
const docs = join(root, 'docs');
const reference = join(docs, 'reference');

await writeReference();
await drawDiagrams(docs);
await build(docs);
if (values.serve) await serveSite();

/** @throws Error when the sources do not compile */
async function writeReference(): Promise<void> {
  rmSync(reference, { recursive: true, force: true });
  const { exports } = createRequire(import.meta.url)('../package.json') as { exports: Record<string, object | string> };
  const entries = Object.keys(exports).filter((name) => !name.endsWith('.json'));
  const options: Partial<TypeDocOptions & PluginOptions> = {
    plugin: ['typedoc-plugin-markdown'],
    name: 'API',
    readme: 'none',
    entryPoints: entries.map((name) => join(root, 'src', name, 'index.ts')),
    tsconfig: join(root, 'tsconfig.json'),
    out: reference,
    entryFileName: 'index',
    excludeExternals: true,
    excludeInternal: true,
    disableSources: true,
    hidePageHeader: true,
    hideBreadcrumbs: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'list',
    // Types that are not exported are not for users.
    validation: { notExported: false, invalidLink: false },
    // The test command checks the types.
    skipErrorChecking: true,
    logLevel: 'Warn',
  };
  const application = await Application.bootstrapWithPlugins(options);
  const project = await application.convert();
  if (!project) throw new Error('the API reference could not be made');
  // A destructured parameter has no name of its own.
  for (const parameter of project.getReflectionsByKind(ReflectionKind.Parameter))
    if (parameter.name === '__namedParameters') parameter.name = 'options';
  // As one imports them.
  for (const entry of project.children ?? [])
    entry.name = entry.name === 'index' ? 'assessment-monitor' : `assessment-monitor/${entry.name}`;
  await application.generateOutputs(project);
}

async function serveSite(): Promise<void> {
  const { preview } = await import('vite');
  const site = await preview({
    configFile: false,
    root: docs,
    build: { outDir: '.vitepress/dist' },
    appType: 'mpa',
    preview: { host: '127.0.0.1', port: 4800 },
  });
  site.printUrls();
}
