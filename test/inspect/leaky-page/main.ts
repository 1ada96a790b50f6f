import { createInspector } from 'assessment-monitor/inspect';
import { leak } from '../leaky-machine.ts';

/* An application that opens the viewer which its address names, and does everything with its secrets that ours does not. */
const viewer = new URLSearchParams(window.location.search).get('viewer') ?? '';
void leak(createInspector({ url: viewer }).inspect);
