import type { Log, SettingName } from '../lib/log.ts';
import { DEFAULT_MONITORING_TIMEOUT_MS, type RuntimeSettings } from './options.ts';

interface Settings {
  refresh: boolean;
  monitoringTimeoutMs: number;
}

const byDefault: Settings = { refresh: true, monitoringTimeoutMs: DEFAULT_MONITORING_TIMEOUT_MS };

/**
 * Reads the application's settings so that a defect in them changes nothing: a field that makes no sense keeps its last good value,
 * or its default, and so do both fields when the function throws. The log reports each defect once.
 */
export function createRuntimeSettings(
  read: (() => RuntimeSettings) | undefined,
  log: Log,
): { readonly [Name in keyof Settings]: () => Settings[Name] } {
  const good = { ...byDefault };
  const reported = new Set<SettingName>();
  const report = (field: SettingName): null => {
    if (!reported.has(field)) log({ type: 'settings.invalid', field });
    reported.add(field);
    return null;
  };
  const current = (): RuntimeSettings | null => {
    try {
      const settings: unknown = read?.() ?? {};
      // A promise has no fields to read, so an asynchronous function would silently mean the defaults.
      if (typeof settings === 'object' && settings !== null && !('then' in settings)) return settings;
    } catch {
      // Reported below: the reason does not matter here.
    }
    return report('settings');
  };
  const field =
    <Name extends keyof Settings>(name: Name, isGood: (value: unknown) => value is Settings[Name]) =>
    (): Settings[Name] => {
      const settings = current();
      const value = settings && (settings[name] ?? byDefault[name]);
      if (isGood(value)) good[name] = value;
      else if (settings) report(name);
      return good[name];
    };
  return {
    refresh: field('refresh', (value) => typeof value === 'boolean'),
    monitoringTimeoutMs: field(
      'monitoringTimeoutMs',
      (value): value is number => typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY,
    ),
  };
}
