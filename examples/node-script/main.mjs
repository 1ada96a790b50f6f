/*
 * Signs in, submits, prints the progress and the result.
 *
 *   BASE_URL=http://localhost:3000 EMAIL=user@example.test PASSWORD=... npm start
 */
import { createAssessmentClient } from 'assessment-monitor';

const { BASE_URL: baseUrl, EMAIL: email, PASSWORD: password } = process.env;
if (!baseUrl || !email || !password) throw new Error('Set BASE_URL, EMAIL and PASSWORD.');

// Without socket.io-client the script polls.
const client = createAssessmentClient({ baseUrl, socket: false });

const answer = await fetch(`${baseUrl}/api/auth/v2/login`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ email, password }),
});
if (!answer.ok) throw new Error(`The sign-in answered ${answer.status}.`);
const { data } = await answer.json();
client.signedIn({ accessToken: data.idToken, expiresIn: data.expiresIn });

const assessment = client.submit({
  assessment_name: 'From a script',
  assessment_data: { riasec: { realistic: 75, investigative: 85 } },
});
assessment.subscribe(() => {
  const { phase, progress } = assessment.getSnapshot();
  console.error(`${phase}, ${progress.percent} %`);
});

const end = await assessment.settled();
client.dispose();
if (end.phase === 'completed') console.log(JSON.stringify(end.result, null, 2));
else process.exitCode = 1;
