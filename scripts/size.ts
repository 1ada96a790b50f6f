/*
 * npm run --silent size -- [--json]
 *
 * What an application's bundle gains by this package, in gzipped bytes, beside what one would put together without it. Exit 1 when it
 * has outgrown its budgets: they hold what was reached, a little more than measured, so that nothing grows unnoticed.
 */
import { parseArgs } from 'node:util';
import { budgets, measureSizes, type Sizes } from '../bench/size/bundles.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean' } } });
const sizes = await measureSizes();
const tooBig = (Object.keys(budgets) as (keyof Sizes)[]).filter((name) => sizes[name] > (budgets[name] ?? 0));

if (values.json) process.stdout.write(`${JSON.stringify(sizes)}\n`);
else {
  const names: Record<keyof Sizes, string> = {
    marginal: 'marginal cost where xstate, @xstate/react, rxjs and zod are there already',
    ours: 'our own code, core and React, everything loaded on use included',
    onUse: 'the first load of an application that imports the whole client on use',
    core: 'total in an empty application: the core with its dependencies',
    texts: '… and only the texts of its errors: what is not used is left out',
    ports: 'not counted above: what a client with ports of its own loads on use',
    durable: 'the durable watcher where its dependencies are there already: in no bundle that does not import it',
    coreReact: 'total in an empty application: the core and React with their dependencies',
    withSocketIo: '… and Socket.IO',
    assembled: 'TanStack Query with its hooks, axios, axios-auth-refresh and Socket.IO',
    assembledCore: '… without the hooks',
    oidc: 'oidc-client-ts: tokens only',
    supabase: '@supabase/auth-js: tokens only',
    toMeter: 'toMeter of assessment-monitor/telemetry',
    toSentry: 'toSentry',
    toLines: 'toLines',
    toBeacon: 'toBeacon',
    helper: 'not counted above: what Vite adds, once, to an application that loads something on use',
  };
  for (const [name, title] of Object.entries(names) as [keyof Sizes, string][]) {
    const budget = budgets[name] === undefined ? '' : `   budget ${(budgets[name] / 1_000).toFixed(1)}`;
    process.stdout.write(`${(sizes[name] / 1_000).toFixed(1).padStart(6)} kB  ${title}${budget}\n`);
  }
}
for (const name of tooBig) {
  process.stderr.write(`${name} is ${sizes[name]} bytes, ${sizes[name] - (budgets[name] ?? 0)} more than its budget\n`);
}
process.exitCode = tooBig.length === 0 ? 0 : 1;
