import { configure } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, type MockInstance, vi } from 'vitest';

/** Runs the tests with and without StrictMode. React must print nothing in either mode. */
export function describeEachMode(tests: () => void): void {
  describe.each([
    ['in StrictMode', true],
    ['without StrictMode', false],
  ])('%s', (_, reactStrictMode) => {
    let spies: MockInstance[];
    beforeEach(() => {
      configure({ reactStrictMode });
      spies = [vi.spyOn(console, 'error'), vi.spyOn(console, 'warn')];
    });
    afterEach(() => {
      const said = spies.flatMap((spy) => spy.mock.calls);
      for (const spy of spies) spy.mockRestore();
      expect(said).toEqual([]);
    });
    tests();
  });
}
