import { connect } from 'node:net';

export interface SendOptions {
  /** Resets the connection once the bytes are written, as a browser tab does that is closed. */
  cut?: boolean;
  /** After this an answer that does not come is taken for none, ms. @default 20 000 */
  patienceMs?: number;
}

/** Sends bytes as they are. @returns the first part of the answer; '' when there is none */
export function sendRaw(
  port: number,
  bytes: string | Buffer,
  { cut = false, patienceMs = 20_000 }: SendOptions = {},
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    const finish = (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(patienceMs, finish);
    socket.on('error', finish);
    socket.on('close', finish);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      finish();
    });
    socket.write(bytes, () => cut && socket.resetAndDestroy());
  });
}

/** A request with its headers; the host is the server's own unless they name one. */
export function rawRequest(
  port: number,
  target: string,
  headers: Record<string, string> = {},
  { method = 'GET', body = '' } = {},
): string {
  const all: Record<string, string> = { Host: `localhost:${port}`, ...headers };
  if (body !== '' && !('Content-Length' in all)) all['Content-Length'] = String(Buffer.byteLength(body));
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

/** The status of an answer, or 0. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);

export const upgradeHeaders = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version': '13',
};

/** A masked text frame, as a browser sends it. */
export function textFrame(text: string): Buffer {
  const content = Buffer.from(text);
  const length =
    content.length < 126
      ? Buffer.from([0x80 | content.length])
      : Buffer.from([0x80 | 126, content.length >> 8, content.length & 0xff]);
  return Buffer.concat([Buffer.from([0x81]), length, Buffer.alloc(4), content]);
}
