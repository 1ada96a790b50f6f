import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** Builds the package unless `dist` is newer than every source: what is weighed is what is shipped. */
export function ensureBuilt(): void {
  const built = join(root, 'dist/index.js');
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const isFresh =
    existsSync(built) && sources.every((path) => statSync(join(root, 'src', path)).mtimeMs <= statSync(built).mtimeMs);
  if (!isFresh) execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
}
