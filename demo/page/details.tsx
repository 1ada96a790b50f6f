import type { Language } from 'assessment-monitor';
import { useSyncExternalStore } from 'react';
import { createNarrator } from '../timeline.ts';
import { Sequence } from './sequence.tsx';
import type { LoggedEvent, ServerView, Session } from './session.ts';
import { Waterfall } from './waterfall.tsx';
import type { Say } from './words.ts';

interface DetailsProps {
  say: Say;
  language: Language;
  session: Session;
  events: readonly LoggedEvent[];
  server: ServerView | null;
}

/** What an engineer wants to look up: the server's counts of this visit, each request, and everything that happened. */
export function Details({ say, language, session, events, server }: DetailsProps) {
  const { told } = useSyncExternalStore(session.inspected.subscribe, session.inspected.getSnapshot);
  const shown = events.filter((it) => it.type === 'assessment.settled' && it.outcome === 'completed').length;
  const narrate = createNarrator(events[0]?.at ?? 0, language);
  const lines = [...events.flatMap(narrate).entries()];
  return (
    <div className="details">
      <section className="card" aria-label={say('counters')}>
        <h2>{say('counters')}</h2>
        {server ? <Counters say={say} server={server} shown={shown} /> : <p className="hint">{say('unreachable')}</p>}
      </section>
      <section className="card" aria-label={say('requests')}>
        <h2>{say('requests')}</h2>
        <Waterfall say={say} events={events} />
      </section>
      <section className="card" aria-label={say('timeline')}>
        <h2>{say('timeline')}</h2>
        {lines.length === 0 && <p className="hint">{say('nothingYet')}</p>}
        <ol className="timeline" aria-label={say('timeline')} tabIndex={0}>
          {lines.toReversed().map(([id, { seconds, text, tone }]) => (
            <li key={id} data-tone={tone}>
              <time>{seconds.toFixed(1)} s</time> {text}
            </li>
          ))}
        </ol>
        <details>
          <summary>{say('sequence')}</summary>
          <Sequence name={say('sequence')} told={told} />
        </details>
      </section>
    </div>
  );
}

function Counters({ say, server, shown }: { say: Say; server: ServerView; shown: number }) {
  const { visit } = server;
  const rows = [
    ['submissions', visit.submissionsAccepted],
    ['shown', shown],
    ['refreshes', visit.refreshes],
    ['unauthorized', visit.unauthorizedAnswers],
    ['expired', visit.requestsWithExpiredToken],
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
