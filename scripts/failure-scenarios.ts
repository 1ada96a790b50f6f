/** A row of `docs/failure-scenarios.md`: a failure, and the test that covers it. */
export interface FailureScenario {
  /** One number or several: a test may cover scenarios of more than one list. */
  numbers: readonly string[];
  test: string;
  file: string;
}

/** The part of Vitest's JSON report that is read here. */
export interface VitestReport {
  numPassedTests: number;
  numTotalTests: number;
  success: boolean;
  testResults: readonly {
    /** Absolute path of the file. */
    name: string;
    assertionResults: readonly { fullName: string; status: string }[];
  }[];
}

/** The rows of the page, in its order. */
export function failureScenarios(page: string): FailureScenario[] {
  return [...page.matchAll(/^\| +([A-E\d ]*\d) +\| (.+?) +\| (.+?) +\| (\S+) +\|$/gm)].map(
    ([, numbers = '', , test, file]) => ({
      numbers: numbers.split(' '),
      test: test ?? '',
      file: file ?? '',
    }),
  );
}

/**
 * The scenarios without a test that ran and passed. A name on the page is a part of the test's full name; `%s` and `$name` stand for
 * any text, as in the title of a test with many cases.
 */
export function untested(scenarios: readonly FailureScenario[], report: VitestReport): FailureScenario[] {
  return scenarios.filter(({ test, file }) => {
    const parts = test.split(/%[sdifjo]|\$\w+/).map((it) => it.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`));
    const name = new RegExp(parts.join('.*'));
    return !report.testResults
      .filter((it) => it.name.endsWith(`/${file}`))
      .some(({ assertionResults }) =>
        assertionResults.some(({ fullName, status }) => status === 'passed' && name.test(fullName)),
      );
  });
}
