import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { chartDocuments, REGENERATE } from '../../scripts/chart-documents.ts';

describe('the generated documents of the chart', () => {
  let documents: Readonly<Record<string, string>>;
  beforeAll(() => {
    documents = chartDocuments();
  }, 480_000);

  it.each(['docs/assessment.mmd', 'docs/overview.mmd', 'docs/chart.md', 'README.md'])(
    '%s shows the chart as it is',
    (path) => {
      expect(
        readFileSync(path, 'utf8'),
        `the chart has changed: run "${REGENERATE}" and look at what is different`,
      ).toBe(documents[path]);
    },
  );
});
