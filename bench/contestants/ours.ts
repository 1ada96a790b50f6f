import {
  type AssessmentClientOptions,
  type AssessmentView,
  createAssessmentClient,
  type FeedSocket,
} from 'assessment-monitor';
import { fetchOver, type Page } from '../world/browser.ts';
import { answers, type App, type Contestant, type Screen } from './contestant.ts';

/* The package as README.md and docs/architecture.md say to use it, with every option at its default but for the parts of the world. */

export const ours: Contestant = oursWith('assessment-monitor', () => ({}));

/** @param attach what hears the events of the client of a page */
export function oursWith(title: string, attach: (page: Page) => Pick<AssessmentClientOptions, 'onEvent'>): Contestant {
  return { title, open: (page, show) => openOurs(page, show, attach(page)) };
}

function openOurs(page: Page, show: (screen: Screen) => void, attached: Pick<AssessmentClientOptions, 'onEvent'>): App {
  const client = createAssessmentClient({
    ...attached,
    baseUrl: 'https://bench.test',
    fetch: ((url: string, init: RequestInit) =>
      fetchOver(page, url, init as Parameters<typeof fetchOver>[2])) as unknown as typeof fetch,
    loadSocketIo: () => Promise.resolve({ io: (_url, options) => page.openSocket(options) as unknown as FeedSocket }),
    storage: page.localStorage,
    tokenStorage: page.sessionStorage,
    locks: page.locks,
    channel: page.openChannel,
    random: page.random,
    createId: () => `assessment-${Math.floor(page.random() * 2 ** 52)}`,
  });
  const watched = new Set<unknown>();
  const watch = (assessment: ReturnType<typeof client.submit>): void => {
    if (watched.has(assessment)) return;
    watched.add(assessment);
    show(toScreen(assessment.getSnapshot()));
    assessment.subscribe(() => show(toScreen(assessment.getSnapshot())));
  };
  // What a sign-out took off the page comes back with the next sign-in.
  client.subscribe(() => client.getSnapshot().assessments.forEach(watch));
  return {
    signedIn: ({ accessToken, issuedAt, lifeMs }) =>
      client.signedIn({ accessToken, expiresIn: (issuedAt + lifeMs - Date.now()) / 1_000 }),
    submit: (number = 0) => watch(client.submit({ ...answers, number })),
    resume: () => client.resume().forEach(watch),
    balance: () => void client.refreshBalance().catch(() => {}),
  };
}

function toScreen(view: AssessmentView): Screen {
  switch (view.phase) {
    case 'completed':
      return { phase: 'result', of: (view.result as { of: string }).of };
    case 'sign-in-needed':
      return { phase: 'sign-in' };
    case 'failed':
      return { phase: 'failed', because: view.error.code };
    case 'delayed':
    case 'unconfirmed':
      return { phase: 'trouble', because: view.error.code };
    default:
      return { phase: 'waiting' };
  }
}
