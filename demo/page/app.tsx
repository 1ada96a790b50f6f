import type { Language } from 'assessment-monitor';
import { AssessmentProvider } from 'assessment-monitor/react';
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import { Details } from './details.tsx';
import { createOldRun } from './old-run.ts';
import { OldWay } from './old-way.tsx';
import { Scene } from './scene.tsx';
import { askServer, type LoggedEvent, type ServerView, type Session } from './session.ts';
import { consequencesOf } from './story.tsx';
import { UserPanel } from './user-panel.tsx';
import { sayIn } from './words.ts';

/** On the left what a user sees, here and with the old way; on the right what happens behind it, and the switches. */
export function App({ session }: { session: Session }) {
  const [language, setLanguage] = useState<Language>(() => (navigator.language.startsWith('id') ? 'id' : 'en'));
  const [signInFailed, setSignInFailed] = useState(false);
  const [oldRun] = useState(createOldRun);
  const [server, look] = useServer();
  const events = useSyncExternalStore(session.events.subscribe, session.events.getSnapshot);
  const press = useSyncExternalStore(session.presses.subscribe, session.presses.getSnapshot).at(-1);
  const consequences = consequencesOf(press, events, language);
  const isSignedIn = isSignedInAfter(events);
  const isOffline = useIsOffline() || isUnansweredAfter(events);
  const say = sayIn(language);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const signIn = () =>
    void session.signIn().then(
      () => setSignInFailed(false),
      () => setSignInFailed(true),
    );
  const { accessTokenTtlMs, jobDurationMs } = session.server.options;
  return (
    <AssessmentProvider client={session.client}>
      <header>
        <h1>{say('title')}</h1>
        <p>{say('subtitle', { token: accessTokenTtlMs / 1_000, job: jobDurationMs / 1_000 })}</p>
        <button
          type="button"
          className="quiet"
          lang={language === 'en' ? 'id' : 'en'}
          onClick={() => setLanguage(language === 'en' ? 'id' : 'en')}
        >
          {say('language')}
        </button>
      </header>
      <main className="demo" data-pointed={consequences.at(-1)?.place}>
        <div className="column">
          <UserPanel
            {...{ say, language, isSignedIn, isOffline, signIn, signInFailed }}
            onCompare={(answers) => oldRun.run(answers)}
          />
          <OldWay say={say} oldRun={oldRun} />
        </div>
        <Scene {...{ say, session, events, server, look, consequences }} />
        <Details {...{ say, language, session, events, server }} />
      </main>
    </AssessmentProvider>
  );
}

/** As the page knows it: from the last thing that was heard of the session. */
function isSignedInAfter(events: readonly LoggedEvent[]): boolean {
  const last = events.findLast(
    (it) => it.type === 'session.restored' || it.type === 'session.ended' || it.type === 'token.renewed',
  );
  return last !== undefined && last.type !== 'session.ended';
}

/** Whether the latest call brought no answer at all. */
function isUnansweredAfter(events: readonly LoggedEvent[]): boolean {
  const last = events.findLast((it) => it.type === 'request.finished');
  return last?.outcome === 'transient' && last.status === null;
}

function useIsOffline(): boolean {
  return useSyncExternalStore(watchNetwork, () => !navigator.onLine);
}
function watchNetwork(listener: () => void): () => void {
  window.addEventListener('online', listener);
  window.addEventListener('offline', listener);
  return () => {
    window.removeEventListener('online', listener);
    window.removeEventListener('offline', listener);
  };
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
