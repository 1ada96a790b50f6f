import { describe, expect, it } from 'vitest';
import type { AssessmentClientOptions } from 'assessment-monitor';
import { memoryStore } from '../../src/lib/storage.ts';
import { fakeTabs } from '../../src/testing/fake-tabs.ts';
import { accepted, flat, invalidToken, openScriptedWorld, type Script, status } from '../support/scripted-world.ts';

/* A token that one tab hands over to another: it has been in use for a while, and to a tab that has it already it is no news. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const session = { accessToken: 'first', expiresIn: 3_600, userId: 'user-1' };

/** Tabs of one browser, without sockets. */
function openBrowser(script: Script = {}) {
  const world = openScriptedWorld(script, { socket: false });
  const tabs = fakeTabs(world.clock);
  const storage = memoryStore();
  const openTab = (own: Partial<AssessmentClientOptions<unknown, unknown>> = {}) => {
    const { locks, channel } = tabs.openTab();
    return world.openTab({ storage, locks, channel, ...own });
  };
  const countOf = (type: string) => world.events.filter((event) => event.type === type).length;
  return { world, openTab, countOf };
}

describe('a token that another tab has handed over', () => {
  it('is refreshed after its first refusal, as it would be in the tab that signed in', async () => {
    const { world, openTab } = openBrowser({
      submit: ({ token }) => (token === 'first' ? invalidToken() : accepted()),
      health: () => [200, { status: 'healthy' }],
    });
    openTab().signedIn(session);
    await world.run(5 * MINUTE);
    openTab().submit({ answers: [1] });
    await world.run(10 * SECOND);
    expect([world.count('refresh'), world.count('submit')]).toEqual([1, 2]);
  });

  it('is no news to a tab that has it already, also after a reload', async () => {
    const { world, openTab, countOf } = openBrowser();
    const tokenStorage = memoryStore();
    const first = openTab({ tokenStorage });
    first.signedIn(session);
    await world.run(SECOND);
    void openTab().ensureValidToken();
    await world.run(SECOND);
    first.dispose();
    openTab({ tokenStorage });
    await world.run(SECOND);
    const before = countOf('token.renewed');
    void openTab().ensureValidToken();
    await world.run(SECOND);
    expect([world.count('refresh'), countOf('token.renewed') - before]).toEqual([0, 1]);
  });

  it('is refused once for all tabs of a browser, those included that are reloaded or opened in the outage', async () => {
    const { world, openTab } = openBrowser({
      status: ({ at }) => (at > 10 * SECOND && at < 2 * MINUTE ? invalidToken() : status('processing')),
      refresh: () => flat(503, 'SERVICE_UNAVAILABLE'),
      health: ({ at }) => [at < 2 * MINUTE ? 503 : 200, { status: 'any' }],
    });
    const tokenStorage = memoryStore();
    const first = openTab({ tokenStorage });
    first.signedIn(session);
    first.submit({ answers: [1] });
    await world.run(3 * SECOND);
    openTab().resume();
    await world.run(SECOND);
    first.dispose();
    openTab({ tokenStorage }).resume();
    await world.run(30 * SECOND);
    for (let tab = 0; tab < 3; tab += 1) {
      openTab().resume();
      await world.run(10 * SECOND);
    }
    expect(world.events.filter((event) => event.type === 'request.finished' && event.status === 401)).toHaveLength(1);
  });

  it.each([
    ['a tab that is opened', true, false],
    ['a reload', false, true],
    ['both', true, true],
  ])('ends no session after a refresh whose answer was lost: %s', async (_what, opensTabs, reloads) => {
    const isRefused = (token: string | null, at: number) => at > 10 * SECOND && !token?.startsWith('fresh');
    const { world, openTab } = openBrowser({
      status: ({ token, at }) =>
        isRefused(token, at) ? invalidToken() : status(at > 20 * SECOND ? 'completed' : 'processing'),
      result: ({ token, at }) =>
        isRefused(token, at)
          ? invalidToken()
          : [200, { success: true, data: { id: 'result-1', test_result: { a: 1 } } }],
      refresh: ({ count }) =>
        count === 1 ? null : [200, { success: true, data: { idToken: `fresh-${count}`, expiresIn: 3_600 } }],
    });
    const tokenStorage = memoryStore();
    let page = openTab({ tokenStorage });
    page.signedIn(session);
    page.submit({ answers: [1] });
    await world.run(4 * SECOND);
    if (opensTabs) openTab().resume();
    await world.run(4 * SECOND);
    if (reloads) {
      page.dispose();
      page = openTab({ tokenStorage });
      page.resume();
    }
    await world.run(12 * SECOND);
    if (opensTabs) {
      openTab().resume();
      await world.run(2 * SECOND);
      openTab().resume();
    }
    await world.run(3 * MINUTE);
    expect(page.getSnapshot().assessments[0]?.getSnapshot().phase).toBe('completed');
  });
});
