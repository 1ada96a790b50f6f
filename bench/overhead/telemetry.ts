import type { MonitorEvent } from 'assessment-monitor';
import { toBeacon, toMeter } from 'assessment-monitor/telemetry';
import { AggregationTemporality, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { type Contestant } from '../contestants/contestant.ts';
import { ours, oursWith } from '../contestants/ours.ts';
import type { Page } from '../world/browser.ts';

/** The time between two exports of OpenTelemetry's SDK; here also between two changes of the page's visibility. */
const EXPORT_MS = 60_000;

let attachedMs = 0;
/** The time within the attachments since the last call, ms. Looking at the clock is part of it. */
export function takeAttachedMs(): number {
  const taken = attachedMs;
  attachedMs = 0;
  return taken;
}
function timed<Result>(work: () => Result): Result {
  const startedAt = performance.now();
  try {
    return work();
  } finally {
    attachedMs += performance.now() - startedAt;
  }
}

/** Calls the work every minute, for as long as the page is open. */
function everyMinute({ clock }: Page, work: () => void): void {
  const round = (): void => {
    timed(work);
    clock.setTimeout(round, EXPORT_MS);
  };
  clock.setTimeout(round, EXPORT_MS);
}

/** What an exporter does before it sends: it collects everything, and writes it as JSON. */
class JsonReader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.DELTA });
  }
  async export(): Promise<number> {
    return JSON.stringify((await this.collect()).resourceMetrics).length;
  }
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

function meterOf(page: Page): (event: MonitorEvent) => void {
  const reader = new JsonReader();
  const provider = new MeterProvider({ readers: [reader] });
  everyMinute(page, () => void reader.export());
  return toMeter(provider.getMeter('bench'));
}

function beaconOf(page: Page): (event: MonitorEvent) => void {
  const listeners: (() => void)[] = [];
  everyMinute(page, () => listeners.forEach((listener) => listener()));
  return toBeacon('/metrics/beacon', {
    navigator: { sendBeacon: () => true },
    addEventListener: (_type, listener) => void listeners.push(listener),
  });
}

const attach = (create: typeof meterOf) => (page: Page) => {
  const hear = timed(() => create(page));
  return { onEvent: (event: MonitorEvent) => timed(() => hear(event)) };
};

/** Ours with what a team may attach to its events. */
export const attachments = {
  nothing: ours,
  toMeter: oursWith('toMeter over the SDK of OpenTelemetry', attach(meterOf)),
  toBeacon: oursWith('toBeacon', attach(beaconOf)),
} satisfies Record<string, Contestant>;

export type AttachmentName = keyof typeof attachments;
