import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A WebSocket server that only receives. It collects the text of every frame with a parser of its own. */
export async function collectFrames() {
  const texts: string[] = [];
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let frame = read(bytes); frame; frame = read(bytes)) {
        texts.push(frame.text);
        bytes = bytes.subarray(frame.end);
      }
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    texts,
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The first frame, unmasked, once it is complete. */
function read(bytes: Buffer): { text: string; end: number } | null {
  if (bytes.length < 2) return null;
  const short = bytes[1]! & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + lengthBytes + 4;
  if (bytes.length < start) return null;
  const length = lengthBytes === 0 ? short : Number(BigInt(`0x${bytes.subarray(2, 2 + lengthBytes).toString('hex')}`));
  if (bytes.length < start + length) return null;
  const mask = bytes.subarray(start - 4, start);
  const content = Buffer.from(bytes.subarray(start, start + length).map((byte, at) => byte ^ mask[at % 4]!));
  return { text: content.toString(), end: start + length };
}
