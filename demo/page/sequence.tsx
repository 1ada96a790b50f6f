import type { Told } from './observer.ts';

/** Which actor began and which event it got, the latest first. */
export function Sequence({ name, told }: { name: string; told: readonly Told[] }) {
  return (
    <ol className="timeline" aria-label={name} tabIndex={0}>
      {told.toReversed().map(({ key, at, who, what }) => (
        <li key={key}>
          <time>{new Date(at).toISOString().slice(14, 23)}</time>
          <span>
            {who} <code>{what}</code>
          </span>
        </li>
      ))}
    </ol>
  );
}
