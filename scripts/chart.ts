/*
 * npm run chart: writes the generated documents of the chart. Where they differ from what is there, the chart has changed,
 * and a review sees how.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { PICTURES, picturesFile } from '../demo/chart/generate.ts';
import { chartDocuments } from './chart-documents.ts';

writeFileSync(PICTURES, await picturesFile());
for (const [path, text] of Object.entries(chartDocuments())) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  process.stdout.write(`${path}\n`);
}
