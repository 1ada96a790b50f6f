import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cures } from '../../scripts/cures/cures.ts';
import { edited } from '../../scripts/cures/take-out.ts';

/* `npm run cures` takes each cure out and lets the random search find what is missing; here only that it still can. */

describe('the list of cures', () => {
  it.each(cures.map(({ id, edits }) => [id, edits] as const))(
    'describes by edits that apply to the sources how to take out %s',
    (_, edits) => {
      const sources = new Map(edits.map(({ file }) => [file, readFileSync(file, 'utf8')]));
      for (const edit of edits) sources.set(edit.file, edited(sources.get(edit.file) ?? '', edit));
      for (const [file, source] of sources) expect(source).not.toBe(readFileSync(file, 'utf8'));
    },
  );

  it('names each cure once, and the table of docs/verification.md shows them all', () => {
    const ids = cures.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const [, table = ''] =
      /<!-- cures -->(.*)<!-- \/cures -->/s.exec(readFileSync('docs/verification.md', 'utf8')) ?? [];
    const shown = [...table.matchAll(/^\| ([A-D]\d+) /gm)].map(([, id]) => id);
    expect(shown).toEqual(ids);
  });

  it('does not accept an edit whose place is gone, or is not the only one', () => {
    const edit = { file: 'a.ts', text: 'one', replacement: 'two' };
    expect(edited('one', edit)).toBe('two');
    expect(() => edited('none', { ...edit, text: 'four' })).toThrow('a.ts: 0 places');
    expect(() => edited('one and one', edit)).toThrow('a.ts: 2 places');
  });
});
