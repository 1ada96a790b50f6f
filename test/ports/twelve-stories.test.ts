import type { Assessment, AssessmentClient } from 'assessment-monitor';
import { describe, type ExpectStatic, it } from 'vitest';
import { type Contract, contracts } from './contracts.ts';

/*
 * The same twelve stories for three contracts, over real servers. What holds at the end of each is what the server counted: one job,
 * nothing left open; and no word of the server about tokens in any view.
 */

interface Stage extends Contract, ReturnType<typeof waits> {
  client: AssessmentClient<object, object>;
  /** Submits, and waits until the server has accepted the answers. */
  submit(): Promise<Assessment<object>>;
  /** Opens another page, as a reload or a second tab does. */
  another(): AssessmentClient<object, object>;
}

const phaseOf = (assessment: Assessment<object>) => assessment.getSnapshot().phase;
/** Waits without a limit of its own: the limit of the test ends it. Tests run side by side, so each brings its own `expect`. */
const waits = (expect: ExpectStatic) => {
  const poll = { interval: 5, timeout: 30_000 };
  const untilPhase = (assessment: Assessment<object>, phase: string) =>
    expect.poll(() => phaseOf(assessment), poll).toBe(phase);
  return {
    expect,
    until: (isSo: () => boolean) => expect.poll(isSo, poll).toBe(true),
    untilPhase,
    async untilCompleted(assessment: Assessment<object>) {
      await untilPhase(assessment, 'completed');
      expect(assessment.getSnapshot()).toMatchObject({ result: expect.any(Object) as object });
    },
  };
};

/** Plays a story from the sign-in to the end of its pages, and judges it by what the server has counted. */
async function play(
  expect: ExpectStatic,
  openContract: () => Promise<Contract>,
  story: (stage: Stage) => Promise<void>,
): Promise<void> {
  const waiting = waits(expect);
  const contract = await openContract();
  const pages: AssessmentClient<object, object>[] = [];
  const shown = new Set<string>();
  const another = () => {
    const page = contract.openPage();
    pages.push(page);
    page.subscribe(() => {
      for (const assessment of page.getSnapshot().assessments) {
        shown.add(JSON.stringify(assessment.getSnapshot()));
        assessment.subscribe(() => shown.add(JSON.stringify(assessment.getSnapshot())));
      }
    });
    return page;
  };
  try {
    const client = another();
    await contract.signIn(client);
    const submit = async () => {
      const assessment = client.submit(contract.answers);
      await waiting.untilPhase(assessment, 'waiting');
      return assessment;
    };
    await story({ ...contract, ...waiting, client, submit, another });
    for (const page of pages) page.dispose();
    await expect.poll(contract.open, { interval: 5 }).toBe(0);
    expect(contract.seen().jobs).toBe(1);
    expect([...shown].join('\n')).not.toMatch(/INVALID_TOKEN|UNAUTHENTICATED|invalid_grant/i);
  } finally {
    for (const page of pages) page.dispose();
    await contract.close();
  }
}

const stories: [name: string, story: (stage: Stage) => Promise<void>][] = [
  [
    'shows the result of a job that nothing disturbs',
    async ({ submit, finishJobs, seen, until, untilCompleted, expect }) => {
      const assessment = await submit();
      await until(() => seen().feeds === 1);
      finishJobs();
      await untilCompleted(assessment);
      expect(seen()).toMatchObject({ refused: 0, feeds: 1 });
    },
  ],
  [
    'refreshes a token that ends while the job is polled',
    async ({ setFeed, submit, endTokens, finishJobs, seen, until, untilCompleted }) => {
      setFeed(false);
      const assessment = await submit();
      await until(() => seen().polls >= 2);
      endTokens();
      await until(() => seen().refreshes >= 1);
      const { polls } = seen();
      await until(() => seen().polls >= polls + 2);
      finishJobs();
      await untilCompleted(assessment);
    },
  ],
  [
    'refreshes a token that ends before the result',
    async ({ submit, endTokens, finishJobs, seen, until, untilCompleted, expect }) => {
      const assessment = await submit();
      await until(() => seen().feeds === 1);
      endTokens();
      finishJobs();
      await untilCompleted(assessment);
      expect(seen().refreshes).toBeGreaterThanOrEqual(1);
    },
  ],
  [
    'waits while refreshes are limited',
    async ({ submit, setRefresh, endTokens, finishJobs, seen, until, untilCompleted, expect }) => {
      const assessment = await submit();
      setRefresh('limited');
      endTokens();
      finishJobs();
      await until(() => seen().refreshes >= 1);
      expect(phaseOf(assessment)).not.toBe('sign-in-needed');
      setRefresh('granted');
      await untilCompleted(assessment);
    },
  ],
  [
    'asks for a sign-in when the refresh is refused, and then shows the result',
    async ({ client, submit, setRefresh, endTokens, finishJobs, signIn, untilPhase, untilCompleted }) => {
      const assessment = await submit();
      setRefresh('refused');
      endTokens();
      finishJobs();
      await untilPhase(assessment, 'sign-in-needed');
      await signIn(client);
      await untilCompleted(assessment);
    },
  ],
  [
    'outlasts an outage of everything',
    async ({ submit, setDown, finishJobs, seen, until, untilCompleted }) => {
      const assessment = await submit();
      await until(() => seen().feeds === 1);
      setDown(true);
      finishJobs();
      await until(() => hasNoticed(assessment));
      setDown(false);
      await untilCompleted(assessment);
    },
  ],
  [
    'resumes after a reload',
    async ({ client, submit, another, signIn, finishJobs, untilPhase, untilCompleted }) => {
      await submit();
      client.dispose();
      const page = another();
      await signIn(page);
      const [resumed] = page.resume();
      if (!resumed) throw new Error('nothing was resumed');
      await untilPhase(resumed, 'waiting');
      finishJobs();
      await untilCompleted(resumed);
    },
  ],
  [
    'shows the result in two tabs',
    async ({ submit, another, signIn, endTokens, finishJobs, untilCompleted }) => {
      const assessment = await submit();
      const tab = another();
      await signIn(tab);
      const [resumed] = tab.resume();
      if (!resumed) throw new Error('nothing was resumed');
      endTokens();
      finishJobs();
      await untilCompleted(assessment);
      await untilCompleted(resumed);
    },
  ],
  [
    'connects a lost feed again',
    async ({ submit, dropFeeds, finishJobs, seen, until, untilCompleted }) => {
      const assessment = await submit();
      await until(() => seen().feeds === 1);
      dropFeeds();
      await until(() => seen().feeds === 2);
      finishJobs();
      await untilCompleted(assessment);
    },
  ],
  [
    'stops when the user cancels',
    async ({ submit, seen, open, until, expect }) => {
      const assessment = await submit();
      await until(() => seen().feeds === 1);
      assessment.cancel();
      expect(phaseOf(assessment)).toBe('cancelled');
      await until(() => open() === 0);
    },
  ],
  [
    'shows a job that the server has failed',
    async ({ submit, finishJobs, untilPhase, expect }) => {
      const assessment = await submit();
      finishJobs('failed');
      await untilPhase(assessment, 'failed');
      expect(assessment.getSnapshot()).toMatchObject({ error: { code: 'job-failed' } });
    },
  ],
  [
    'waits for a result that is slow',
    async ({ submit, setResults, finishJobs, seen, until, untilCompleted, expect }) => {
      setResults(false);
      const assessment = await submit();
      finishJobs();
      const { polls, results } = seen();
      await until(() => seen().polls + seen().results >= polls + results + 2);
      expect(phaseOf(assessment)).toBe('waiting');
      setResults(true);
      await untilCompleted(assessment);
    },
  ],
];

/** The page has noticed: a call has failed. */
const hasNoticed = (assessment: Assessment<object>) => assessment.actor.getSnapshot().context.failures > 0;

describe.concurrent.each(contracts)('%s', (_name, open) => {
  it.for(stories)('%s', async ([, story], { expect }) => {
    await play(expect, open, story);
  });
});
