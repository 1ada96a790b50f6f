import type { AssessmentStateName, Language } from 'assessment-monitor';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { createNarrator } from '../timeline.ts';
import { askServer, pull, type ServerView, type Session } from './session.ts';
import type { Say } from './words.ts';

const statesInOrder: AssessmentStateName[] = [
  'idle',
  'submitting',
  'ws-monitoring',
  'polling',
  'refreshing-token',
  'fetching-result',
  'auth-failed',
  'timed-out',
  'completed',
  'failed',
  'cancelled',
];

/** What an engineer wants to see: the token's life, the state of the chart, the server's own counts, a timeline. */
export function EngineerPanel({ session, say, language }: { session: Session; say: Say; language: Language }) {
  const events = useSyncExternalStore(session.events.subscribe, session.events.getSnapshot);
  const changes = events.filter((it) => it.type === 'state.changed');
  const state = changes.at(-1)?.to ?? 'idle';
  const renewed = events.findLast((it) => it.type === 'token.renewed');
  const narrate = createNarrator(events[0]?.at ?? 0, language);
  const lines = [...events.flatMap(narrate).entries()];

  return (
    <section className="card engineer">
      <h2>{say('behind')}</h2>

      <h3>{say('token')}</h3>
      <TokenBar say={say} renewed={renewed} />

      <h3>{say('chart')}</h3>
      <ul className="chart" aria-label={say('chart')}>
        {statesInOrder.map((name) => (
          <li
            key={name}
            aria-current={name === state ? 'step' : undefined}
            data-visited={changes.some((it) => it.to === name)}
          >
            {name}
          </li>
        ))}
      </ul>

      <h3>{say('counters')}</h3>
      <Counters say={say} />

      <p className="levers">
        <button type="button" className="quiet" onClick={() => void pull('endTokens')}>
          {say('endTokens')}
        </button>
        <button type="button" className="quiet" onClick={() => void pull('dropSockets')}>
          {say('dropSockets')}
        </button>
        <button type="button" className="quiet" onClick={() => void pull('revokeSessions')}>
          {say('revoke')}
        </button>
      </p>

      <h3>{say('timeline')}</h3>
      {lines.length === 0 && <p className="hint">{say('nothingYet')}</p>}
      <ol className="timeline" aria-label={say('timeline')}>
        {lines.toReversed().map(([id, { seconds, text, tone }]) => (
          <li key={id} data-tone={tone}>
            <time>{seconds.toFixed(1)} s</time> {text}
          </li>
        ))}
      </ol>
    </section>
  );
}

type Renewed = Extract<ReturnType<Session['events']['getSnapshot']>[number], { type: 'token.renewed' }>;

function TokenBar({ say, renewed }: { say: Say; renewed: Renewed | undefined }) {
  const now = useNow(100);
  if (!renewed) return <p className="hint">{say('noToken')}</p>;
  const { generation, at } = renewed;
  const total = renewed.ttlMs ?? 1;
  const left = Math.max(0, at + (renewed.remainingMs ?? total) - now);
  const text =
    left > 0 ? say('tokenLeft', { generation, seconds: (left / 1_000).toFixed(1) }) : say('tokenDead', { generation });
  return (
    <p>
      <meter
        aria-label={say('token')}
        min={0}
        max={total}
        low={total * 0.25}
        high={total * 0.5}
        optimum={total}
        value={left}
      />
      <span>{text}</span>
    </p>
  );
}

function Counters({ say }: { say: Say }) {
  const [server, setServer] = useState<ServerView | null>(null);
  useEffect(() => {
    let isWanted = true;
    const look = () =>
      void askServer().then(
        (view) => isWanted && setServer(view),
        () => isWanted && setServer(null),
      );
    look();
    const timer = setInterval(look, 1_000);
    return () => {
      isWanted = false;
      clearInterval(timer);
    };
  }, []);
  if (!server) return <p className="hint">{say('unreachable')}</p>;
  const { counts } = server;
  const rows = [
    ['submissions', counts.submissionsAccepted],
    ['refreshes', counts.refreshes],
    ['unauthorized', counts.unauthorizedAnswers],
    ['expired', counts.requestsWithExpiredToken],
    ['shownErrors', document.querySelector('.user')?.textContent?.includes('INVALID_TOKEN') ? 1 : 0],
  ] as const;
  return (
    <dl>
      {rows.map(([name, count]) => (
        <div key={name}>
          <dt>{say(name)}</dt>
          <dd>{count}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The wall clock, every so often. */
function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
