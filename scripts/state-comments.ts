import { readFileSync } from 'node:fs';
import ts from 'typescript';

/**
 * What the chart says of its states, by name: the doc comments in its source. They are for people, and no page loads them.
 *
 * @example
 * stateComments('src/machines/assessment-machine.ts').get('active.polling'); // 'No feed: the status is asked for, …'
 */
export function stateComments(path: string): ReadonlyMap<string, string> {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const comments = new Map<string, string>();
  const visit = (node: ts.Node, around: readonly string[]): void => {
    if (!isProperty(node, 'states')) return ts.forEachChild(node, (child) => visit(child, around));
    for (const state of node.initializer.properties) {
      const name = [...around, nameOf(state)];
      const said = ts.getJSDocCommentsAndTags(state).map(({ comment }) => ts.getTextOfJSDocComment(comment));
      if (said.length > 0) comments.set(name.join('.'), said.join(' ').replaceAll(/\s+/g, ' '));
      ts.forEachChild(state, (child) => visit(child, name));
    }
  };
  visit(source, []);
  return comments;
}

type ObjectProperty = ts.PropertyAssignment & { initializer: ts.ObjectLiteralExpression };

const isProperty = (node: ts.Node, name: string): node is ObjectProperty =>
  ts.isPropertyAssignment(node) && ts.isObjectLiteralExpression(node.initializer) && nameOf(node) === name;
const nameOf = ({ name }: ts.ObjectLiteralElementLike): string =>
  name && (ts.isIdentifier(name) || ts.isStringLiteral(name)) ? name.text : '';
