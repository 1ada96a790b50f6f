import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The environment variable that names a tarball which is packed already, so that a test need not do it again. */
export const TARBALL_VARIABLE = 'ASSESSMENT_MONITOR_TARBALL';

/**
 * Builds the package and packs it, as publishing it would.
 *
 * @returns the path of the tarball, in this folder
 * @throws Error with the words of the compiler, when the package does not build
 */
export async function packPackage(folder: string): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--silent', '--pack-destination', folder]).catch(
    ({ stdout: said, stderr }: { stdout: string; stderr: string }) => {
      throw new Error(`${said}${stderr}`);
    },
  );
  return join(folder, stdout.trim().split('\n').at(-1) ?? '');
}
