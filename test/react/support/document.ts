import { JSDOM } from 'jsdom';
import { vi } from 'vitest';

/*
 * A document for Node without the rest of a browser. The reference backend runs in the same process, and vitest's jsdom
 * environment replaces the Uint8Array and AbortSignal that the server needs. Import this file first.
 */
const { window } = new JSDOM('<!doctype html><body></body>', { url: 'http://localhost/' });
vi.stubGlobal('window', window);
vi.stubGlobal('document', window.document);
vi.stubGlobal('navigator', window.navigator);
