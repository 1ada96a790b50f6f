import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { runWorld } from '../../src/testing/worlds/run-world.ts';
import type { Cure, Edit } from './cures.ts';
import type { Report } from './search-worlds.ts';

/** What noticed that a cure is missing. */
export interface Finding {
  id: string;
  without: string;
  /** `worlds`, `fuzz` or a folder of tests; null where nothing noticed it. */
  layer: string | null;
  /** How many random worlds were played until then. */
  worlds: number;
  /** The rules that the world broke. */
  rules: readonly string[];
  seconds: number;
}

/** A search that is silent for so long plays a world that does not end, ms. */
const SILENCE_MS = 120_000;
const FUZZ_INPUTS = '4000';

/** @throws Error where the text is not in its file exactly once: the sources have changed since the edit was written */
export function edited(source: string, { file, text, replacement }: Edit): string {
  const parts = source.split(text);
  if (parts.length !== 2) throw new Error(`${file}: ${parts.length - 1} places look like ${JSON.stringify(text)}`);
  return parts.join(replacement);
}

/** A copy of the sources in which cures are taken out, one at a time. */
export function openCopy(root: string) {
  const folder = mkdtempSync(join(tmpdir(), 'assessment-monitor-cures-'));
  for (const part of [
    'src',
    'backend',
    'e2e',
    'demo',
    'scripts',
    'test',
    'package.json',
    'tsconfig.json',
    'vitest.config.ts',
  ])
    cpSync(join(root, part), join(folder, part), {
      recursive: true,
      filter: (path) => !['node_modules', 'dist'].includes(basename(path)),
    });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));

  /** Applies the edits while `act` runs. */
  const without = async <T>(edits: readonly Edit[], act: () => Promise<T>): Promise<T> => {
    const intact = new Map(edits.map(({ file }) => [file, readFileSync(join(folder, file), 'utf8')]));
    try {
      for (const edit of edits) {
        const path = join(folder, edit.file);
        writeFileSync(path, edited(readFileSync(path, 'utf8'), edit));
      }
      return await act();
    } finally {
      for (const [file, source] of intact) writeFileSync(join(folder, file), source);
    }
  };

  const isNoticedBy = (tests: string): boolean => {
    const vitest = join('node_modules', 'vitest', 'vitest.mjs');
    const env = { ...process.env, FUZZ: FUZZ_INPUTS };
    const { status } = spawnSync(process.execPath, [vitest, 'run', tests], { cwd: folder, env, stdio: 'ignore' });
    return status !== 0;
  };

  return {
    async search({ id, without: loss, edits, tests }: Cure, worlds: number, seed: number): Promise<Finding> {
      const startedAt = performance.now();
      const found = await without(edits, async () => {
        const byWorlds = await searchWorlds(folder, worlds, seed);
        if (byWorlds.rules.length > 0) return { layer: 'worlds', ...byWorlds };
        const layer = ['test/fuzz', ...(tests === undefined ? [] : [tests])].find(isNoticedBy) ?? null;
        return { layer, ...byWorlds };
      });
      return { id, without: loss, ...found, seconds: Math.round((performance.now() - startedAt) / 1_000) };
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Plays worlds in the copy until one of them breaks a rule that the intact client keeps in the same world. */
function searchWorlds(folder: string, worlds: number, seed: number): Promise<Pick<Finding, 'worlds' | 'rules'>> {
  const child: ChildProcess = fork(join('scripts', 'cures', 'search-worlds.ts'), [String(worlds), String(seed)], {
    cwd: folder,
    execArgv: ['--import', 'tsx'],
  });
  return new Promise((resolve, reject) => {
    let played = 0;
    const finish = (rules: readonly string[]): void => {
      clearTimeout(silence);
      child.removeAllListeners('exit');
      child.kill();
      resolve({ worlds: played, rules });
    };
    const hang = () => finish(['the world ends']);
    let silence = setTimeout(hang, SILENCE_MS);
    child.on('exit', (code) => reject(new Error(`the search ended early, with code ${code}`)));
    child.on('message', (report: Report) => {
      clearTimeout(silence);
      silence = setTimeout(hang, SILENCE_MS);
      if (report.type === 'playing') return void (played += 1);
      if (report.type === 'over') return finish([]);
      return void runWorld(report.world).then(({ rules }) => {
        const broken = report.violations.filter((name) => rules[name] === true);
        if (broken.length > 0) finish(broken);
        else child.send('continue');
      }, reject);
    });
  });
}
