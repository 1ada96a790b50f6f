import type { HandmadeChromium } from '../tabs/chromium-by-hand.ts';
import { until } from '../tabs/run-tabs.ts';
import { inPage, openPage, servePage } from './serve-page.ts';

/* Running assessments of a real page while refresh is switched off, on, off and on. */

const ASSESSMENTS = 50;

export interface SwitchesReport {
  run: 'switches';
  ok: boolean;
  assessments: number;
  /** After each switch: how many assessments are in each phase. */
  phases: { refresh: boolean; phases: Record<string, number>; refreshes: number }[];
  expectations: Record<string, boolean>;
}

/** Plays it for real. */
export async function runSwitches(browser: HandmadeChromium, tell: (text: string) => void): Promise<SwitchesReport> {
  const backend = await servePage({ accessTokenTtlMs: 6_000 });
  try {
    const page = await openPage(browser.context, backend.url);
    const phasesNow = async (): Promise<Record<string, number>> => {
      const found: Record<string, number> = {};
      for (const phase of await inPage(page, (ops) => ops.phases())) found[phase] = (found[phase] ?? 0) + 1;
      return found;
    };
    const all = (phase: string): Promise<boolean> =>
      until(`${ASSESSMENTS} × ${phase}`, async () => ((await phasesNow())[phase] === ASSESSMENTS ? true : null)).catch(
        () => false,
      );
    await inPage(page, (ops) => ops.signIn());
    await page.evaluate(`window.ops.submit(${ASSESSMENTS})`);
    const isRunning = await all('waiting');
    tell(`switches: ${ASSESSMENTS} assessments run`);

    const after: SwitchesReport['phases'] = [];
    const asExpected: boolean[] = [];
    for (const refresh of [false, true, false, true]) {
      const before = backend.counts();
      await page.evaluate(`window.ops.setRefresh(${refresh})`);
      // Resumed means that the server hears of it: a new token, and as many polls as there are assessments.
      const isHeard = async (): Promise<true | null> => {
        const { refreshes, statusCalls } = backend.counts();
        return refreshes > before.refreshes && statusCalls >= before.statusCalls + ASSESSMENTS ? true : null;
      };
      const isResumed = refresh && (await until('polls with a new token', isHeard).catch(() => false));
      // Off: the token expires, and each of them pauses.
      asExpected.push((await all(refresh ? 'waiting' : 'sign-in-needed')) && isResumed === refresh);
      after.push({ refresh, phases: await phasesNow(), refreshes: backend.counts().refreshes });
      tell(`switches: refresh is ${refresh ? 'on' : 'off'}, ${JSON.stringify(after.at(-1)?.phases)}`);
    }
    backend.finishJobs();
    const isCompleted = await all('completed');
    const shown = new Set(await inPage(page, (ops) => ops.shownJobs()));
    const jobs = backend.jobs();
    const { submissionsAccepted, logins } = backend.counts();
    await page.close();
    const expectations = {
      'all assessments run before the first switch': isRunning,
      'each pauses after every "off"': asExpected.every((it, index) => it || index % 2 === 1),
      'none is paused after any "on"': asExpected.every((it, index) => it || index % 2 === 0),
      'each shows its result': isCompleted && jobs.every(({ jobId }) => shown.has(jobId)),
      'each was submitted exactly once': submissionsAccepted === ASSESSMENTS && jobs.length === ASSESSMENTS,
      'the user signed in once': logins === 1,
    };
    return {
      run: 'switches',
      ok: Object.values(expectations).every(Boolean),
      assessments: ASSESSMENTS,
      phases: after,
      expectations,
    };
  } finally {
    await browser.forget(backend.url);
    await backend.close();
  }
}
