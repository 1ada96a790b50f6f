/* npm start: builds the page, starts the demo, prints its address. PORT chooses the port; default 4600, or a free one. */
import { serveDemo } from './serve.ts';

const wanted = Number(process.env.PORT ?? 4_600);

const backend = await serveDemo({ port: wanted }).catch((error: NodeJS.ErrnoException) => {
  if (error.code !== 'EADDRINUSE') throw error;
  process.stderr.write(`Port ${wanted} is taken; a free one is used instead.\n`);
  return serveDemo({ port: 0 });
});
process.stdout.write(
  `\n  assessment-monitor demo: ${backend.url}\n  Sign in, submit, and watch the token expire. Ctrl+C ends it.\n\n`,
);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void backend.close().then(() => process.exit(0)));
