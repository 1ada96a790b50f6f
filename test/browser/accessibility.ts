import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** What keeps a user out: each rule of axe with the places that break it, and whether one has to scroll sideways. */
export async function barriers(page: Page): Promise<string[]> {
  // Not as a script of the page: its policy may allow none but its own.
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    // Not the import: this runs in the page.
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run();
    const found = violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth > clientWidth ? [...found, `wider than the screen: ${scrollWidth} > ${clientWidth}`] : found;
  });
}
