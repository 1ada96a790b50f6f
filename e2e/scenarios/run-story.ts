import type { AssessmentClientOptions, AssessmentView } from 'assessment-monitor';
import type { ServerCounts } from '@assessment-monitor/backend';
import { type LeftOpen, openStage, type Stage } from './stage.ts';
import type { Story } from './stories.ts';
import type { TimelineLine } from '@assessment-monitor/demo/timeline';

/** What came of a story: judged by what the server counted and the user saw. */
export interface StoryReport {
  scenario: string;
  ok: boolean;
  outcome: AssessmentView['phase'] | 'nothing';
  states: string[];
  shownToUser: { invalidToken: number; errors: string[] };
  server: ServerCounts;
  /** Whether the job completed on the server, seen by the user or not. */
  serverHasResult: boolean;
  /** From the end of the job on the server to the result in the user's hands; null where there is no result. */
  msFromServerDoneToResult: number | null;
  leftOpen: LeftOpen;
  /** Every expectation by name, and whether it was met. */
  expectations: Record<string, boolean>;
  timeline: TimelineLine[];
}

/** Plays one story for real over loopback. Never throws: what goes wrong is in the report. */
export async function runStory(story: Story, inspect?: AssessmentClientOptions['inspect']): Promise<StoryReport> {
  const { client, ...options } = story.options ?? {};
  const stage = await openStage({ ...options, client: { ...client, ...(inspect ? { inspect } : {}) } });
  const playedToTheEnd = await story.play(stage).then(
    () => true,
    (error: unknown) => {
      stage.timeline.push({
        seconds: -1,
        tone: 'trouble',
        text: error instanceof Error ? error.message : 'the story broke off',
      });
      return false;
    },
  );
  const own = playedToTheEnd ? (story.expect?.(stage) ?? {}) : {};
  const doneToResult = msFromServerDoneToResult(stage);
  const leftOpen = await stage.close();
  const server = stage.backend.counts();
  const outcome = stage.shown.at(-1)?.phase ?? 'nothing';
  const shown = shownToUser(stage.shown);
  const expectations = {
    'played to the end': playedToTheEnd,
    [`ends ${story.ends}`]: outcome === story.ends,
    'INVALID_TOKEN was never shown': shown.invalidToken === 0,
    'no request carried a token known to be expired': server.requestsWithExpiredToken === 0,
    'submitted exactly once': server.submissionsAccepted === 1,
    'nothing was left open': Object.values(leftOpen).every((count) => count === 0),
    ...own,
  };
  return {
    scenario: story.name,
    ok: Object.values(expectations).every(Boolean),
    outcome,
    states: stage.states,
    shownToUser: shown,
    server,
    serverHasResult: stage.backend.jobs().some((job) => job.status === 'completed'),
    msFromServerDoneToResult: doneToResult,
    leftOpen,
    expectations,
    timeline: stage.timeline,
  };
}

/** What a person could have read: the error texts, and whether the forbidden word was anywhere in sight. */
function shownToUser(shown: readonly AssessmentView[]): StoryReport['shownToUser'] {
  const errors = shown.flatMap((view) => ('error' in view ? [view.error.message.en] : []));
  const isForbidden = (view: AssessmentView) => /INVALID_TOKEN|invalid or expired token/i.test(JSON.stringify(view));
  return { invalidToken: shown.filter(isForbidden).length, errors: [...new Set(errors)] };
}

function msFromServerDoneToResult(stage: Stage): number | null {
  const endedAt = stage.backend.jobs()[0]?.endedAt ?? null;
  const settled = stage.events.find((it) => it.type === 'assessment.settled' && it.outcome === 'completed');
  return endedAt === null || !settled ? null : settled.at - endedAt;
}
