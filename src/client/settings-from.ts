import type { RuntimeSettings, SettingsSource } from './options.ts';

/** What a flag evaluates to. With an `errorCode` the value is only the default. */
export interface FlagDetails<Value> {
  value: Value;
  errorCode?: string | undefined;
}

/** The part of a feature flag client that {@link settingsFrom} needs: that of OpenFeature's web SDK. */
export interface FlagClient {
  getBooleanDetails(key: string, defaultValue: boolean): FlagDetails<boolean>;
  getNumberDetails(key: string, defaultValue: number): FlagDetails<number>;
  /** `event` is a {@link FlagEvent}. An enum of the SDK has the same values, and would not fit that type. */
  addHandler(event: string, handler: () => void): void;
  removeHandler(event: string, handler: () => void): void;
}

/** The events after which a flag may have another value. */
export type FlagEvent = 'PROVIDER_READY' | 'PROVIDER_CONFIGURATION_CHANGED' | 'PROVIDER_CONTEXT_CHANGED';

const flagEvents: readonly FlagEvent[] = [
  'PROVIDER_READY',
  'PROVIDER_CONFIGURATION_CHANGED',
  'PROVIDER_CONTEXT_CHANGED',
];

/**
 * Makes a source for the option `settings` of a feature flag client, such as OpenFeature's web SDK. The flags are
 * `assessment-monitor.refresh`, `.preventiveRefresh` and `.socket` (booleans), `.pollIntervalMs` and `.monitoringTimeoutMs` (numbers).
 *
 * A flag that does not exist means the default. While the provider fails, or a flag has a value of another type, its last good value
 * counts.
 *
 * @param prefix of the flags @default 'assessment-monitor'
 * @example
 * const settings = settingsFrom(OpenFeature.getClient());
 * const client = createAssessmentClient({ baseUrl, settings });
 */
export function settingsFrom(client: FlagClient, prefix = 'assessment-monitor'): SettingsSource {
  const good: RuntimeSettings = {};
  const keep = <Name extends keyof RuntimeSettings>(
    name: Name,
    { value, errorCode }: FlagDetails<NonNullable<RuntimeSettings[Name]>>,
  ): void => {
    const isUnset = errorCode ? errorCode === 'FLAG_NOT_FOUND' : Number.isNaN(value);
    if (isUnset) delete good[name];
    else if (!errorCode) good[name] = value;
  };
  const flag = (name: string): string => `${prefix}.${name}`;

  return {
    get() {
      for (const name of ['refresh', 'preventiveRefresh', 'socket'] as const)
        keep(name, client.getBooleanDetails(flag(name), true));
      // Without a provider the default is the value: NaN tells it from a number that was set.
      for (const name of ['pollIntervalMs', 'monitoringTimeoutMs'] as const)
        keep(name, client.getNumberDetails(flag(name), Number.NaN));
      return { ...good };
    },
    subscribe(listener) {
      for (const event of flagEvents) client.addHandler(event, listener);
      return () => {
        for (const event of flagEvents) client.removeHandler(event, listener);
      };
    },
  };
}
