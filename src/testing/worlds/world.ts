/*
 * A world is plain data, so that a bad one shrinks to a short story that a person can read.
 */

/** Something that happens to a client or its server, at a moment of the story. */
export type Incident = { at: number } & (
  | {
      do:
        | 'endTokens'
        | 'restart'
        | 'dropSocket'
        | 'foreignEvents'
        | 'malformedEvents'
        | 'duplicateEvents'
        | 'staleEvents';
    }
  | { do: 'reload' | 'signOut' | 'signInAsOther' | 'cancel' | 'revoke' | 'loseRefreshAnswer' | 'loseSubmitAnswer' }
  | { do: 'outage' | 'offline' | 'serverDown' | 'silence' | 'sleep' | 'noSockets'; forMs: number }
  | { do: 'jump'; byMs: number }
);

export interface World {
  /** Of the dice that decide about latency and loss. */
  seed: number;
  tokenTtlMs: number;
  /** From acceptance to the end. */
  jobMs: number;
  jobFails: boolean;
  latencyMs: number;
  /** Share of requests that get lost, half of them before and half of them after the server did its work. 0 to 1. */
  loss: number;
  /** Whether completion events name the job; the real server's do not. */
  eventsNameJobs: boolean;
  incidents: readonly Incident[];
}

/** Nothing goes wrong, but the job outlives the token: a world to begin with. */
export const calmWorld: World = {
  seed: 1,
  tokenTtlMs: 300_000,
  jobMs: 330_000,
  jobFails: false,
  latencyMs: 200,
  loss: 0,
  eventsNameJobs: true,
  incidents: [],
};

const minutes = (ms: number): string => {
  const [whole, rest] = [Math.floor(ms / 60_000), Math.round((ms % 60_000) / 1_000)];
  return `${whole}:${String(rest).padStart(2, '0')}`;
};

/** The world in a few lines of plain words. */
export function tellStory({
  seed,
  tokenTtlMs,
  jobMs,
  jobFails,
  latencyMs,
  loss,
  eventsNameJobs,
  incidents,
}: World): string {
  const lines = [
    `A token lives ${minutes(tokenTtlMs)}, the job takes ${minutes(jobMs)} and ${jobFails ? 'fails' : 'succeeds'}.`,
    `Answers take ${latencyMs} ms, ${Math.round(loss * 100)} % get lost, events ${eventsNameJobs ? '' : 'do not '}name the job (dice: ${seed}).`,
  ];
  for (const incident of incidents.toSorted((a, b) => a.at - b.at)) {
    const span =
      'forMs' in incident
        ? ` for ${minutes(incident.forMs)}`
        : 'byMs' in incident
          ? ` by ${Math.round(incident.byMs / 1_000)} s`
          : '';
    lines.push(`  ${minutes(incident.at)}  ${incident.do}${span}`);
  }
  return lines.join('\n');
}
