/*
 * The last step of `npm run build`: removes the descriptions of the chart's states from the built chart. They document the source and
 * are drawn into docs/chart.md; in a page they would cost 1.4 kB gzipped.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';

const FILE = 'dist/machines/assessment-machine.js';

const isDescription = (node: ts.Node): boolean =>
  ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) && node.name.text === 'description';

const source = ts.createSourceFile(FILE, readFileSync(FILE, 'utf8'), ts.ScriptTarget.ES2022);
const { transformed } = ts.transform(source, [
  (context) => {
    const visit = (node: ts.Node): ts.Node | undefined =>
      isDescription(node) ? undefined : ts.visitEachChild(node, visit, context);
    return (file) => ts.visitEachChild(file, visit, context);
  },
]);
for (const file of transformed) writeFileSync(FILE, ts.createPrinter().printFile(file));
