import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { defaultPaths, defaultTimeouts, defaultTimings } from '../../src/client/options.ts';

/* docs/options.md has an entry for each option of the types, and none for another. */

const source = (path: string) => ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);

/** The options that an interface declares, and those of the objects that it declares in place. */
function optionsOf(path: string, name: string): string[] {
  const namesIn = (members: ts.NodeArray<ts.TypeElement>, before: string): string[] =>
    members.filter(ts.isPropertySignature).flatMap((member) => {
      const option = before + (member.name as ts.Identifier).text;
      const inner = member.type && ts.isTypeLiteralNode(member.type) ? member.type.members : undefined;
      return inner && option === 'auth' ? namesIn(inner, `${option}.`) : [option];
    });
  const found = source(path).statements.find((it) => ts.isInterfaceDeclaration(it) && it.name.text === name);
  if (!found || !ts.isInterfaceDeclaration(found)) throw new Error(`no interface ${name} in ${path}`);
  return namesIn(found.members, '');
}

const prefixed = (prefix: string, names: readonly string[]) => names.map((name) => `${prefix}.${name}`);

const declared = [
  ...optionsOf('src/client/options.ts', 'AssessmentClientOptions').filter((name) => name !== 'timings'),
  ...prefixed('paths', Object.keys(defaultPaths)),
  ...prefixed('timings', [...Object.keys(defaultTimings), 'timeouts']),
  ...prefixed('timings.timeouts', Object.keys(defaultTimeouts)),
  ...prefixed('settings', optionsOf('src/client/options.ts', 'RuntimeSettings')),
];

const entries = new Map(
  readFileSync('docs/options.md', 'utf8')
    .split(/^### /m)
    .slice(1)
    .map((entry) => [/^`(.*?)`/.exec(entry)?.[1] ?? entry, entry]),
);

describe('the page of the options', () => {
  it('has an entry for each option, and for no other', () => {
    expect([...entries.keys()].toSorted()).toEqual(declared.toSorted());
  });

  it.each(declared)('says of %s its default, when it matters and an example', (name) => {
    expect(entries.get(name)).toMatch(
      /\*\*Default\*\*: .+\n(?:- \*\*Unit\*\*: .+\n)?- \*\*When it matters\*\*: .+\n\n```ts\n/,
    );
  });

  it.each(
    Object.entries({
      ...prefixKeys('timings', defaultTimings),
      ...prefixKeys('timings.timeouts', { ...defaultTimeouts }),
    }),
  )('names the default of %s, %i ms', (name, ms) => {
    expect(entries.get(name)?.replaceAll('_', '')).toContain(`**Default**: \`${ms}\``);
  });

  it.each(Object.entries(prefixKeys('paths', { ...defaultPaths })))('names the default of %s, %s', (name, path) => {
    expect(entries.get(name)).toContain(`**Default**: \`'${path}'\``);
  });
});

function prefixKeys<Value>(prefix: string, values: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value]));
}
