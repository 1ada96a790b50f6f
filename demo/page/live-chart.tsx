import { useSyncExternalStore } from 'react';
import { FRAME, waysTaken } from '../chart/graph.ts';
import type { Point } from '../chart/lay-out.ts';
import { pictures } from '../chart/pictures.ts';
import type { Step } from './observer.ts';
import type { Say } from './words.ts';

const short = (name: string) => name.replace(`${FRAME}.`, '');

/** The chart as it runs: the state of now lit, and the way that was taken last, with the event that took it. */
export function LiveChart({ say, state, step }: { say: Say; state: string; step: Step | undefined }) {
  const shape = useSyncExternalStore(watchWidth, shapeNow);
  const { width, height, boxes, ways } = pictures[shape];
  const taken = step ? waysTaken(ways, step.from, step.to) : [];
  const points = taken.map(({ way, isBackwards }) => (isBackwards ? way.points.toReversed() : way.points));
  return (
    <figure className="live-chart" data-shape={shape}>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`${say('chart')}: ${short(state)}`}>
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
              markerUnits="userSpaceOnUse"
              orient="auto-start-reverse"
            >
              <path d="M0,0 L8,4 L0,8 z" />
            </marker>
          ))}
        </defs>
        {Object.entries(boxes).map(([name, box]) => {
          const isFrame = name === FRAME;
          const isActive = isFrame ? state.startsWith(`${FRAME}.`) : name === state;
          return (
            <g key={name} className={isFrame ? 'frame' : 'state'} data-active={isActive}>
              <rect {...box} rx={isFrame ? 12 : 8} />
              <text
                x={isFrame ? box.x + 12 : box.x + box.width / 2}
                y={isFrame ? box.y + 18 : box.y + box.height / 2 + 4}
              >
                {short(name)}
              </text>
            </g>
          );
        })}
        {ways.map(({ from, to, isBoth, points: corners }) => (
          <path
            key={`${from} ${to}`}
            d={rounded(corners)}
            className="way"
            markerStart={isBoth ? 'url(#arrow-plain)' : undefined}
            markerEnd="url(#arrow-plain)"
          />
        ))}
        {points.map((corners) => (
          <path
            key={`taken ${corners.join(' ')}`}
            d={rounded(corners)}
            className="way"
            data-taken="true"
            markerEnd="url(#arrow-taken)"
          />
        ))}
        {step && points[0] && <EventLabel text={step.event} at={middleOf(points[0])} within={width} />}
      </svg>
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
function EventLabel({ text, at: [x, y], within }: { text: string; at: Point; within: number }) {
  const width = text.length * 6.3 + 14;
  const middle = Math.min(within - width / 2, Math.max(width / 2, x));
  return (
    <g className="event-label">
      <rect x={middle - width / 2} y={y - 9} width={width} height={18} rx="9" />
      <text x={middle} y={y + 4}>
        {text}
      </text>
    </g>
  );
}

/** px of the corners of a way. */
const RADIUS = 5;

/** A way as an SVG path with round corners. */
function rounded(corners: readonly Point[]): string {
  const towards = ([x, y]: Point, [toX, toY]: Point): Point => {
    const length = Math.hypot(toX - x, toY - y) || 1;
    const share = Math.min(RADIUS, length / 2) / length;
    return [x + (toX - x) * share, y + (toY - y) * share];
  };
  return corners
    .map((corner, index) => {
      const [before, after] = [corners[index - 1], corners[index + 1]];
      if (!before) return `M${corner.join()}`;
      if (!after) return `L${corner.join()}`;
      return `L${towards(corner, before).join()} Q${corner.join()} ${towards(corner, after).join()}`;
    })
    .join(' ');
}

/** The middle of the longest straight part. */
function middleOf(corners: readonly Point[]): Point {
  const parts = corners.slice(1).map((end, index): [Point, Point] => [corners[index] ?? end, end]);
  const [
    longest = [
      [0, 0],
      [0, 0],
    ] satisfies [Point, Point],
  ] = parts.toSorted(([a, b], [c, d]) => Math.hypot(d[0] - c[0], d[1] - c[1]) - Math.hypot(b[0] - a[0], b[1] - a[1]));
  const [[x1, y1], [x2, y2]] = longest;
  return [(x1 + x2) / 2, (y1 + y2) / 2];
}

const PHONE = '(max-width: 44rem)';
const shapeNow = () => (window.matchMedia(PHONE).matches ? 'narrow' : 'wide');
function watchWidth(listener: () => void): () => void {
  const query = window.matchMedia(PHONE);
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
}
