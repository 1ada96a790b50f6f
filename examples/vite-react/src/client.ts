import { createAssessmentClient } from 'assessment-monitor';
import { createAssessmentHooks } from 'assessment-monitor/react';

export interface Answers {
  assessment_name: string;
  assessment_data: { riasec: Record<string, number> };
}

export const client = createAssessmentClient<Answers>({ baseUrl: '' });
export const { useAssessment } = createAssessmentHooks(client);

/** Your own sign-in. @throws Error when the server refuses it */
export async function signIn(email: string, password: string): Promise<void> {
  const answer = await fetch('/api/auth/v2/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });
  if (!answer.ok) throw new Error('The sign-in failed.');
  const { data } = (await answer.json()) as { data: { idToken: string; expiresIn: string } };
  client.signedIn({ accessToken: data.idToken, expiresIn: data.expiresIn });
}
