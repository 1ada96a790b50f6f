import { createAssessmentClient } from 'assessment-monitor';

const client = createAssessmentClient({ baseUrl: '' });
const [text, progress, result, action] = ['text', 'progress', 'result', 'action'].map((id) =>
  document.getElementById(id),
);

/** Your own sign-in. */
async function signIn() {
  const answer = await fetch('/api/auth/v2/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email: 'user@example.test', password: 'correct-horse' }),
  });
  const { data } = await answer.json();
  client.signedIn({ accessToken: data.idToken, expiresIn: data.expiresIn });
}

const submit = () => follow(client.submit({ assessment_data: { riasec: { realistic: 75, investigative: 85 } } }));

/** What the button says and does in each phase; none where the user has nothing to do. */
const offers = (assessment) => ({
  'sign-in-needed': ['Sign in', signIn],
  delayed: ['Keep waiting', assessment.keepWaiting],
  unconfirmed: ['Send again', assessment.sendAgain],
  completed: ['Submit again', submit],
  failed: ['Submit again', submit],
  cancelled: ['Submit again', submit],
});

function follow(assessment) {
  const show = () => {
    const view = assessment.getSnapshot();
    const [label, act] = offers(assessment)[view.phase] ?? [];
    text.textContent = view.error?.message.en ?? view.phase;
    progress.hidden = view.phase !== 'waiting';
    progress.value = view.progress.percent;
    result.textContent = view.phase === 'completed' ? JSON.stringify(view.result, null, 2) : '';
    action.hidden = !label;
    action.textContent = label ?? '';
    onAction = act ?? (() => {});
  };
  assessment.subscribe(show);
  show();
}

let onAction = async () => {
  await signIn();
  submit();
};
action.addEventListener('click', () => onAction());
// What ran before a reload.
const resumed = client.resume().at(-1);
if (resumed) follow(resumed);
