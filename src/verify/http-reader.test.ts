import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { HttpReader } from './http-reader.ts';

const cleanUps: (() => void)[] = [];

afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** A server that answers each request by `answer`, which gets the connection, its number and the request's head. */
async function serve(answer: (socket: Socket, connection: number, head: string) => void): Promise<HttpReader> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const connection = ++connections;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => answer(socket, connection, bytes.toString('latin1')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const reader = new HttpReader({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, timeoutMs: 2_000 });
  cleanUps.push(() => {
    reader.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return reader;
}

const text = ({ body }: { body: Uint8Array }) => Buffer.from(body).toString();

describe('HttpReader', () => {
  test('reads answers of a known length, chunked ones, and those that end with the connection', async () => {
    const answers = [
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Amz-Meta-A: b\r\n\r\nhello',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n',
      'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n',
      'HTTP/1.0 200 OK\r\n\r\nto the end',
    ];
    for (const pieceSize of [1, 7, 10_000]) {
      const reader = await serve(async (socket, _, head) => {
        const answer = answers[Number(/GET \/(\d)/.exec(head)![1])]!;
        for (let at = 0; at < answer.length; at += pieceSize) {
          socket.write(answer.slice(at, at + pieceSize));
          await new Promise((resolve) => setImmediate(resolve));
        }
        if (answer.startsWith('HTTP/1.0')) socket.end();
      });
      const first = await reader.get('/0', {}, 100);
      expect([first.status, text(first), first.headers['x-amz-meta-a']]).toEqual([200, 'hello', 'b']);
      expect(text(await reader.get('/1', {}, 100))).toBe('abc0123456789');
      expect((await reader.get('/2', {}, 100)).status).toBe(404);
      expect(text(await reader.get('/3', {}, 100))).toBe('to the end');
    }
  });

  test('keeps connections, opens more for reads side by side, and a new one where the server closed a kept one', async () => {
    const seen: number[] = [];
    const reader = await serve((socket, connection, head) => {
      seen.push(connection);
      if (head.startsWith('GET /close')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx', () => socket.destroy());
      else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx');
    });
    await reader.get('/a', {}, 10);
    await reader.get('/b', {}, 10);
    await Promise.all([reader.get('/c', {}, 10), reader.get('/d', {}, 10)]);
    expect(seen).toEqual([1, 1, 1, 2]);
    for (let time = 0; time < 5; time++) await reader.get('/close', {}, 10);
    expect(text(await reader.get('/e', {}, 10))).toBe('x');
  });

  test('refuses answers that are too large, longer than announced, cut short or not HTTP', async () => {
    const answers: readonly string[] = [
      'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhello',
      'HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nhello',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhel',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffff\r\n',
      'SSH-2.0-OpenSSH\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${'x'.repeat(70_000)}`,
      'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel',
      '',
    ];
    const reader = await serve((socket, _, head) => socket.end(answers[Number(/GET \/(\d+)/.exec(head)![1])] ?? ''));
    for (const index of answers.keys()) await expect(reader.get(`/${index}`, {}, 10), answers[index]).rejects.toThrow();
  });

  test('gives up on a server that says nothing', async () => {
    const reader = await serve(() => undefined);
    await expect(reader.get('/', {}, 10)).rejects.toThrow('no answer within 2000 ms');
  });

  test('writes no request that would be two', async () => {
    const reader = await serve((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
    await expect(reader.get('/a HTTP/1.1\r\nx: y\r\n\r\nGET /b', {}, 10)).rejects.toThrow();
    await expect(reader.get('/ä', {}, 10)).rejects.toThrow();
    expect((await reader.get('/a', { authorization: 'AWS4 x' }, 10)).status).toBe(200);
  });

  test('survives any bytes', async () => {
    let answer = new Uint8Array();
    const reader = await serve((socket) =>
      socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'), answer])),
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 30 }), async (bytes) => {
        answer = bytes;
        await reader.get('/', {}, 100).catch((error: unknown) => expect(error).toBeInstanceOf(Error));
      }),
      { numRuns: 100 },
    );
  });
});
