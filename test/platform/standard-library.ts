import { join, relative } from 'node:path';
import ts from 'typescript';

/** One use of the standard library of the language or of the browser, by its name in the declarations of TypeScript. */
export interface Use {
  /** `structuredClone`, `Array.toSorted`, `AbortSignal.reason`. */
  name: string;
  /** `es2023`, `dom`, … */
  library: string;
  /** File and line of the first use. */
  at: string;
}

/** Every engine of the baseline has these whole. */
const COMPLETE = /^lib\.(es5|es2015|es2016|es2017|es2018|es2019|es2020)\b|^lib\.decorators/;

/** What these files use of the standard library beyond ES2020, resolved by type and not by the look of a name. */
export function usesOfTheStandardLibrary(root: string, isChecked: (file: string) => boolean): Use[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.build.json'), ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const checked = fileNames.filter((file) => isChecked(relative(root, file)));
  const program = ts.createProgram(checked, {
    ...options,
    lib: ['lib.esnext.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
  });
  const checker = program.getTypeChecker();
  const uses = new Map<string, Use>();

  const note = (symbol: ts.Symbol | undefined, node: ts.Node): void => {
    const declaration = symbol?.declarations?.[0];
    if (!symbol || !declaration || !(symbol.flags & ts.SymbolFlags.Value)) return;
    const source = declaration.getSourceFile();
    if (!program.isSourceFileDefaultLibrary(source)) return;
    // A member counts as old when any of its overloads is.
    const libraries = (symbol.declarations ?? []).map((it) => it.getSourceFile().fileName.split('/').at(-1) ?? '');
    if (libraries.some((it) => COMPLETE.test(it))) return;
    const name = qualifiedName(declaration, symbol);
    const file = node.getSourceFile();
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    const at = `${relative(root, file.fileName)}:${line + 1}`;
    if (!uses.has(name)) uses.set(name, { name, library: libraries[0]?.replace(/^lib\.|\.d\.ts$/g, '') ?? '', at });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return;
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isImportDeclaration(node)) return;
    if (ts.isObjectBindingPattern(node)) {
      const type = checker.getTypeAtLocation(node);
      for (const { name, propertyName } of node.elements) {
        const property = propertyName ?? name;
        if (ts.isIdentifier(property)) note(type.getProperty(property.text), property);
      }
    } else if (ts.isIdentifier(node) && !ts.isBindingElement(node.parent))
      note(checker.getSymbolAtLocation(node), node);
    else if (ts.isClassStaticBlockDeclaration(node))
      throw new Error(`a static block in ${node.getSourceFile().fileName}`);
    // Safari 15 has neither lookbehind nor the flags `d` and `v`.
    else if (ts.isRegularExpressionLiteral(node) && /\(\?<[=!]|\/[a-z]*[dv][a-z]*$/.test(node.text))
      throw new Error(`a new kind of expression: ${node.text} in ${node.getSourceFile().fileName}`);
    ts.forEachChild(node, visit);
  };
  for (const source of program.getSourceFiles()) if (isChecked(relative(root, source.fileName))) visit(source);
  return [...uses.values()];
}

function qualifiedName(declaration: ts.Declaration, symbol: ts.Symbol): string {
  const { parent } = declaration;
  if (ts.isInterfaceDeclaration(parent)) return `${parent.name.text}.${symbol.name}`;
  const isStatic = ts.isTypeLiteralNode(parent) && ts.isVariableDeclaration(parent.parent);
  return isStatic ? `${parent.parent.name.getText()}.${symbol.name} (static)` : symbol.name;
}
