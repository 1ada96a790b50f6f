/* PostgreSQL in a temporary folder, for this example. In production it is the application's own database. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, until } from './processes.mjs';

/** Debian keeps them off the path. */
const DEBIAN = '/usr/lib/postgresql';
const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
const program = (name) => (versions[0] ? join(DEBIAN, versions[0], 'bin', name) : name);

/** PostgreSQL refuses to run as root. */
function servant() {
  if (process.getuid?.() !== 0) return {};
  const id = (flag) => Number(execFileSync('id', [flag, 'postgres']).toString());
  return { uid: id('-u'), gid: id('-g') };
}

export async function startPostgres() {
  const folder = mkdtempSync(join(tmpdir(), 'durable-dbos-'));
  const password = randomBytes(16).toString('hex');
  const port = await freePort();
  const as = servant();
  if (as.uid !== undefined) chownSync(folder, as.uid, as.gid);
  const secretFile = join(folder, 'password');
  writeFileSync(secretFile, password, { mode: 0o600 });
  if (as.uid !== undefined) chownSync(secretFile, as.uid, as.gid);
  const data = join(folder, 'data');
  const options = ['-D', data, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${secretFile}`, '-E', 'UTF8'];
  execFileSync(program('initdb'), options, { ...as, cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  rmSync(secretFile);

  const env = { ...process.env, PGPASSWORD: password, PGHOST: '127.0.0.1', PGPORT: String(port), PGUSER: 'postgres' };
  const ask = (name, ...args) =>
    execFileSync(program(name), args, { env, cwd: folder, maxBuffer: 2 ** 30, stdio: 'pipe' }).toString();
  let server = null;
  const start = () =>
    until(async () => {
      // After a kill the lock of the data folder is held until the last backend has noticed.
      if (!server || server.exitCode !== null || server.signalCode !== null)
        server = spawn(program('postgres'), ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder], {
          ...as,
          cwd: folder,
          stdio: 'ignore',
        });
      ask('psql', '-Atc', 'select 1', 'postgres');
      return true;
    });
  await start();
  return {
    url: `postgresql://postgres:${password}@127.0.0.1:${port}/durable`,
    start,
    kill: () => server.kill('SIGKILL'),
    query: (sql) => ask('psql', '-Atc', sql, 'durable').trim(),
    dump: () => ask('pg_dump', 'durable'),
    end() {
      server.kill('SIGQUIT');
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
    },
  };
}
