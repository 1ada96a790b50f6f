import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** One of the two servers of this repository, in a process of its own, as its command starts it. */
export interface RunningCommand {
  /** `127.0.0.1:PORT` */
  host: string;
  port: number;
  /** The exit code and the last lines of the error stream once the process has ended; null while it runs. */
  ended(): string | null;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Starts `npm start` or `npm run inspect` on a free port. @throws Error with what the process printed, when it ends early */
export async function startCommand(script: 'demo/start.ts' | 'scripts/inspect.ts'): Promise<RunningCommand> {
  const child = spawn(process.execPath, ['--import', 'tsx', script], {
    cwd: root,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk) => (errors = `${errors}${String(chunk)}`.slice(-2_000)));
  const port = await portOf(child, () => errors);
  return {
    port,
    host: `127.0.0.1:${port}`,
    ended: () => (child.exitCode === null && child.signalCode === null ? null : `${child.exitCode}: ${errors}`),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
        return undefined;
      }),
  };
}

function portOf(child: ChildProcess, errors: () => string): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout?.on('data', (chunk) => {
      said += String(chunk);
      const port = /http:\/\/localhost:(\d+)/.exec(said)?.[1];
      if (port) resolve(Number(port));
    });
    child.once('exit', () => reject(new Error(errors())));
  });
}
