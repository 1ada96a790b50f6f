import type { Language, ProblemDescription } from 'assessment-monitor';
import { useAssessment, useBalance } from 'assessment-monitor/react';
import { type FormEvent, useState } from 'react';
import { sampleAnswers } from '../sample-answers.ts';
import type { Answers, Report } from './session.ts';
import { type Say, scales } from './words.ts';

export interface UserPanelProps {
  say: Say;
  language: Language;
  isSignedIn: boolean;
  /** The latest call brought no answer, or the browser says that there is no network. */
  isOffline: boolean;
  signIn: () => void;
  signInFailed: boolean;
  /** The same answers go the old way as well. */
  onCompare: (answers: Answers) => void;
}

/** What an end user sees: a questionnaire, progress, a result. Nothing here knows of tokens. */
export function UserPanel(props: UserPanelProps) {
  const { say, language, isSignedIn, isOffline, signIn, signInFailed, onCompare } = props;
  const assessment = useAssessment<Answers, Report>();
  const balance = useBalance();

  const content = () => {
    switch (assessment.phase) {
      case 'idle':
        return <Questionnaire {...{ say, language, isSignedIn, signIn, onCompare }} onSubmit={assessment.submit} />;
      case 'submitting':
        return <Waiting {...{ say, isOffline }} text={say('submitting')} percent={0} onCancel={assessment.cancel} />;
      case 'waiting': {
        const { status, percent } = assessment.progress;
        // Work that has got somewhere has begun, whatever the queue says.
        const text = percent >= DONE ? 'fetching' : percent > 0 ? 'processing' : status;
        return <Waiting {...{ say, isOffline, percent }} text={say(text)} onCancel={assessment.cancel} />;
      }
      case 'sign-in-needed':
        return <Question error={assessment.error} language={language} action={say('signInAgain')} onAction={signIn} />;
      case 'delayed':
        return (
          <Question
            error={assessment.error}
            language={language}
            action={say('keepWaiting')}
            onAction={assessment.keepWaiting}
          />
        );
      case 'unconfirmed':
        return (
          <Question
            error={assessment.error}
            language={language}
            action={say('sendAgain')}
            onAction={assessment.sendAgain}
          />
        );
      case 'failed':
        return (
          <Question error={assessment.error} language={language} action={say('again')} onAction={assessment.reset} />
        );
      case 'cancelled':
        return (
          <>
            <p>{say('cancelled')}</p>
            <button type="button" onClick={assessment.reset}>
              {say('again')}
            </button>
          </>
        );
      case 'completed':
        return <ResultCard say={say} report={assessment.result} onAgain={assessment.reset} />;
    }
  };

  return (
    <section className="card user" aria-live="polite">
      {balance !== null && (
        <p className="credit">
          {say('credit')}: <strong>{balance}</strong>
        </p>
      )}
      {signInFailed && <p role="alert">{say('signInFailed')}</p>}
      {content()}
    </section>
  );
}

type QuestionnaireProps = Pick<UserPanelProps, 'say' | 'language' | 'isSignedIn' | 'signIn' | 'onCompare'> & {
  onSubmit: (answers: Answers) => void;
};

function Questionnaire({ say, language, isSignedIn, signIn, onCompare, onSubmit }: QuestionnaireProps) {
  const [riasec, setRiasec] = useState<Record<string, number>>(sampleAnswers.assessment_data.riasec);
  const answers = { ...sampleAnswers, assessment_data: { ...sampleAnswers.assessment_data, riasec } };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit(answers);
  };
  const compare = () => {
    onSubmit(answers);
    onCompare(answers);
  };
  return (
    <form onSubmit={submit}>
      <h2>{say('questionnaire')}</h2>
      {Object.entries(riasec).map(([scale, value]) => (
        <label key={scale}>
          {scales[scale]?.[language]}
          <input
            type="range"
            min={0}
            max={100}
            value={value}
            onChange={(event) => setRiasec({ ...riasec, [scale]: Number(event.target.value) })}
          />
        </label>
      ))}
      {!isSignedIn && <p className="hint">{say('signInFirst')}</p>}
      {/* One button, so that who has signed in with the keyboard still stands on it. */}
      <button type={isSignedIn ? 'submit' : 'button'} onClick={isSignedIn ? undefined : signIn}>
        {say(isSignedIn ? 'submit' : 'signIn')}
      </button>{' '}
      {isSignedIn && (
        <button type="button" className="quiet" onClick={compare}>
          {say('compare')}
        </button>
      )}
    </form>
  );
}

/** Percent. */
const DONE = 100;

type WaitingProps = Pick<UserPanelProps, 'say' | 'isOffline'> & {
  text: string;
  percent: number;
  onCancel: () => void;
};

function Waiting({ say, isOffline, text, percent, onCancel }: WaitingProps) {
  return (
    <>
      <p>{text}</p>
      <progress aria-label={say('progress')} max={100} value={percent} />
      <p className="percent">{percent} %</p>
      {isOffline && <p className="offline">{say('offline')}</p>}
      <button type="button" className="quiet" onClick={onCancel}>
        {say('cancel')}
      </button>
    </>
  );
}

interface QuestionProps {
  error: ProblemDescription;
  language: Language;
  action: string;
  onAction: () => void;
}

function Question({ error, language, action, onAction }: QuestionProps) {
  return (
    <>
      <p role="alert">{error.message[language]}</p>
      <button type="button" onClick={onAction}>
        {action}
      </button>
    </>
  );
}

function ResultCard({ say, report, onAgain }: { say: Say; report: Report; onAgain: () => void }) {
  const [career] = report.careerRecommendation;
  return (
    <article>
      <h2>{say('result')}</h2>
      <p className="archetype">{report.archetype}</p>
      <p>{report.shortSummary}</p>
      <h3>{say('strengths')}</h3>
      <ul>
        {report.strengths.map((strength) => (
          <li key={strength}>{strength}</li>
        ))}
      </ul>
      {career && (
        <>
          <h3>{say('career')}</h3>
          <p>
            <strong>{career.careerName}</strong>. {career.justification}
          </p>
        </>
      )}
      <button type="button" className="quiet" onClick={onAgain}>
        {say('again')}
      </button>
    </article>
  );
}
