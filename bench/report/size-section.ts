import { budgets, measureSizes } from '../size/bundles.ts';
import type { Section } from './section.ts';

/** What a bundle gains. */
export const sizeSection: Section = async () => {
  const {
    marginal,
    ours,
    ports,
    onUse,
    core,
    coreReact,
    withSocketIo,
    assembled,
    assembledCore,
    oidc,
    supabase,
    helper,
  } = await measureSizes();
  const kB = (bytes = 0) => (bytes / 1_000).toFixed(1);
  const row = (title: string, bytes: number) => `| ${title} | ${kB(bytes)} |`;
  return [
    '## Size: what a bundle gains',
    '',
    '`npm run --silent size`',
    '',
    'As Vite builds it for production, minified and gzipped, React left out. What is loaded on use is counted as well.',
    '',
    '| what | kB |',
    '| --- | ---: |',
    row(
      `**marginal cost** in an application that already has xstate, @xstate/react, rxjs and zod; budget ${kB(budgets.marginal)}`,
      marginal,
    ),
    row(`**our own code**, everything loaded on use included; budget ${kB(budgets.ours)}`, ours),
    row('not counted anywhere else: what a client with ports of its own loads on use', ports),
    row("first load of an application that loads the whole client on use: `import('assessment-monitor')`", onUse),
    row('**total in an empty application**: the core with its dependencies', core),
    row('… the core and React', coreReact),
    row('… the core, React and Socket.IO', withSocketIo),
    row('the assembled stack: TanStack Query with its hooks, axios, axios-auth-refresh and Socket.IO', assembled),
    row('… without the hooks', assembledCore),
    row('oidc-client-ts, which only keeps a token fresh', oidc),
    row('@supabase/auth-js, which only keeps a token fresh', supabase),
    row('not counted above: what Vite adds, once, to an application that loads something on use', helper),
    '',
    'In an empty application ours is the larger one: a statechart with its interpreter, schemas at every border, and the coordination',
    'of tabs.',
    '',
  ];
};
