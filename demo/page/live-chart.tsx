import { assessmentMachine } from 'assessment-monitor';
import { box, boxesOf, frame, places, waysOf, waysTaken } from '../chart-layout.ts';
import type { Step } from './observer.ts';
import type { Say } from './words.ts';

const ways = waysOf(assessmentMachine);
const boxes = boxesOf(assessmentMachine);

/** The chart as it runs: the state of now lit, and the way that was taken last, with the event that took it. */
export function LiveChart({ say, state, step }: { say: Say; state: string; step: Step | undefined }) {
  const taken = step ? waysTaken(ways, step.from, step.to) : [];
  const short = (name: string) => name.replace('active.', '');
  return (
    <figure className="live-chart">
      <div className="scroller" tabIndex={0} role="region" aria-label={say('chart')}>
        <svg viewBox="0 0 752 372" role="img" aria-label={`${say('chart')}: ${short(state)}`}>
          <defs>
            {['plain', 'taken'].map((tone) => (
              <marker
                key={tone}
                id={`arrow-${tone}`}
                className={tone}
                viewBox="0 0 8 8"
                refX="7"
                refY="4"
                markerWidth="7"
                markerHeight="7"
                orient="auto"
              >
                <path d="M0,0 L8,4 L0,8 z" />
              </marker>
            ))}
          </defs>
          <rect {...frame} className="frame" rx="14" data-active={state.startsWith('active.')} />
          <text x={frame.x + 14} y={frame.y + 20} className="frame-name">
            {frame.name}
          </text>
          {ways.map((way) => (
            <path
              key={`${way.from} ${way.to}`}
              d={way.path}
              className="way"
              data-taken={taken.includes(way)}
              markerEnd={`url(#arrow-${taken.includes(way) ? 'taken' : 'plain'})`}
            />
          ))}
          {boxes.map((name) => {
            const [x, y] = places[name]!;
            return (
              <g key={name} className="state" data-active={name === state}>
                <rect x={x - box.width / 2} y={y - box.height / 2} width={box.width} height={box.height} rx="9" />
                <text x={x} y={y + 4.5}>
                  {short(name)}
                </text>
              </g>
            );
          })}
          {step && taken[0] && <EventLabel text={step.event} at={taken[0].label} />}
        </svg>
      </div>
      <figcaption>
        {step ? (
          <>
            {short(step.from)} → <strong>{short(step.to)}</strong> <code>{step.event}</code>
          </>
        ) : (
          say('nothingYet')
        )}
      </figcaption>
    </figure>
  );
}

/** The event on its way. The caption says the same to those who hear the page. */
function EventLabel({ text, at: [x, y] }: { text: string; at: readonly [number, number] }) {
  const width = text.length * 6.3 + 14;
  return (
    <g className="event-label">
      <rect x={x - width / 2} y={y - 9} width={width} height={18} rx="9" />
      <text x={x} y={y + 4}>
        {text}
      </text>
    </g>
  );
}
