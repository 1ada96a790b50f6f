import type { Session } from './session.ts';
import type { Say } from './words.ts';

type Logged = ReturnType<Session['events']['getSnapshot']>[number];
type Finished = Extract<Logged, { type: 'request.finished' }>;

/** The latest requests, one bar each: when, how long, and with the token of which generation. */
export function Waterfall({ say, events }: { say: Say; events: readonly Logged[] }) {
  const requests = events.filter((it): it is Finished => it.type === 'request.finished').slice(-12);
  if (requests.length === 0) return <p className="hint">{say('nothingYet')}</p>;
  const start = Math.min(...requests.map(({ at, ms }) => at - ms));
  const span = Math.max(...requests.map(({ at }) => at)) - start || 1;
  return (
    <ol className="waterfall" aria-label={say('requests')}>
      {requests.map((it) => {
        const left = ((it.at - it.ms - start) / span) * 100;
        return (
          <li key={`${it.at} ${it.route} ${it.ms}`} data-outcome={it.outcome}>
            <span>
              {it.route} {it.outcome === 'ok' ? '' : `(${it.status ?? it.outcome})`}
            </span>
            <span className="track">
              <i
                data-generation={(it.generation ?? 0) % 5}
                style={{ left: `${left}%`, width: `${(it.ms / span) * 100}%` }}
              />
            </span>
            <span>{it.generation === null ? '–' : say('tokenNumber', { generation: it.generation })}</span>
          </li>
        );
      })}
    </ol>
  );
}
