/* Installs what this example needs. In the repository of assessment-monitor it also builds the package where that has not been done. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;
const root = join(here, '../..');
const run = (cwd, ...args) => execFileSync('npm', args, { cwd, stdio: ['ignore', 2, 2] });

if (existsSync(join(root, 'tsconfig.build.json')) && !existsSync(join(root, 'dist/durable/index.js')))
  run(root, 'run', '--silent', 'build');
if (!existsSync(join(here, 'node_modules'))) run(here, 'install', '--no-audit', '--no-fund', '--loglevel=error');
