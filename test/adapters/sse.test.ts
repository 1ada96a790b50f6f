import { sse, type SseOptions } from 'assessment-monitor/adapters';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFeed } from '../support/feed-connection.ts';
import { type ForeignServer, startForeignServer } from '../support/foreign-server.ts';
import { startServer } from '../support/http-server.ts';

const toMessage: SseOptions['toMessage'] = (data, { event }) => {
  const { job } = data as { job: string };
  return event === 'done' ? { type: 'job.completed', jobId: job, resultId: null } : null;
};

describe('sse', () => {
  let server: ForeignServer;
  beforeEach(async () => {
    server = await startForeignServer('rest');
  });
  afterEach(() => server.close());
  const feedOf = () => sse({ url: `${server.url}/events`, toMessage });
  const runJob = async (token: string, key: string) => {
    await fetch(`${server.url}/v1/analyses`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Idempotency-Key': key },
    });
    server.finishJobs();
  };

  it('is live once the stream is open, reports events, and settles when the server drops it', async () => {
    const { accessToken } = server.signIn();
    const feed = openFeed(feedOf(), accessToken);
    await expect.poll(feed.lives).toBe(1);
    await runJob(accessToken, 'key-1');
    await expect.poll(() => feed.messages).toEqual([{ type: 'job.completed', jobId: 'job-1', resultId: null }]);
    server.dropFeeds();
    await expect.poll(feed.state).not.toBe('pending');
    expect([feed.lives(), feed.takesNewer()]).toEqual([1, false]);
    expect(server.seen.addresses.join()).not.toContain(accessToken);
  });

  it('resumes after the last event of the same user, and not after that of another', async () => {
    const connect = feedOf();
    const { accessToken } = server.signIn();
    const first = openFeed(connect, accessToken);
    await expect.poll(first.lives).toBe(1);
    await runJob(accessToken, 'key-1');
    await expect.poll(() => first.messages).toHaveLength(1);
    server.dropFeeds();
    await expect.poll(first.state).not.toBe('pending');
    await runJob(accessToken, 'key-2');
    // What was missed arrives on the next connection, under a newer token of the same user.
    const second = openFeed(connect, server.signIn().accessToken);
    await expect.poll(() => second.messages).toEqual([{ type: 'job.completed', jobId: 'job-2', resultId: null }]);
    const other = openFeed(connect, server.signIn('user-2').accessToken);
    await expect.poll(other.lives).toBe(1);
    expect(server.seen.lastEventIds).toEqual([null, '1', null]);
    second.abort();
    other.abort();
  });

  it('is never live with a refused token, and says so by its status', async () => {
    const feed = openFeed(feedOf(), 'refused');
    await expect.poll(feed.state).toBe('rejected');
    expect([feed.lives(), feed.error()]).toEqual([0, expect.objectContaining({ status: 401 })]);
  });

  it('settles when it is aborted, before and after the stream is open, and leaves nothing open', async () => {
    const { accessToken } = server.signIn();
    const early = openFeed(feedOf(), accessToken);
    early.abort();
    const open = openFeed(feedOf(), accessToken);
    await expect.poll(open.lives).toBe(1);
    open.abort();
    await expect.poll(() => [early.state(), open.state()]).not.toContain('pending');
    await expect.poll(server.open).toBe(0);
    expect(early.lives()).toBe(0);
  });

  it('sends no token for a session by cookie, and the cookie in its place', async () => {
    const sent: (RequestInit | undefined)[] = [];
    const fetch = (_url: unknown, init?: RequestInit) => (
      sent.push(init),
      Promise.resolve(new Response(null, { status: 503 }))
    );
    const feed = openFeed(sse({ url: server.url, toMessage, fetch }), '');
    await expect.poll(feed.state).toBe('rejected');
    expect(sent[0]).toMatchObject({ credentials: 'include', headers: { Accept: 'text/event-stream' } });
    expect(sent[0]?.headers).not.toHaveProperty('Authorization');
  });

  it('takes a page in place of the stream for no stream, follows no redirect, and ignores an event that cannot be read', async () => {
    const front = await startServer();
    const foreign = await startServer();
    const connect = sse({ url: front.url, toMessage });
    front.reply(200, '<html>', { 'content-type': 'text/html' });
    const page = openFeed(connect, 'token-1');
    await expect.poll(page.state).toBe('rejected');
    front.reply(307, '', { location: `${foreign.url}/events` });
    const redirected = openFeed(connect, 'token-1');
    await expect.poll(redirected.state).toBe('rejected');
    front.reply(200, 'event: done\ndata\n\nevent: done\ndata: {"job":"job-1"}\n\n', {
      'content-type': 'text/event-stream',
    });
    const odd = openFeed(
      sse({ url: front.url, toMessage: (data, event) => (data === '' ? fail() : toMessage(data, event)) }),
      'token-1',
    );
    await expect.poll(odd.state).toBe('resolved');
    expect([page.lives(), redirected.lives(), foreign.requests.length, odd.messages.length]).toEqual([0, 0, 0, 1]);
    await Promise.all([front.close(), foreign.close()]);
  });
});

function fail(): never {
  throw new Error('cannot be read');
}
