import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type DefaultTheme, defineConfig } from 'vitepress';
import { anchorOf } from './anchor.ts';
import { showDiagrams } from './diagrams.ts';

/* The documentation site. `npm run docs` writes the API reference into docs/reference and builds docs/.vitepress/dist. */

const REPOSITORY = 'https://github.com/OWNER/assessment-monitor';
const docs = join(import.meta.dirname, '..');
const base = process.env.DOCS_BASE ?? '/';

/** A group of the sidebar: title and page of each entry. A page that this checkout does not have is left out. */
function group(text: string, pages: Record<string, string>): DefaultTheme.SidebarItem {
  const exists = (page: string) => existsSync(join(docs, `${page.replace(/#.*$/, '').replace(/\/$/, '/index')}.md`));
  const items = Object.entries(pages)
    .filter(([, page]) => exists(page))
    .map(([title, page]) => ({ text: title, link: `/${page}` }));
  return { text, items };
}

const decisions = Object.fromEntries(
  readdirSync(join(docs, 'adr'))
    .filter((name) => /^\d+-.*\.md$/.test(name))
    .map((name) => [
      name
        .replace(/^0*(\d+)-/, '$1. ')
        .replace('.md', '')
        .replaceAll('-', ' '),
      `adr/${name.replace('.md', '')}`,
    ]),
);

export default defineConfig({
  title: 'assessment-monitor',
  description: 'An XState machine that sees a long job through to its result, however often the access token expires.',
  lang: 'en',
  base,
  cleanUrls: true,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}favicon.svg` }]],
  rewrites: { 'adr/README.md': 'adr/index.md' },
  markdown: {
    anchor: { slugify: anchorOf },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(markdown) {
      showDiagrams(markdown, docs, base);
      // A link out of docs/ leads to the repository.
      markdown.core.ruler.push('repository-links', ({ tokens }) => {
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const link = token.attrGet('href');
          if (link?.startsWith('../') && /^\.\.\/(?:[A-Z]+\.md|(?:src|test|examples|backend)\b)/.test(link))
            token.attrSet('href', `${REPOSITORY}/blob/main/${link.slice(3)}`);
        }
      });
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Get started', link: '/getting-started' },
      { text: 'Options', link: '/options' },
      { text: 'API', link: '/reference/' },
      { text: 'Repository', link: REPOSITORY },
    ],
    sidebar: [
      group('Start', {
        'Getting started': 'getting-started',
        Concepts: 'concepts',
        Questions: 'faq',
        Migrating: 'migrating',
      }),
      group('Guides', {
        'Your backend': 'your-backend',
        React: 'react',
        'Next.js': 'frameworks#next-app-router',
        'React Native': 'frameworks#react-native',
        'Vue, Svelte and others': 'vue-and-svelte',
        'Plain XState': 'xstate',
        'Several tabs': 'several-tabs',
        'Testing your application': 'testing',
        Inspector: 'inspect',
        Operations: 'operations',
        'Durable watching': 'durable',
        'Bundlers and test runners': 'frameworks',
      }),
      group('Reference', {
        Options: 'options',
        'Error codes': 'errors',
        'API by entry': 'reference/',
        'Wire protocol': 'protocol',
        'The whole chart': 'chart',
        'Browser support': 'browsers',
        'Versions and support': 'support',
      }),
      group('Trust', {
        Privacy: 'privacy',
        'Threat model': 'security',
        'How it is verified': 'verification',
        'Failure scenarios': 'failure-scenarios',
        Benchmarks: 'benchmarks',
        'Beside the old client': 'parity',
      }),
      group('Inside', { Architecture: 'architecture', ...decisions, Style: 'style' }),
    ],
  },
});
