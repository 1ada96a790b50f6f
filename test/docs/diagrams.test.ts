import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createMarkdownRenderer } from 'vitepress';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diagramsIn, pictureOf, showDiagrams, type Theme } from '../../docs/.vitepress/diagrams.ts';

const drawn = 'flowchart LR\n  old --> diagram\n';
const page = `## The \`parts\`\n\n\`\`\`mermaid\n${drawn}\`\`\`\n\n\`\`\`ts\nconst mermaid = 1;\n\`\`\`\n`;
let docs = '';

beforeAll(() => {
  docs = mkdtempSync(join(tmpdir(), 'assessment-monitor-docs-'));
  for (const theme of ['light', 'dark'] satisfies Theme[]) {
    const path = join(docs, 'public', pictureOf(drawn, theme));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '<svg id="diagram" width="120.6" xmlns="…" height="80"><rect width="1"/></svg>');
  }
});
afterAll(() => rmSync(docs, { recursive: true }));

async function render(text: string): Promise<string> {
  const markdown = await createMarkdownRenderer(docs);
  showDiagrams(markdown, docs, '/here/');
  return markdown.render(text);
}

describe('the diagrams of the site', () => {
  it('are shown as pictures of both themes, with their text on demand', async () => {
    expect(diagramsIn(page)).toEqual([drawn]);
    const html = await render(page);
    for (const theme of ['light', 'dark'] satisfies Theme[])
      expect(html).toContain(`<a class="diagram only-${theme}" href="/here/${pictureOf(drawn, theme)}"`);
    expect(html).toContain('width="121" height="80" alt="Diagram: The parts. Opens in full size."');
    expect(html).toContain('<summary>The diagram as text</summary>');
    expect(html.match(/class="diagram /g)).toHaveLength(2);
  });

  it('stay blocks of text where they are not drawn', async () => {
    const html = await render(page.replace('old', 'new'));
    expect(html).not.toContain('class="diagram');
    expect(html).toContain('language-mermaid');
  });
});
