import { JSDOM } from 'jsdom';
import { vi } from 'vitest';

/*
 * A document for Node, and nothing else of a browser: the reference backend runs in the same process, and vitest's jsdom
 * environment would put its own Uint8Array and AbortSignal in the place of those that the server needs. Import it first.
 */
const { window } = new JSDOM('<!doctype html><body></body>', { url: 'http://localhost/' });
vi.stubGlobal('window', window);
vi.stubGlobal('document', window.document);
vi.stubGlobal('navigator', window.navigator);
