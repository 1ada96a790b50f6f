import { fork } from 'node:child_process';
import { basename, resolve } from 'node:path';
import { build } from 'vite';

const OUT = resolve('node_modules/.cache/assessment-monitor-bench');
const ENTRY = 'virtual:entry';

/**
 * Calls a function of `bench/` in a process of its own, built as a consumer would, with its dependencies in the bundle. Under tsx
 * every function is given its name as a property when it is created: closures, of which ours has many, then take time and memory that
 * no user pays for.
 *
 * @param file where the function is exported, relative to `bench/`
 * @param args and what it returns cross as messages: plain data only
 *
 * @example
 * const report = await callAsBuilt<typeof measureLatency>('latency.ts', 'measureLatency', 200);
 */
export async function callAsBuilt<F extends (...args: never[]) => Promise<unknown>>(
  file: string,
  name: string,
  ...args: Parameters<F>
): Promise<Awaited<ReturnType<F>>> {
  const code = `
    import { ${name} as measure } from ${JSON.stringify(resolve('bench', file))};
    process.once('message', async (args) => process.send(await measure(...args), () => process.exit()));`;
  const out = `${basename(file, '.ts')}.js`;
  await build({
    configFile: false,
    logLevel: 'error',
    resolve: { tsconfigPaths: true },
    ssr: { noExternal: true },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === ENTRY ? id : undefined),
        load: (id) => (id === ENTRY ? code : undefined),
      },
    ],
    build: {
      ssr: true,
      outDir: OUT,
      emptyOutDir: false,
      target: 'node20',
      rolldownOptions: { input: ENTRY, output: { entryFileNames: out, format: 'es' } },
    },
  });
  return await new Promise<Awaited<ReturnType<F>>>((resolvePromise, reject) => {
    // Without the flags of this process, which load tsx.
    const child = fork(`${OUT}/${out}`, { execArgv: [] });
    child.once('message', (result) => resolvePromise(result as Awaited<ReturnType<F>>));
    child.once('exit', (exitCode) => {
      if (exitCode !== 0) reject(new Error(`${name} ended with ${exitCode}`));
    });
    child.send(args);
  });
}
