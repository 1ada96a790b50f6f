import { Assessment } from './assessment';

/** A server component. It renders the idle view; the browser then resumes what ran before. */
export default function Page() {
  return (
    <main>
      <h1>Assessment</h1>
      <Assessment answers={{ assessment_data: { riasec: { realistic: 75, investigative: 85 } } }} />
    </main>
  );
}
