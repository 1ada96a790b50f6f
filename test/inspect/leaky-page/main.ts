import { createInspector } from 'assessment-monitor/inspect';
import { leak } from '../leaky-machine.ts';

/* An application that shows the viewer which its address names, and does everything with its secrets that ours does not. */
const wanted = new URLSearchParams(window.location.search);
const url = wanted.get('viewer') ?? '';
const iframe = wanted.has('frame') ? document.body.appendChild(document.createElement('iframe')) : undefined;
void leak(createInspector({ enabled: true, url, ...(iframe ? { iframe } : {}) }).inspect);
