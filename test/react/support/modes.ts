import { configure } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, type MockInstance, vi } from 'vitest';

/** The same tests as applications run and as they are developed. React says nothing on the console in either. */
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
