import type { Language } from 'assessment-monitor';
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import { createNarrator } from '../timeline.ts';
import { LiveChart } from './live-chart.tsx';
import { Sequence } from './sequence.tsx';
import { askServer, type ServerView, type Session } from './session.ts';
import { Switches } from './switches.tsx';
import { Waterfall } from './waterfall.tsx';
import type { Say } from './words.ts';

/** What an engineer wants to see: the token's life, the state of the chart, the server's own counts, a timeline. */
export function EngineerPanel({ session, say, language }: { session: Session; say: Say; language: Language }) {
  const events = useSyncExternalStore(session.events.subscribe, session.events.getSnapshot);
  const { machines, told } = useSyncExternalStore(session.inspected.subscribe, session.inspected.getSnapshot);
  const [server, look] = useServer();
  const machine = machines.at(-1);
  const shown = events.filter((it) => it.type === 'assessment.settled' && it.outcome === 'completed').length;
  const renewed = events.findLast((it) => it.type === 'token.renewed');
  const narrate = createNarrator(events[0]?.at ?? 0, language);
  const lines = [...events.flatMap(narrate).entries()];

  return (
    <section className="card engineer">
      <h2>{say('behind')}</h2>

      <h3>{say('token')}</h3>
      <TokenBar say={say} renewed={renewed} />

      <h3>{say('chart')}</h3>
      <LiveChart say={say} state={machine?.state ?? 'idle'} step={machine?.step} />
      <details>
        <summary>{say('sequence')}</summary>
        <Sequence name={say('sequence')} told={told} />
      </details>

      <h3>{say('requests')}</h3>
      <Waterfall say={say} events={events} />

      <h3>{say('counters')}</h3>
      {server ? (
        <>
          <Counters say={say} server={server} shown={shown} />
          <h3>{say('switches')}</h3>
          <Switches say={say} server={server} onChange={look} />
        </>
      ) : (
        <p className="hint">{say('unreachable')}</p>
      )}

      <h3>{say('timeline')}</h3>
      {lines.length === 0 && <p className="hint">{say('nothingYet')}</p>}
      <ol className="timeline" aria-label={say('timeline')} tabIndex={0}>
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

/** The server's own view, every second and when asked for; null while it does not answer. */
function useServer(): [ServerView | null, look: () => void] {
  const [server, setServer] = useState<ServerView | null>(null);
  const look = useCallback(
    () =>
      void askServer().then(setServer, () => {
        setServer(null);
      }),
    [],
  );
  useEffect(() => {
    look();
    const timer = setInterval(look, 1_000);
    return () => clearInterval(timer);
  }, [look]);
  return [server, look];
}

function Counters({ say, server, shown }: { say: Say; server: ServerView; shown: number }) {
  const { counts } = server;
  const rows = [
    ['submissions', counts.submissionsAccepted],
    ['shown', shown],
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
