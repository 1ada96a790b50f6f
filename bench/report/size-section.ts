import { measureSizes } from '../size/bundles.ts';
import type { Section } from './section.ts';

/** What a bundle gains. */
export const sizeSection: Section = async () => {
  const { ours, core, coreReact, withSocketIo, assembled, assembledCore, oidc, supabase, helper } =
    await measureSizes();
  const row = (title: string, bytes: number) => `| ${title} | ${(bytes / 1_000).toFixed(1)} |`;
  return [
    '## Size: what a bundle gains',
    '',
    '`npm run --silent size`',
    '',
    'As Vite builds it for production, minified and gzipped, React left out. What is loaded on use is counted as well.',
    '',
    '| what | kB |',
    '| --- | ---: |',
    row('the core with its dependencies', core),
    row('the core and React', coreReact),
    row('… of which our own code', ours),
    row('… of which XState and Valibot', coreReact - ours),
    row('the core, React and Socket.IO', withSocketIo),
    row('TanStack Query with its hooks, axios, axios-auth-refresh and Socket.IO', assembled),
    row('… without the hooks', assembledCore),
    row('oidc-client-ts, which only keeps a token fresh', oidc),
    row('@supabase/auth-js, which only keeps a token fresh', supabase),
    row('not counted above: what Vite adds, once, to an application that loads something on use', helper),
    '',
    'Ours is the larger one: a statechart with its interpreter, schemas at every border, and the coordination of tabs.',
    '',
  ];
};
