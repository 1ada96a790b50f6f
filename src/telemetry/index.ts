export { toBeacon } from './to-beacon.ts';
export type { BeaconPage } from './to-beacon.ts';
export { toLines } from './to-lines.ts';
export { toMeter } from './to-meter.ts';
export type { Meter } from './to-meter.ts';
export { toSentry } from './to-sentry.ts';
export type { Sentry } from './to-sentry.ts';
