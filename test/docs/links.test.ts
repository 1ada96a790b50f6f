import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorOf } from '../../docs/.vitepress/anchor.ts';

const documentsIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    // What typedoc writes is checked by the build of the site.
    .filter((name) => name.endsWith('.md') && !name.startsWith('reference/'))
    .map((name) => join(folder, name));
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...['docs', 'examples', '.changeset', '.github'].flatMap(documentsIn),
];

const textOf = (path: string) => readFileSync(path, 'utf8').replace(/```.*?```/gs, '');

const anchorsOf = (path: string): string[] =>
  [...textOf(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));

const linksOf = (path: string): string[] => [...textOf(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);

function brokenLinksOf(path: string): string[] {
  return linksOf(path).filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? path : normalize(join(dirname(path), file));
    if (!existsSync(target)) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
}

describe('the documents', () => {
  it.each(documents)('%s has no broken link', (path) => {
    expect(brokenLinksOf(path)).toEqual([]);
  });

  it('are in the package where the README or another document of it links to them', () => {
    const { files } = JSON.parse(readFileSync('package.json', 'utf8')) as { files: string[] };
    const isPacked = (path: string) =>
      /^(README\.md|LICENSE|package\.json)$/.test(path) ||
      // Examples are copied from the repository, and pictures are shown from there.
      /^(examples|docs\/images)\//.test(path) ||
      files.some((it) => path === it || path.startsWith(`${it}/`));
    const targets = ['README.md', ...documentsIn('docs')].flatMap((path) =>
      linksOf(path)
        .filter((link) => !/^(https?:|#)/.test(link))
        .map((link) => normalize(join(dirname(path), link.replace(/#.*/, '')))),
    );
    expect(targets.filter((target) => !isPacked(target))).toEqual([]);
  });

  it('have the anchors of their headings, and no others', () => {
    expect(anchorsOf('CONTRIBUTING.md')).toContain('add-a-language');
    expect(anchorsOf('CONTRIBUTING.md')).not.toContain('add-a-planet');
  });
});
