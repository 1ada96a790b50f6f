export { createInspector } from './inspector.ts';
export { redactEvent } from './redact.ts';
export type { InspectedEvent, Inspector, InspectorOptions } from './inspector.ts';
