import { defer, finalize, ignoreElements, merge, NEVER, Observable, share, Subject } from 'rxjs';
import type { Clock } from '../lib/clock.ts';
import type { Log, SettingName } from '../lib/log.ts';
import { DEFAULT_MONITORING_TIMEOUT_MS, type RuntimeSettings, type SettingsSource } from './options.ts';

interface Settings {
  refresh: boolean;
  preventiveRefresh: boolean;
  socket: boolean;
  /** Null: the intervals of the option `timings`. */
  pollIntervalMs: number | null;
  monitoringTimeoutMs: number;
}
type Name = keyof Settings;

const byDefault: Settings = {
  refresh: true,
  preventiveRefresh: true,
  socket: true,
  pollIntervalMs: null,
  monitoringTimeoutMs: DEFAULT_MONITORING_TIMEOUT_MS,
};

const isBoolean = (value: unknown): boolean => typeof value === 'boolean';
const isGood: { readonly [Field in Name]: (value: unknown) => boolean } = {
  refresh: isBoolean,
  preventiveRefresh: isBoolean,
  socket: isBoolean,
  // A wrong unit must neither flood the server nor leave a finished job unseen: a wait that has begun ends within a minute or so.
  pollIntervalMs: (value) => value === null || (typeof value === 'number' && value >= 1_000 && value <= 60_000),
  monitoringTimeoutMs: (value) => typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY,
};
const names = Object.keys(byDefault) as Name[];

/** A function of the application announces no change, so it is read again after this time, ms, while an assessment is under way. */
const READ_AGAIN_MS = 10_000;

/** The settings of the application, each read at its use. */
export interface LiveSettings {
  read<Field extends Name>(name: Field): Settings[Field];
  /** The name of each setting whose value has changed since it was last read. */
  readonly changed$: Observable<Name>;
}

/**
 * Reads the application's settings so that a defect in them changes nothing: a field that makes no sense keeps its last good value,
 * or its default, and so do all fields when reading throws. The log reports each defect once.
 */
export function createRuntimeSettings(
  settings: (() => RuntimeSettings) | SettingsSource | undefined,
  log: Log,
  clock: Clock,
): LiveSettings {
  const good: Settings = { ...byDefault };
  const isRead = new Set<Name>();
  const reported = new Set<SettingName>();
  const changes = new Subject<Name>();
  const isSource = typeof settings === 'object';

  const report = (field: SettingName): void => {
    if (!reported.has(field)) log({ type: 'settings.invalid', field });
    reported.add(field);
  };
  const current = (): RuntimeSettings | null => {
    try {
      const given: unknown = (isSource ? settings.get() : settings?.()) ?? {};
      // A promise has no fields to read, so an asynchronous function would silently mean the defaults.
      if (given instanceof Promise) given.catch(() => {});
      // A copy: a getter of the application may throw.
      if (typeof given === 'object' && given !== null && !('then' in given)) {
        return Object.fromEntries(names.map((name) => [name, (given as RuntimeSettings)[name]]));
      }
    } catch {
      // Reported below: the reason does not matter here.
    }
    report('settings');
    return null;
  };
  const keep = <Field extends Name>(name: Field, value: Settings[Field]): void => {
    const isNews = isRead.has(name) && value !== good[name];
    isRead.add(name);
    good[name] = value;
    if (!isNews) return;
    log({ type: 'settings.changed', field: name });
    changes.next(name);
  };
  const read = <Field extends Name>(name: Field): Settings[Field] => {
    const given = current();
    const value: unknown = given && (given[name] ?? byDefault[name]);
    if (given === null || !isGood[name](value)) {
      if (given) report(name);
      keep(name, good[name]);
    } else keep(name, value as Settings[Field]);
    return good[name];
  };
  const readAll = (): void => names.forEach(read);

  const announced$ = new Observable<never>(() => {
    readAll();
    try {
      return isSource ? settings.subscribe(readAll) : undefined;
    } catch {
      return report('settings');
    }
  });
  const repeated$ = defer(() => {
    let timer: unknown;
    const again = (): void => {
      readAll();
      timer = clock.setTimeout(again, READ_AGAIN_MS);
    };
    again();
    return NEVER.pipe(finalize(() => clock.clearTimeout(timer)));
  });
  const watched$ = settings === undefined ? NEVER : isSource ? announced$ : repeated$;

  return { read, changed$: merge(changes, watched$.pipe(ignoreElements())).pipe(share()) };
}
