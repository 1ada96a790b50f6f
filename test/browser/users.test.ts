import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { bookOf, inTab, until } from '../../e2e/tabs/run-tabs.ts';
import { chromiumTabs } from './chromium-tabs.ts';
import type { TabHandle } from '../../e2e/tabs/tab.ts';

/* Two users who take turns at one real browser: nothing of the first reaches the second. */

const [ann, bob] = ['ann.of.this.test@example.test', 'bob@example.test'];

const real = chromiumTabs();
const open = (settings: Record<string, string> = {}) => real.open({ socket: 'none', ...settings });
const shows = (phase: string, page: Page) =>
  until(phase, async () => ((await bookOf(page)).phase === phase ? true : null), 15_000);
const textOf = (page: Page, id: string): Promise<string> => page.locator(`#${id}`).innerText();
/** The e-mail address travels as an argument, so that no source text in the page holds it. */
const signIn = (page: Page, email: string) =>
  page.evaluate((it) => (window as unknown as { tab: TabHandle }).tab.signIn(it), email);
const submit = (page: Page) => inTab(page, (tab) => tab.submit());
const signOut = (page: Page) => inTab(page, (tab) => tab.signOut());
const reload = async (page: Page) => {
  await page.reload();
  await page.waitForFunction(() => 'tab' in window);
};
/** What the page sends from now on: every header and body as text. */
function watchRequests(page: Page): string[] {
  const sent: string[] = [];
  page.on('request', (request) => {
    sent.push(JSON.stringify([request.url(), request.headers(), request.postData()]));
  });
  return sent;
}
const tokenIn = (sent: readonly string[]) => /Bearer ([^"\\]+)/.exec(sent.join())?.[1] ?? 'none';

describe('two users at one browser', () => {
  it('see nothing of each other after a sign-out: no result, no balance, in no tab', async () => {
    const [first, second] = [await open(), await open()];
    await signIn(first, ann);
    await submit(first);
    await shows('waiting', first);
    real.backend.finishJobs();
    await shows('completed', first);
    expect(await textOf(first, 'result')).not.toBe('');
    await until('the balance', async () => ((await textOf(first, 'balance')) === '' ? null : true));
    await signOut(first);
    for (const page of [first, second]) {
      await shows('nothing', page);
      expect([await textOf(page, 'result'), await textOf(page, 'balance')]).toEqual(['', '']);
    }
    await signIn(second, bob);
    await reload(first);
    for (const page of [first, second]) expect((await bookOf(page)).phase).toBe('nothing');
  });

  it('keep their paid jobs: another user signs in elsewhere, and the first one finds the job again', async () => {
    const [first, second] = [await open(), await open()];
    await signIn(first, ann);
    await submit(first);
    await shows('waiting', first);
    await signIn(second, bob);
    await shows('nothing', first);
    const sent = watchRequests(second);
    await reload(second);
    expect((await bookOf(second)).phase).toBe('nothing');
    expect(sent.filter((it) => it.includes('/status/'))).toEqual([]);
    await signIn(second, ann);
    await shows('waiting', second);
    real.backend.finishJobs();
    await shows('completed', second);
    expect(real.backend.counts().submissionsAccepted).toBe(1);
  });

  it('stay signed out after a reload although the logout call failed and the cookie is still good', async () => {
    const page = await open();
    await signIn(page, ann);
    await submit(page);
    await shows('waiting', page);
    await signOut(page);
    await reload(page);
    expect((await bookOf(page)).phase).toBe('nothing');
    expect(await inTab(page, (tab) => tab.refresh().then(String, (error: Error) => error.name))).toBe(
      'SignInRequiredError',
    );
    expect(real.backend.counts().refreshCalls).toBe(0);
    await signIn(page, ann);
    await shows('waiting', page);
  });

  it('are not taken for each other when both storages are full at the sign-in', async () => {
    const page = await open();
    const sent = watchRequests(page);
    await signIn(page, ann);
    await submit(page);
    await shows('waiting', page);
    const annsToken = tokenIn(sent);
    await page.evaluate(() => {
      for (const storage of [localStorage, sessionStorage]) {
        for (let length = 2 ** 20; length >= 1; length /= 2) {
          try {
            for (let index = 0; ; index += 1) storage.setItem(`fill-${length}-${index}`, 'x'.repeat(length));
          } catch {
            // Full for this length.
          }
        }
      }
    });
    await signIn(page, bob);
    sent.length = 0;
    await reload(page);
    await submit(page);
    await shows('waiting', page);
    expect(annsToken).not.toBe('none');
    expect(sent.join()).not.toContain(annsToken);
  });

  it('of two APIs on one origin send each server its own token and answers', async () => {
    const page = await open();
    const sent = watchRequests(page);
    await signIn(page, ann);
    await submit(page);
    await shows('waiting', page);
    const other = await open({ base: '/other' });
    const toOther = watchRequests(other);
    await reload(other);
    await inTab(other, (tab) => tab.refresh().catch(() => {}));
    expect((await bookOf(other)).phase).toBe('nothing');
    expect(toOther.some((it) => it.includes('/other/api/'))).toBe(true);
    expect(toOther.join()).not.toContain(tokenIn(sent));
  });

  it('leave nothing in the memory of the page: a heap snapshot after the sign-out finds no secret', async () => {
    const page = await open({ book: 'none' });
    const sent = watchRequests(page);
    const results: string[] = [];
    page.on('response', (response) => {
      if (response.url().includes('/results/')) void response.text().then((text) => results.push(text));
    });
    await signIn(page, ann);
    await submit(page);
    await shows('waiting', page);
    real.backend.finishJobs();
    await shows('completed', page);
    const summary = /"shortSummary":"([^"]+)"/.exec(await until('a result', async () => results[0] ?? null))?.[1] ?? '';
    const name = /Assessment of tab [0-9a-f-]{36}/.exec(sent.join())?.[0] ?? '';
    const secrets = [summary, name, tokenIn(sent), ann];
    expect(secrets.map((it) => it.length > 15)).toEqual([true, true, true, true]);
    expect(await foundInHeap(page, secrets)).toEqual(secrets);
    await signOut(page);
    await shows('nothing', page);
    expect(await foundInHeap(page, secrets)).toEqual([]);
  });
});

/** Which of these texts a heap snapshot contains. */
async function foundInHeap(page: Page, texts: readonly string[]): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  const chunks: string[] = [];
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => void chunks.push(chunk));
  await session.send('HeapProfiler.enable');
  await session.send('HeapProfiler.collectGarbage');
  await session.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
  await session.detach();
  const { strings } = JSON.parse(chunks.join('')) as { strings: string[] };
  return texts.filter((text) => strings.some((it) => it.includes(text)));
}
