import { type FormEvent, useState } from 'react';
import { signIn } from './client';

export function SignIn({ onDone }: { onDone?: () => void }) {
  const [problem, setProblem] = useState('');
  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    try {
      await signIn(String(fields.get('email')), String(fields.get('password')));
      onDone?.();
    } catch {
      setProblem('The sign-in failed. Please try again.');
    }
  };
  return (
    <form onSubmit={(event) => void send(event)}>
      <label>
        E-mail <input name="email" type="email" autoComplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button>Sign in</button>
      {problem && <p role="alert">{problem}</p>}
    </form>
  );
}
