import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';

/*
 * Every block of TypeScript in the README and in docs/ compiles as it stands there, each as a module of its own. What a reader has
 * already, such as the answers, is declared here. Examples of some pages run as well, in tests of their own.
 */

const root = resolve(import.meta.dirname, '../..');

/** What the text around a block says is there. A block that declares one of these names has its own. */
const SURROUNDINGS = `
import type { AssessmentClient, FlagClient, Schema } from 'assessment-monitor';
import type { useAssessment as UseAssessment, useAssessmentSelector as UseSelector } from 'assessment-monitor/react';
import type { useEffect as UseEffect } from 'react';
declare global {
  interface Answers { assessment_name?: string }
  interface Report { archetype: string }
  interface Axios {
    (request: object): Promise<unknown>;
    interceptors: {
      request: { use(change: (request: { headers: { set(name: string, value: string): void } }) => Promise<object>): void };
      response: { use(done: undefined, failed: (error: { response?: { status: number }; config: { retried?: boolean } }) => Promise<unknown>): void };
    };
  }
  interface ImportMeta { readonly hot?: { readonly data: { client?: AssessmentClient } } }
  type Assessment = import('assessment-monitor').Assessment;
  type AssessmentClient = import('assessment-monitor').AssessmentClient;
  type Language = import('assessment-monitor').Language;
  type ProblemDescription = import('assessment-monitor').ProblemDescription;
  const accessToken: string;
  const answers: object;
  const api: Axios;
  const baseUrl: string;
  const client: AssessmentClient;
  const createAssessmentClient: typeof import('assessment-monitor').createAssessmentClient;
  const expiresIn: number;
  const flags: FlagClient;
  const memoryStore: typeof import('assessment-monitor').memoryStore;
  const openSignIn: () => void;
  const resultSchema: Schema<Report>;
  const sdk: { getIdToken(fresh: boolean): Promise<string | null> };
  const show: (what: unknown) => void;
  const SignInRequiredError: typeof import('assessment-monitor').SignInRequiredError;
  const systemClock: typeof import('assessment-monitor').systemClock;
  const useAssessment: typeof UseAssessment;
  const useAssessmentSelector: typeof UseSelector;
  const useEffect: typeof UseEffect;
}
`;

/** Packages that are not installed here, or whose own types would cost more than all of this, by the little that the examples use. */
const STRANGERS: Record<string, string> = {
  '@react-native-async-storage/async-storage': `
    declare const store: import('assessment-monitor/react-native').AsyncStorageLike;
    export default store;`,
  'react-native': `export declare const AppState: import('assessment-monitor/react-native').AppStateLike;`,
  vite: `
    interface Proxy { [path: string]: string | { target: string; ws: boolean } }
    export declare const defineConfig: (config: { plugins: object[]; server: { proxy: Proxy } }) => object;`,
  '@vitejs/plugin-react': `
    declare const plugin: () => object;
    export default plugin;`,
};
/** What a reader has made in an earlier step. */
const CLIENT = `
export declare const client: import('assessment-monitor').AssessmentClient;
export declare const signIn: (email: string, password: string) => Promise<void>;
`;

interface Block {
  document: string;
  line: number;
  code: string;
}

/** Pages whose examples run, or compile, in tests of their own. */
const checkedElsewhere = new Set(['durable.md', 'operations.md', 'testing.md', 'xstate.md', 'your-backend.md']);
const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md') && !checkedElsewhere.has(name));
const documents = ['README.md', ...pages.map((name) => `docs/${name}`)];
const blocks = documents.flatMap((document): Block[] => {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(/^```tsx?\n(.*?)^```/gms)].map(({ 1: code = '', index }) => ({
    document,
    line: text.slice(0, index).split('\n').length,
    code,
  }));
});

describe('the code of the documents', () => {
  let program: ts.Program;
  const nameOf = ({ document, line }: Block) => join(root, 'test/docs', `${document.replace(/\W/g, '-')}-${line}.tsx`);
  const strangerOf = (name: string) => join(root, 'test/docs', `${name.replace(/\W/g, '-')}.d.ts`);
  const problemsOf = (path: string): string[] => {
    const file = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(({ messageText }) =>
      ts.flattenDiagnosticMessageText(messageText, ' '),
    );
  };

  beforeAll(() => {
    const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile) as { config: object };
    const { options } = ts.parseJsonConfigFileContent(
      { ...config, include: [], files: ['src/index.ts'] },
      ts.sys,
      root,
    );
    const files = new Map([
      [join(root, 'test/docs/surroundings.d.ts'), SURROUNDINGS],
      ...Object.entries(STRANGERS).map(([name, types]): [string, string] => [strangerOf(name), types]),
      [join(root, 'test/docs/client.ts'), CLIENT],
      ...blocks.map((block): [string, string] => [nameOf(block), `${block.code}\nexport {};\n`]),
    ]);
    const compilerOptions: ts.CompilerOptions = {
      ...options,
      incremental: false,
      // Those of Node would be a third of the work.
      types: [],
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      paths: {
        ...options.paths,
        ...Object.fromEntries(Object.keys(STRANGERS).map((name) => [name, [strangerOf(name)]])),
      },
      noUnusedLocals: false,
      noUnusedParameters: false,
    };
    delete compilerOptions.tsBuildInfoFile;
    const host = ts.createCompilerHost(compilerOptions);
    const { fileExists, getSourceFile } = host;
    host.fileExists = (path) => files.has(path) || fileExists(path);
    host.getSourceFile = (path, version) => {
      const text = files.get(path);
      return text === undefined ? getSourceFile(path, version) : ts.createSourceFile(path, text, version);
    };
    program = ts.createProgram([...files.keys()], compilerOptions, host);
  }, 120_000);

  it('declares what surrounds it without a mistake', () => {
    const paths = [join(root, 'test/docs/surroundings.d.ts'), ...Object.keys(STRANGERS).map(strangerOf)];
    expect(paths.flatMap(problemsOf)).toEqual([]);
  });

  it.each(blocks)('compiles in $document, line $line', { timeout: 60_000 }, (block) => {
    expect(problemsOf(nameOf(block))).toEqual([]);
  });
});
