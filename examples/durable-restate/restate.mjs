/* The server of Restate in a temporary folder, on loopback. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort, until } from './processes.mjs';

/** The binary itself: the program of the npm package only starts it. */
const binary = () => {
  const require = createRequire(createRequire(import.meta.url).resolve('@restatedev/restate-server/package.json'));
  const platform = `@restatedev/restate-server-${process.platform}-${process.arch}`;
  return join(dirname(require.resolve(`${platform}/package.json`)), 'bin', 'restate-server');
};

export async function startRestate() {
  const folder = mkdtempSync(join(tmpdir(), 'durable-restate-'));
  const [ingressPort, adminPort, nodePort] = [await freePort(), await freePort(), await freePort()];
  const ingress = `http://127.0.0.1:${ingressPort}`;
  const admin = `http://127.0.0.1:${adminPort}`;
  let server = null;
  const start = async () => {
    server = spawn(binary(), ['--base-dir', folder, '--node-name', 'example'], {
      env: {
        ...process.env,
        // All interfaces otherwise.
        RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingressPort}`,
        RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${adminPort}`,
        RESTATE_BIND_ADDRESS: `127.0.0.1:${nodePort}`,
        RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${nodePort}`,
        RESTATE_DISABLE_TELEMETRY: 'true',
        DO_NOT_TRACK: '1',
        RESTATE_LOG_FILTER: 'warn',
      },
      stdio: ['ignore', process.env.VERBOSE ? 'inherit' : 'ignore', process.env.VERBOSE ? 'inherit' : 'ignore'],
    });
    await until(async () => (await fetch(`${admin}/health`)).ok && (await fetch(`${ingress}/restate/health`)).ok);
  };
  await start();

  const ask = async (url, method, body) => {
    const response = await fetch(url, {
      method,
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok && response.status !== 409) throw new Error(`${method} ${url}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : {};
  };
  /** The deployment: where the watcher answers. */
  let deployment = null;
  return {
    ingress,
    start,
    kill: () => server.kill('SIGKILL'),
    /** Tells the server where the watcher answers, the first time or in another place. */
    async deploy(uri) {
      const again = { uri, overwrite: true };
      if (deployment) return until(() => ask(`${admin}/deployments/${deployment}`, 'PATCH', again));
      ({ id: deployment } = await until(() => ask(`${admin}/deployments`, 'POST', { uri })));
    },
    /** Starting twice is starting once. */
    watch: (submissionId, input) =>
      until(() => ask(`${ingress}/watch/${submissionId}/run/send`, 'POST', input), 120_000),
    cancel: (invocationId) => ask(`${admin}/invocations/${invocationId}/cancel`, 'PATCH'),
    query: async (query) => (await ask(`${admin}/query`, 'POST', { query })).rows,
    /** Every file of the server's store. */
    dump: () =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((it) => it.isFile())
        .map((it) => readFileSync(join(it.parentPath, it.name), 'latin1')),
    end() {
      server.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
    },
  };
}
