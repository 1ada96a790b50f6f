import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compileScript, parse } from 'vue/compiler-sfc';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/vue-and-svelte.md'), 'utf8');
const components = [...page.matchAll(/^```vue\n(.*?)^```/gms)].map(([, source = '']) => source);

/** The component as one module, its template included. @throws Error when the script or the template does not compile */
function compiled(source: string): string {
  const { descriptor, errors } = parse(source);
  const [error] = errors;
  if (error) throw error;
  return compileScript(descriptor, { id: 'example', inlineTemplate: true }).content;
}

describe('the guide for Vue', () => {
  it('has components that compile, and whose templates use nothing that the script does not declare', () => {
    expect(components).not.toEqual([]);
    for (const source of components) expect(compiled(source)).not.toContain('_ctx.');
  });

  it('would not pass with a template that uses an unknown name', () => {
    const [source = ''] = components;
    expect(compiled(source.replace('@click="client.submit', '@click="klient.submit'))).toContain('_ctx.klient');
  });
});
