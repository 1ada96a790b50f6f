import type { AssessmentPhase, Language } from 'assessment-monitor';
import { useAssessment } from 'assessment-monitor/react';
import { createNarrator, type TimelineLine } from '../timeline.ts';
import type { LoggedEvent, Press } from './session.ts';
import type { Say, Words } from './words.ts';

/** Where on the page a consequence can be seen. */
type Place = 'token' | 'calls' | 'chart' | 'user';

export interface Consequence extends TimelineLine {
  place: Place;
}

/** So many consequences are shown; the timeline has all of them. */
const MOST = 3;

/** What has followed from the latest press, the first thing first. */
export function consequencesOf(
  press: Press | undefined,
  events: readonly LoggedEvent[],
  language: Language,
): Consequence[] {
  if (!press) return [];
  const narrate = createNarrator(press.at, language);
  return events
    .flatMap((event) =>
      narrate(event).flatMap((line) => (event.at >= press.at ? [{ ...line, place: placeOf(event) }] : [])),
    )
    .slice(0, MOST);
}

function placeOf(event: LoggedEvent): Place {
  switch (event.type) {
    case 'request.finished':
      return 'calls';
    case 'refresh.finished':
    case 'token.expiring':
    case 'token.refused':
      return 'token';
    case 'session.ended':
    case 'session.restored':
      return 'user';
    default:
      return 'chart';
  }
}

const sees: Readonly<Record<AssessmentPhase | 'idle', Words>> = {
  idle: 'seesForm',
  submitting: 'seesWaiting',
  waiting: 'seesWaiting',
  'sign-in-needed': 'seesSignIn',
  delayed: 'seesDelay',
  unconfirmed: 'seesDelay',
  completed: 'seesResult',
  failed: 'seesFailure',
  cancelled: 'seesForm',
};

interface StoryProps {
  say: Say;
  press: Press | undefined;
  consequences: readonly Consequence[];
}

/** What the visitor did, what followed from it, and what the user noticed. */
export function Story({ say, press, consequences }: StoryProps) {
  const { phase } = useAssessment();
  return (
    <section className="story" aria-label={say('story')} aria-live="polite">
      {press ? (
        <>
          <p className="did">{say(press.did, press.values)}</p>
          <ol>
            {consequences.map(({ seconds, text, tone, place }) => (
              <li key={`${seconds} ${text}`} data-tone={tone}>
                {text} <span className="place">{say(places[place])}</span>
              </li>
            ))}
            {consequences.length === 0 && press.next && <li className="hint">{say(press.next)}</li>}
          </ol>
          <p className="sees">{say(sees[phase])}</p>
        </>
      ) : (
        <p className="hint">{say('storyHint')}</p>
      )}
    </section>
  );
}

const places: Readonly<Record<Place, Words>> = {
  token: 'placeToken',
  calls: 'placeCalls',
  chart: 'placeChart',
  user: 'placeUser',
};
