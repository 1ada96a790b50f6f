import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chromium } from 'playwright-core';
import { diagramsIn, pictureOf, type Theme, themes } from '../docs/.vitepress/diagrams.ts';
import { ensureChromium } from '../e2e/chromium.ts';

/** Not a dependency: with what it needs it takes 150 MB, and it is used only when a diagram has changed. */
const MERMAID = 'mermaid@11.17.2';

/**
 * Draws the Mermaid blocks of the pages that have no pictures yet, and removes pictures that no page shows any more.
 *
 * @throws Error when a diagram has changed, and Mermaid cannot be had from the registry or there is no Chromium
 */
export async function drawDiagrams(docs: string): Promise<void> {
  const folder = join(docs, 'public/diagrams');
  mkdirSync(folder, { recursive: true });
  const pages = readdirSync(docs).filter((name) => name.endsWith('.md'));
  const diagrams = pages.flatMap((name) => diagramsIn(readFileSync(join(docs, name), 'utf8')));
  const pictures = diagrams.flatMap((diagram) =>
    (Object.keys(themes) as Theme[]).map((theme) => ({
      diagram,
      theme,
      path: join(docs, 'public', pictureOf(diagram, theme)),
    })),
  );
  const shown = new Set(pictures.map(({ path }) => basename(path)));
  for (const name of readdirSync(folder)) if (!shown.has(name)) rmSync(join(folder, name));
  const missing = pictures.filter(({ path }) => !existsSync(path));
  if (missing.length === 0) return;

  const browser = await chromium.launch({
    executablePath: ensureChromium(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    const page = await browser.newPage();
    await page.addScriptTag({ content: mermaidScript() });
    for (const { diagram, theme, path } of missing) {
      const svg = await page.evaluate(draw, { diagram, theme: themes[theme] });
      writeFileSync(path, `${svg}\n`);
    }
  } finally {
    await browser.close();
  }
}

/** The part of Mermaid that is used; it is a global of the page. */
interface Mermaid {
  initialize(config: object): void;
  render(id: string, diagram: string): Promise<{ svg: string }>;
}

/** Runs in the page. */
async function draw({ diagram, theme }: { diagram: string; theme: string }): Promise<string> {
  const { mermaid } = globalThis as unknown as { mermaid: Mermaid };
  const kind = { htmlLabels: false, useMaxWidth: false };
  mermaid.initialize({
    startOnLoad: false,
    theme,
    fontFamily: 'system-ui, sans-serif',
    htmlLabels: false,
    flowchart: kind,
    state: kind,
    sequence: kind,
  });
  return (await mermaid.render('diagram', diagram)).svg;
}

function mermaidScript(): string {
  const folder = mkdtempSync(join(tmpdir(), 'assessment-monitor-mermaid-'));
  try {
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, MERMAID], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [tarball = ''] = readdirSync(folder);
    execFileSync('tar', ['-xzf', join(folder, tarball), '-C', folder, 'package/dist/mermaid.min.js']);
    return readFileSync(join(folder, 'package/dist/mermaid.min.js'), 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
