import { useState } from 'react';
import { type Answers, useAssessment } from './client';
import { SignIn } from './sign-in';

const answers: Answers = {
  assessment_name: 'An example',
  assessment_data: { riasec: { realistic: 75, investigative: 85 } },
};

export function App() {
  const assessment = useAssessment();
  const [isSignedIn, setSignedIn] = useState(false);

  switch (assessment.phase) {
    case 'idle':
      if (!isSignedIn) return <SignIn onDone={() => setSignedIn(true)} />;
      return <button onClick={() => assessment.submit(answers)}>Submit</button>;
    case 'submitting':
    case 'waiting':
      return (
        <label>
          Your answers are being analysed. <progress max={100} value={assessment.progress.percent} />
        </label>
      );
    case 'sign-in-needed':
      return (
        <>
          <p role="alert">{assessment.error.message.en}</p>
          <SignIn />
        </>
      );
    case 'delayed':
      return (
        <>
          <p role="status">{assessment.error.message.en}</p>
          <button onClick={assessment.keepWaiting}>Keep waiting</button>
        </>
      );
    case 'unconfirmed':
      return (
        <>
          <p role="alert">{assessment.error.message.en}</p>
          <button onClick={assessment.sendAgain}>Send again</button>
          <button onClick={assessment.cancel}>Do not send</button>
        </>
      );
    case 'failed':
      return (
        <>
          <p role="alert">{assessment.error.message.en}</p>
          <button onClick={assessment.reset}>Back to the form</button>
        </>
      );
    case 'cancelled':
      return <button onClick={assessment.reset}>Start again</button>;
    case 'completed':
      return <pre>{JSON.stringify(assessment.result, null, 2)}</pre>;
  }
}
