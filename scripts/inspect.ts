/* npm run inspect: serves the viewer for inspected machines on this machine. PORT chooses the port; default 4700. */
import { serveViewer } from '../demo/viewer/serve.ts';

const viewer = await serveViewer({ port: Number(process.env.PORT ?? 4_700) }).catch((error: NodeJS.ErrnoException) => {
  process.stderr.write(
    `${error.code === 'EADDRINUSE' ? 'The port is taken; PORT names another one.' : error.message}\n`,
  );
  process.exit(1);
});
const { url } = viewer;
process.stdout.write(`
  assessment-monitor inspector: ${url}
  A page opens it in a window:        createInspector({ url: '${url}' })
  A page or a process sends to it:    createInspector({ url: '${url.replace('http', 'ws')}' })
  Without NODE_ENV=development:       add enabled: true
  Ctrl+C ends it.

`);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void viewer.close().then(() => process.exit(0)));
