import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MarkdownRenderer } from 'vitepress';

/*
 * GitHub draws the Mermaid blocks of a page by itself. The site shows pictures of them, which `npm run docs` makes once for each text:
 * no page loads a library for them.
 */

/** One picture for each theme of the site. */
export const themes = { light: 'default', dark: 'dark' } as const;
export type Theme = keyof typeof themes;

/** A file of the folder `docs/public`. */
export const pictureOf = (diagram: string, theme: Theme): string => {
  const digest = createHash('sha256').update(diagram.trim()).digest('hex').slice(0, 12);
  return `diagrams/${digest}-${theme}.svg`;
};

/** The Mermaid blocks of a page. */
export const diagramsIn = (page: string): string[] =>
  [...page.matchAll(/^```mermaid\n(.*?)^```$/gms)].map(([, diagram = '']) => diagram);

/**
 * Shows the pictures of Mermaid blocks, each a link to itself in full size, and their text on demand. A block without pictures stays a
 * block of text.
 *
 * @param base the address of the site
 */
export function showDiagrams(markdown: MarkdownRenderer, docs: string, base: string): void {
  const { fence } = markdown.renderer.rules;
  if (!fence) throw new Error('the site renders no blocks of code');
  const names = Object.keys(themes) as Theme[];
  const fileOf = (diagram: string, theme: Theme) => join(docs, 'public', pictureOf(diagram, theme));
  const isDrawn = (diagram: string) => names.every((it) => existsSync(fileOf(diagram, it)));
  /** With its size, so that nothing moves when a picture arrives. */
  const sizeOf = (diagram: string, theme: Theme): string => {
    const [root = ''] = /<svg[^>]*>/.exec(readFileSync(fileOf(diagram, theme), 'utf8')) ?? [];
    return ['width', 'height']
      .map((side) => `${side}="${Math.round(Number(new RegExp(` ${side}="([\\d.]+)"`).exec(root)?.[1] ?? 0))}"`)
      .join(' ');
  };
  markdown.renderer.rules.fence = (tokens, index, ...rest) => {
    const text = fence(tokens, index, ...rest);
    const { info = '', content = '' } = tokens[index] ?? {};
    if (info.trim() !== 'mermaid' || !isDrawn(content)) return text;
    const heading = tokens.findLastIndex(({ type }, at) => at < index && type === 'heading_open');
    const subject = markdown.utils.escapeHtml(tokens[heading + 1]?.content.replaceAll('`', '') ?? '');
    const pictures = names.map((theme) => {
      const address = `${base}${pictureOf(content, theme)}`;
      return `<a class="diagram only-${theme}" href="${address}" target="_blank"><img src="${address}" ${sizeOf(content, theme)} alt="Diagram: ${subject}. Opens in full size." loading="lazy"></a>`;
    });
    return `${pictures.join('\n')}\n<details class="details"><summary>The diagram as text</summary>${text}</details>`;
  };
}
