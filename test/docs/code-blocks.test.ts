import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import tsconfig from '../../tsconfig.json' with { type: 'json' };

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
  const nameOf = ({ document, line }: Block) => `${document.replace(/\W/g, '-')}-${line}.tsx`;
  const strangerOf = (name: string) => `${name.replace(/\W/g, '-')}.ts`;
  const files: Record<string, string> = {
    'surroundings.ts': SURROUNDINGS,
    'client.ts': CLIENT,
    ...Object.fromEntries(Object.entries(STRANGERS).map(([name, types]) => [strangerOf(name), types])),
    ...Object.fromEntries(blocks.map((block) => [nameOf(block), `${block.code}\nexport {};\n`])),
  };
  /** What the compiler says, by the name of the file. */
  const problems = new Map<string, string[]>();

  beforeAll(async () => {
    // Not beside this file: what is checked while the tests run does not find it here, and the packages are found from here.
    const folder = mkdtempSync(join(root, 'node_modules/.code-blocks-'));
    const pathsOf = Object.entries(tsconfig.compilerOptions.paths).map(([name, paths]) => [
      name,
      paths.map((path) => join(root, path)),
    ]);
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        incremental: false,
        tsBuildInfoFile: null,
        // Those of Node would be a third of the work.
        types: [],
        module: 'ESNext',
        moduleResolution: 'bundler',
        paths: {
          ...Object.fromEntries(pathsOf),
          ...Object.fromEntries(Object.keys(STRANGERS).map((name) => [name, [join(folder, strangerOf(name))]])),
        },
        noUnusedLocals: false,
        noUnusedParameters: false,
      },
      include: [],
      files: Object.keys(files),
    };
    try {
      for (const [name, text] of Object.entries({ ...files, 'tsconfig.json': JSON.stringify(config) }))
        writeFileSync(join(folder, name), text);
      for (const problem of await compile(folder)) {
        const name = Object.keys(files).find((it) => problem.startsWith(`${it}(`)) ?? 'elsewhere';
        problems.set(name, [...(problems.get(name) ?? []), problem]);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 240_000);

  it('declares what surrounds it without a mistake', () => {
    const names = new Set(blocks.map(nameOf));
    expect([...problems].filter(([name]) => !names.has(name))).toEqual([]);
  });

  it.each(blocks)('compiles in $document, line $line', (block) => {
    expect(problems.get(nameOf(block)) ?? []).toEqual([]);
  });
});

/** What the compiler says of a project, each problem with all of its lines: `main.ts(1,2): error TS2322: …`. */
function compile(folder: string): Promise<string[]> {
  const tsc = join(root, 'node_modules/typescript-7/bin/tsc');
  return new Promise((done, reject) => {
    execFile(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], { cwd: folder }, (error, output, errors) => {
      const said = output.split(/\n(?=\S)/).filter((it) => it.trim() !== '');
      if (error && said.length === 0) reject(new Error(errors, { cause: error }));
      else done(said);
    });
  });
}
