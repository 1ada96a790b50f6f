import { useSyncExternalStore } from 'react';
import { sampleAnswers } from '../sample-answers.ts';
import type { OldRunStore } from './old-run.ts';
import type { Say } from './words.ts';

/** The failure beside its cure. */
export function OldWay({ say, oldRun }: { say: Say; oldRun: OldRunStore }) {
  const { phase, percent, message } = useSyncExternalStore(oldRun.subscribe, oldRun.getSnapshot);
  return (
    <section className="card old-way" aria-label={say('oldWay')} data-phase={phase}>
      <h2>{say('oldWay')}</h2>
      <div aria-live="polite">
        {phase === 'idle' && <p className="hint">{say('oldWayHint')}</p>}
        {phase !== 'idle' && <progress aria-label={say('oldWayProgress')} max={100} value={percent} />}
        {phase === 'running' && <p>{say('oldWayRunning', { percent })}</p>}
        {phase === 'completed' && <p>{say('oldWayLucky')}</p>}
        {phase === 'failed' && (
          <>
            <p role="alert">{message}</p>
            <p>{say('oldWayLost')}</p>
          </>
        )}
      </div>
      <button type="button" className="quiet" onClick={() => oldRun.run(sampleAnswers)}>
        {say('oldWayRun')}
      </button>
    </section>
  );
}
