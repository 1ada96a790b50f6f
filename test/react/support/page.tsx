import { fireEvent, within } from '@testing-library/react';
import { useAssessment } from 'assessment-monitor/react';
import { sampleAnswers } from '../../../demo/sample-answers.ts';

export type Answers = typeof sampleAnswers;
export interface Report {
  archetype: string;
}

/** A page as an application would write it: the view, and a button for each action. */
export function Page({ id, answers = sampleAnswers }: { id?: string; answers?: Answers }) {
  const assessment = useAssessment<Answers, Report>(id);
  return (
    <section>
      <output>{assessment.phase}</output>
      {'progress' in assessment && <progress max={100} value={assessment.progress.percent} />}
      {assessment.phase === 'completed' && <article>{assessment.result.archetype}</article>}
      {'error' in assessment && <p role="alert">{assessment.error.message.en}</p>}
      <button onClick={() => assessment.submit(answers)}>submit</button>
      <button onClick={assessment.cancel}>cancel</button>
      <button onClick={assessment.keepWaiting}>keep waiting</button>
      <button onClick={assessment.sendAgain}>send again</button>
      <button onClick={assessment.reset}>reset</button>
    </section>
  );
}

/** What the user sees in the given section, or in the first one of the document. */
export const seen = (section: Element = document.body) => ({
  phase: section.querySelector('output')?.textContent,
  percent: section.querySelector('progress')?.value,
  result: section.querySelector('article')?.textContent,
  alert: section.querySelector('[role=alert]')?.textContent,
});
export const press = (name: string, section: HTMLElement = document.body) =>
  fireEvent.click(within(section).getAllByRole('button', { name })[0]!);
