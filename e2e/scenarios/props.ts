import type { Stage } from './stage.ts';

/* What stories have in common: how the world is set up, and what to wait for. */

/** "The minute" between two refreshes, scaled down on both sides to stories that take seconds. */
export const SHORT_MINUTE = {
  backend: { refreshIntervalMs: 1_000 },
  client: { timings: { refreshIntervalMs: 1_000 } },
} as const;
/** The server ends the life of tokens early in most stories, so that the refresh ahead of time cannot hide the case. */
export const LONG_TOKENS = { accessTokenTtlMs: 600_000, refreshIntervalMs: SHORT_MINUTE.backend.refreshIntervalMs };
export const ENDLESS_JOB = { jobDurationMs: 600_000 };

export const state = (stage: Stage) => stage.states.at(-1);
export const phase = (stage: Stage) => stage.shown.at(-1)?.phase;
export const isOver = (stage: Stage) => ['completed', 'failed', 'cancelled'].includes(phase(stage) ?? '');
export const statusAnswered = (stage: Stage) =>
  stage.events.filter((it) => it.type === 'request.finished' && it.route === 'status').length;
export const wentThrough = (stage: Stage, ...path: string[]) =>
  ` ${stage.states.join(' ')} `.includes(` ${path.join(' ')} `);

/** Waits until a poll has been answered and the next one is being waited for. */
export const betweenPolls = async (stage: Stage): Promise<void> => {
  const before = statusAnswered(stage);
  await stage.until('another status call was answered', () => statusAnswered(stage) > before);
};
