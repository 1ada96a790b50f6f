import { useState, useSyncExternalStore } from 'react';
import { LiveChart } from '../page/live-chart.tsx';
import type { Observer } from '../page/observer.ts';
import { Sequence } from '../page/sequence.tsx';
import { sayIn } from '../page/words.ts';

const say = sayIn('en');

/** The machines that are inspected: the chart of one of them, live, and beside it what its actors do. */
export function Viewer({ observer }: { observer: Observer }) {
  const { machines, told } = useSyncExternalStore(observer.subscribe, observer.getSnapshot);
  const [chosen, choose] = useState<string | null>(null);
  // The newest, until the user chooses another one.
  const shown = machines.find(({ id }) => id === chosen) ?? machines.at(-1);
  return (
    <>
      <header>
        <h1>Inspector</h1>
        <p>What is sent here is redacted and stays on this machine.</p>
      </header>
      {shown ? (
        <main className="viewer">
          <section className="card" aria-label="Machine">
            <div className="levers" role="group" aria-label="Machines">
              {machines.map(({ id, name, state }) => (
                <button
                  key={id}
                  type="button"
                  className="quiet"
                  aria-pressed={id === shown.id}
                  onClick={() => choose(id)}
                >
                  {name}: {state.replace('active.', '')}
                </button>
              ))}
            </div>
            {shown.isAssessment ? (
              <LiveChart say={say} state={shown.state} step={shown.step} />
            ) : (
              <p>
                {shown.step && `${shown.step.from} → `}
                <strong>{shown.state}</strong> <code>{shown.step?.event}</code>
              </p>
            )}
          </section>
          <section className="card" aria-label={say('sequence')}>
            <h2>{say('sequence')}</h2>
            <Sequence name={say('sequence')} told={told.filter(({ rootId }) => rootId === shown.rootId)} />
          </section>
        </main>
      ) : (
        <main className="viewer empty">
          <section className="card">
            <p>No page is inspected yet. A page opens this viewer with the first, or sends to it with the second:</p>
            <pre tabIndex={0}>
              {[window.location.origin, window.location.origin.replace('http', 'ws')].map(asOption).join('\n')}
            </pre>
          </section>
        </main>
      )}
    </>
  );
}

const asOption = (url: string): string => `const { inspect } = createInspector({ url: '${url}' });`;
