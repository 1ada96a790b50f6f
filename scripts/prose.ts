/*
 * Checks the plain-English rules of docs/style.md: comments, test names, texts in programs, and the Markdown documents. Prints
 * `file:line: "found words": what to write instead` for each violation.
 *
 *   npx tsx scripts/prose.ts              the whole repository
 *   npx tsx scripts/prose.ts src/client   some folders or files
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** A part of a file that people read, and where it starts. */
interface Passage {
  text: string;
  start: number;
}

const RULES: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [/\b(?:nobody|somebody|anybody|whoever|whomever)(?:'s)?\b/gi, 'name the component or the role'],
  [/\banew\b/gi, 'write "again"'],
  [/\bmeanwhile\b/gi, 'write "while ...", or leave it out'],
  [/\bthe \w+ of before\b/gi, 'write "previous"'],
  [/\b(?:is|are|was|were|be|been|being) told\b/gi, 'say which component reports or receives what'],
  [/\bpark(?:s|ed|ing)?\b/gi, 'write "pauses" or "paused"'],
  [/\b(?:goes|go|went|gone) on\b/gi, 'write "continues" or "resumes"'],
  [/\bwhat happens (?:to|with)\b/gi, 'name the case: "a lost answer", "when the status endpoint is wrong"'],
  [/\bwhen it pleases\b/gi, 'say when'],
  [/\blets? go (?:of|when)\b/gi, 'write "releases", "closes" or "frees"'],
];

const PLACES = [
  'src',
  'test',
  'backend',
  'e2e',
  'bench',
  'demo',
  'examples',
  'scripts',
  'docs',
  '.github',
  '.changeset',
];
const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'];
/** These two name the words that are not to be used. */
const EXEMPT = new Set(['docs/style.md', 'scripts/prose.ts']);

function filesOf(paths: readonly string[]): string[] {
  return paths
    .filter((path) => existsSync(path))
    .flatMap((path) => (statSync(path).isDirectory() ? filesIn(path) : path))
    .filter((path) => /\.(?:tsx?|mjs|md)$/.test(path) && !EXEMPT.has(path));
}

/** Without what is installed, built or generated (docs/reference): an example links to the package, and so to itself. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((it) => {
    const path = join(folder, it.name);
    if (it.isDirectory()) return ['node_modules', 'dist', 'reference'].includes(it.name) ? [] : filesIn(path);
    return path;
  });
}

/** Comments, names of tests, and texts of more than one word. In tests short texts are data, and longer ones name cases. */
function passagesOfCode(path: string, code: string): Passage[] {
  const source = ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true);
  const comments = new Map<number, number>();
  const passages: Passage[] = [];
  const isTest = path.startsWith('test/');

  const collect = (ranges: readonly ts.CommentRange[] | undefined): void => {
    for (const { pos, end } of ranges ?? []) comments.set(pos, end);
  };
  const visit = (node: ts.Node): void => {
    if (node.kind !== ts.SyntaxKind.JsxText) {
      collect(ts.getLeadingCommentRanges(code, node.getFullStart()));
      collect(ts.getTrailingCommentRanges(code, node.getEnd()));
    }
    const isText = ts.isStringLiteralLike(node) || ts.isJsxText(node) || ts.isTemplateHead(node);
    const isTextPart = isText || ts.isTemplateMiddle(node) || ts.isTemplateTail(node);
    if (isTextPart && node.text.includes(' ') && (!isTest || isTestName(node) || isSentence(node))) {
      passages.push({ text: node.getText(source), start: node.getStart(source) });
    }
    for (const child of node.getChildren(source)) visit(child);
  };
  visit(source);
  for (const [start, end] of comments) passages.push({ text: withoutCode(code.slice(start, end)), start });
  return passages;
}

/** Four words or more: the row of a table of cases, the name of a rule. */
const isSentence = ({ text }: ts.LiteralLikeNode): boolean => text.trim().split(/\s+/).length >= 4;

/** The first argument of `it`, `test` or `describe`, `.each(...)` and the like included. */
function isTestName({ parent }: ts.Node): boolean {
  const call = ts.isTemplateSpan(parent)
    ? parent.parent.parent
    : ts.isTemplateExpression(parent)
      ? parent.parent
      : parent;
  return ts.isCallExpression(call) && /^(?:it|test|describe)\b/.test(call.expression.getText());
}

/** Code in Markdown or in a comment is not prose, `@example` included. Its length is kept, so that line numbers stay right. */
function withoutCode(text: string): string {
  const code = /```.*?```|``.*?``|`[^`\n]*`|@example\n.*?(?=\n\s*\*\s*@|\*\/|$)/gs;
  return text.replace(code, (it) => it.replace(/[^\n]/g, ' '));
}

/** `what happens\n * to` is one phrase: line breaks of comments and of Markdown are read as spaces of the same length. */
const joinLines = (text: string) => text.replace(/\n[ \t]*(?:\*(?!\/)|\/\/)?/g, (gap) => ' '.repeat(gap.length));

let found = 0;
const given = process.argv.slice(2);
for (const path of filesOf(given.length > 0 ? given : [...DOCUMENTS, ...PLACES])) {
  const content = readFileSync(path, 'utf8');
  const passages = path.endsWith('.md') ? [{ text: withoutCode(content), start: 0 }] : passagesOfCode(path, content);
  const violations = passages.flatMap(({ text, start }) => {
    const joined = joinLines(text);
    return RULES.flatMap(([pattern, advice]) =>
      [...joined.matchAll(pattern)].map(({ 0: words, index }) => ({ at: start + index, words, advice })),
    );
  });
  for (const { at, words, advice } of violations.toSorted((a, b) => a.at - b.at)) {
    const line = content.slice(0, at).split('\n').length;
    process.stdout.write(`${path}:${line}: "${words.replace(/\s+/g, ' ')}": ${advice}\n`);
    found += 1;
  }
}
process.stdout.write(found === 0 ? 'plain English: no violation\n' : `plain English: ${found} violations\n`);
process.exitCode = found === 0 ? 0 : 1;
