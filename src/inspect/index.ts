export { createInspector } from './inspector.ts';
export type { InspectedEvent, Inspector, InspectorOptions } from './inspector.ts';
