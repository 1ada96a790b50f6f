import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { type BackendOptions, startBackend } from '@assessment-monitor/backend';

/* The reference backend in a thread of its own: what clients do must not hold the server up, as it does not elsewhere either. */

/** The server, seen from the clients' thread. */
export interface LatencyServer {
  readonly url: string;
  /** Ends all running jobs. @returns when that was, ms on the clock of {@link now} */
  finishJobs(): Promise<number>;
  close(): Promise<void>;
}

/** Of one clock for all threads, ms. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

type Order = 'finish' | 'close';

export async function startServer(options: Partial<BackendOptions>): Promise<LatencyServer> {
  // As built, this module and those that use it are one file, which is then run once more.
  const worker = new Worker(new URL(import.meta.url), { workerData: options });
  const next = <T>() => new Promise<T>((resolve) => worker.once('message', resolve));
  const order = <T>(what: Order): Promise<T> => {
    const answered = next<T>();
    worker.postMessage(what);
    return answered;
  };
  const url = await next<string>();
  return {
    url,
    finishJobs: () => order('finish'),
    async close() {
      await order('close');
      await worker.terminate();
    },
  };
}

async function serve(options: Partial<BackendOptions>): Promise<void> {
  const backend = await startBackend(options);
  parentPort?.on('message', async (what: Order) => {
    if (what === 'close') return parentPort?.postMessage(await backend.close());
    const at = now();
    backend.finishJobs();
    return parentPort?.postMessage(at);
  });
  parentPort?.postMessage(backend.url);
}

if (!isMainThread) {
  const { workerData } = await import('node:worker_threads');
  await serve(workerData as Partial<BackendOptions>);
}
