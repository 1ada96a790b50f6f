import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** The environment variable that names a tarball which is packed already, so that a test need not do it again. */
export const TARBALL_VARIABLE = 'ASSESSMENT_MONITOR_TARBALL';

/**
 * Builds the package and packs it, as publishing it would.
 *
 * @returns the path of the tarball, in this folder
 * @throws Error with what the compiler said, when it does not build
 */
export function packPackage(folder: string): string {
  const { status, stdout } = spawnSync('npm', ['pack', '--silent', '--pack-destination', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stdout);
  return join(folder, stdout.trim().split('\n').at(-1) ?? '');
}
