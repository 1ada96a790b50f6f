import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createObserver } from '../page/observer.ts';
import '../page/style.css';
import { listen } from './listen.ts';
import { Viewer } from './viewer.tsx';

const observer = createObserver();
listen(observer.hear);
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Viewer observer={observer} />
  </StrictMode>,
);
