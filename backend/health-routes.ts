import { Hono } from 'hono';
import type { Jobs } from './jobs.ts';
import type { BackendOptions } from './options.ts';

const SERVICE = { service: 'assessment-monitor-demo', version: '1.0.0' };

/** Whether the services are well. They need no token and have no envelope. */
export function healthRoutes(jobs: Jobs, options: () => BackendOptions): Hono {
  const app = new Hono();
  const now = () => new Date().toISOString();
  for (const path of ['/health', '/api/notifications/health']) {
    app.get(path, (c) => c.json({ status: 'healthy', timestamp: now(), ...SERVICE }));
  }
  app.get('/api/auth/v2/health', (c) => {
    const isDown = options().authOutage;
    return c.json({ status: isDown ? 'unhealthy' : 'healthy', timestamp: now(), ...SERVICE }, isDown ? 503 : 200);
  });
  for (const path of ['/health', '/api/assessment/health']) {
    app.get(`${path}/live`, (c) => c.json({ status: 'alive', timestamp: now() }));
    app.get(`${path}/ready`, (c) => {
      const reason = jobs.isQueueDown() ? { reason: 'the queue does not answer' } : {};
      return c.json(
        { status: jobs.isQueueDown() ? 'not_ready' : 'ready', timestamp: now(), ...reason },
        jobs.isQueueDown() ? 503 : 200,
      );
    });
  }
  const whole = () => ({
    status: jobs.isQueueDown() ? 'degraded' : 'healthy',
    timestamp: now(),
    ...SERVICE,
    dependencies: {
      rabbitmq: {
        status: jobs.isQueueDown() ? 'unhealthy' : 'healthy',
        details: { messageCount: jobs.statistics().queued, consumerCount: jobs.isQueueDown() ? 0 : 1 },
      },
      authService: { status: 'healthy' },
      archiveService: { status: 'healthy' },
    },
    jobs: jobs.statistics(),
  });
  app.get('/api/assessment/health', (c) => c.json(whole()));
  app.get('/health/detailed', (c) => c.json(whole()));
  app.get('/api/assessment/health/queue', (c) =>
    c.json({ status: jobs.isQueueDown() ? 'unhealthy' : 'healthy', queueLength: jobs.statistics().queued }),
  );
  return app;
}
