import type { Language } from 'assessment-monitor';
import { AssessmentProvider } from 'assessment-monitor/react';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { EngineerPanel } from './engineer-panel.tsx';
import { OldWay } from './old-way.tsx';
import type { Session } from './session.ts';
import { UserPanel } from './user-panel.tsx';
import { sayIn } from './words.ts';

/** On the left what a user sees, on the right what happens behind it. */
export function App({ session }: { session: Session }) {
  const [language, setLanguage] = useState<Language>(() => (navigator.language.startsWith('id') ? 'id' : 'en'));
  const [signInFailed, setSignInFailed] = useState(false);
  const isSignedIn = useIsSignedIn(session);
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
      <main>
        <div className="column">
          <UserPanel {...{ say, language, isSignedIn, signIn, signInFailed }} />
          <OldWay say={say} />
        </div>
        <EngineerPanel {...{ session, say, language }} />
      </main>
    </AssessmentProvider>
  );
}

/** As the page knows it: from the last thing that was heard of the session. */
function useIsSignedIn(session: Session): boolean {
  const events = useSyncExternalStore(session.events.subscribe, session.events.getSnapshot);
  const last = events.findLast(
    (it) => it.type === 'session.restored' || it.type === 'session.ended' || it.type === 'token.renewed',
  );
  return last !== undefined && last.type !== 'session.ended';
}
