/**
 * The anchor of a heading, as GitHub makes it: the documents are read there as well as on the site.
 *
 * @example
 * anchorOf('`auth.source`'); // 'authsource'
 */
export const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');
