import { useEffect, useState, useSyncExternalStore } from 'react';
import { LiveChart } from './live-chart.tsx';
import type { LoggedEvent, ServerView, Session } from './session.ts';
import { type Consequence, Story } from './story.tsx';
import { Switches } from './switches.tsx';
import type { Say } from './words.ts';

interface SceneProps {
  say: Say;
  session: Session;
  events: readonly LoggedEvent[];
  server: ServerView | null;
  look: () => void;
  consequences: readonly Consequence[];
}

/** Cause and effect on one screen: the token's life, the chart as it runs, the latest calls, the switches, and what follows from them. */
export function Scene({ say, session, events, server, look, consequences }: SceneProps) {
  const { machines } = useSyncExternalStore(session.inspected.subscribe, session.inspected.getSnapshot);
  const press = useSyncExternalStore(session.presses.subscribe, session.presses.getSnapshot).at(-1);
  const machine = machines.at(-1);
  return (
    <section className="card scene" aria-label={say('behind')}>
      <h2>{say('behind')}</h2>
      <TokenBar say={say} renewed={events.findLast((it) => it.type === 'token.renewed')} />
      <LiveChart say={say} state={machine?.state ?? 'idle'} step={machine?.step} />
      <Calls say={say} events={events} />
      {server ? (
        <Switches say={say} session={session} server={server} onChange={look} />
      ) : (
        <p className="hint" role="alert">
          {say('unreachable')}
        </p>
      )}
      <Story say={say} press={press} consequences={consequences} />
    </section>
  );
}

type Renewed = Extract<LoggedEvent, { type: 'token.renewed' }>;

function TokenBar({ say, renewed }: { say: Say; renewed: Renewed | undefined }) {
  const now = useNow(100);
  if (!renewed) return <p className="token-bar hint">{say('noToken')}</p>;
  const { generation, at } = renewed;
  const total = renewed.ttlMs ?? 1;
  const left = Math.max(0, at + (renewed.remainingMs ?? total) - now);
  const text =
    left > 0 ? say('tokenLeft', { generation, seconds: (left / 1_000).toFixed(1) }) : say('tokenDead', { generation });
  return (
    <p className="token-bar">
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

const MOST_CALLS = 8;

/** The latest calls, one mark each: refused and unanswered ones stand out. */
function Calls({ say, events }: { say: Say; events: readonly LoggedEvent[] }) {
  const calls = events.filter((it) => it.type === 'request.finished').slice(-MOST_CALLS);
  return (
    <ol className="calls" aria-label={say('calls')}>
      {calls.length === 0 && <li className="hint">{say('noCalls')}</li>}
      {calls.map(({ at, route, outcome, status, generation, ms }) => (
        <li key={`${at} ${route} ${ms}`} data-outcome={outcome} data-generation={(generation ?? 0) % 5}>
          {route} {outcome === 'ok' ? '✓' : `✕ ${status ?? ''}`}
        </li>
      ))}
    </ol>
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
