export { createCollector } from './collector.ts';
export type { Collector } from './collector.ts';
