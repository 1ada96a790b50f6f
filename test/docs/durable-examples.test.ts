import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const folder = join(import.meta.dirname, '../../examples');
const examples = ['durable-dbos', 'durable-restate'];
const filesOf = (example: string) => readdirSync(join(folder, example)).filter((name) => name.endsWith('.mjs'));
const read = (example: string, name: string) => readFileSync(join(folder, example, name), 'utf8');

it.each(['calls', 'credential', 'notify', 'processes', 'setup', 'world'])(
  'both durable examples have the same %s.mjs, because each is copied alone',
  (name) => {
    const [first, second] = examples.map((example) => read(example, `${name}.mjs`));
    expect(first).toBe(second);
  },
);

it.each(examples)('%s imports what its package.json lists, and nothing else of this repository', (example) => {
  const { dependencies } = JSON.parse(read(example, 'package.json')) as { dependencies: Record<string, string> };
  for (const file of filesOf(example)) {
    for (const [, name = ''] of read(example, file).matchAll(/ from '([^']+)'|^import '([^']+)'/gm)) {
      const isOwn = name.startsWith('./') || name === '';
      const isNode = builtinModules.includes(name.replace(/^node:/, ''));
      const isListed = Object.keys(dependencies).some((it) => name === it || name.startsWith(`${it}/`));
      expect(isOwn || isNode || isListed, `${file} imports ${name}`).toBe(true);
    }
  }
});
