/**
 * A digest of a text: 128 bits, as 32 hexadecimal digits. It recognises equal texts and protects nothing. `crypto.subtle` is
 * asynchronous and missing on plain http, so the digest is cyrb53 (public domain) with two seeds.
 *
 * @example
 * digestOf('a') === digestOf('a'); // true
 */
export const digestOf = (text: string): string => cyrb(text, 0) + cyrb(text, 0x9e3779b9);

function cyrb(text: string, seed: number): string {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    a = Math.imul(a ^ code, 0x9e3779b1);
    b = Math.imul(b ^ code, 0x5f356495);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}
