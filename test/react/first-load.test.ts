import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import ts from 'typescript';
import { build, type Rolldown } from 'vite';
import { expect, it } from 'vitest';

/* What the React entry costs an application that loads the client on use, and how frameworks recognise it as client code. */

const folder = join(import.meta.dirname, '../../src/react');
const entry = join(folder, 'index.ts');

/** Bundles the React entry for production. React is external. */
async function bundle(external: readonly string[] = []): Promise<{ bytes: number; modules: string[] }> {
  const { output } = (await build({
    configFile: false,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      target: 'es2022',
      rolldownOptions: {
        input: entry,
        preserveEntrySignatures: 'strict',
        external: (id) => ['react', ...external].some((it) => id === it || id.startsWith(`${it}/`)),
      },
    },
  })) as Rolldown.RolldownOutput;
  const chunks = output.filter((it) => it.type === 'chunk');
  return {
    bytes: chunks.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0),
    modules: chunks.flatMap((it) =>
      Object.entries(it.modules).flatMap(([id, module]) => (module.renderedLength > 0 ? [id] : [])),
    ),
  };
}

it('loads neither XState nor the client with the React entry', { timeout: 60_000 }, async () => {
  const { bytes, modules } = await bundle();
  expect(modules.some((it) => it.includes('/src/react/'))).toBe(true);
  expect(modules.some((it) => it.includes('/@xstate/react/'))).toBe(true);
  expect(modules.filter((it) => /\/node_modules\/(xstate|rxjs|zod|jose)\//.test(it))).toEqual([]);
  expect(modules.filter((it) => it.includes('/src/') && !it.includes('/src/react/'))).toEqual([]);
  // Most of it is the `use-sync-external-store` of `@xstate/react`.
  expect(bytes).toBeLessThan(2_600);
});

it('adds under 2 kB to an application that has @xstate/react', { timeout: 60_000 }, async () => {
  const { bytes } = await bundle(['@xstate/react']);
  expect(bytes).toBeLessThan(2_000);
});

it("starts the compiled entry and each module with hooks with the directive 'use client'", () => {
  const sources = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
  const ofClient = sources.filter(
    ({ name, text }) => name === 'index.ts' || /from '(react|@xstate\/react)'/.test(text),
  );
  expect(ofClient.length).toBeGreaterThan(5);
  for (const { name, text } of ofClient) {
    const { outputText } = ts.transpileModule(text, {
      fileName: name,
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, jsx: ts.JsxEmit.ReactJSX },
    });
    expect(outputText, name).toMatch(/^'use client';\n/);
  }
});
