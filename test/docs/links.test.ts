import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const documentsIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...['docs', '.changeset', '.github'].flatMap(documentsIn),
];

const textOf = (path: string) => readFileSync(path, 'utf8').replace(/```.*?```/gs, '');

/** The anchors that GitHub gives to the headings of a document. */
const anchorsOf = (path: string): string[] =>
  [...textOf(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  );

function brokenLinksOf(path: string): string[] {
  const links = [...textOf(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.filter((link) => {
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

  it('have the anchors of their headings, and no others', () => {
    expect(anchorsOf('CONTRIBUTING.md')).toContain('add-a-language');
    expect(anchorsOf('CONTRIBUTING.md')).not.toContain('add-a-planet');
  });
});
