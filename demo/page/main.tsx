import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { openSession } from './session.ts';
import './style.css';

const root = createRoot(document.getElementById('root')!);
openSession().then(
  (session) =>
    root.render(
      <StrictMode>
        <App session={session} />
      </StrictMode>,
    ),
  () =>
    root.render(
      <p role="alert">The demo server does not answer. Start it again with "npm start" and reload this page.</p>,
    ),
);
