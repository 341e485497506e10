/**
 * Limits of connections and requests, and the end of a server: rows A63 to A65, F52 and F53.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { HttpRig, RIG_KEY, RIG_REGION, type RigOptions } from '../../test/support/http-rig.ts';
import type { StreamRequest } from './ports.ts';
import { serve } from './serve.ts';
import { signRequest } from './sign-request.ts';

const rigs: HttpRig[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const rig of rigs.splice(0)) await rig.close();
});

async function start(options: RigOptions = {}): Promise<HttpRig> {
  const rig = await HttpRig.start({
    pages: new Map([['/healthz', async () => ({ status: 200, contentType: 'text/plain', body: 'ok' })]]),
    ...options,
  });
  rigs.push(rig);
  return rig;
}

async function open(rig: HttpRig): Promise<Socket> {
  const socket = connect(Number(new URL(rig.url).port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** All that the server sends until it closes the connection. */
async function readToEnd(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (piece: Buffer) => {
    text += piece.toString('latin1');
  });
  // `once` of events would reject at a reset, which is an end as well.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

async function exchange(rig: HttpRig, text: string): Promise<string> {
  const socket = await open(rig);
  socket.write(text, 'latin1');
  return readToEnd(socket);
}

const HOST = 'Host: x\r\n';
const SNOWTRAIL: RigOptions['services'] = [
  ['snowtrail', { protocol: 'snowtrail', eventSource: 'snowtrail.amazonaws.com', operations: new Map() }],
];

describe('what the parser refuses', () => {
  test.each([
    ['length and chunks at once', `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd`],
    ['a folded transfer coding', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n`],
    ['a bare line feed', `GET /healthz HTTP/1.1\n${HOST}\n\n`],
    ['no host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['HTTP/0.9', 'GET /healthz\r\n\r\n'],
    ['a header name with a blank', `GET /healthz HTTP/1.1\r\n${HOST}A b: c\r\n\r\n`],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('A63: %s gets 400 and the connection is closed', async (_, text) => {
    expect(await exchange(await start(), text)).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('A63: an upgrade is not taken up', async () => {
    expect(
      await exchange(
        await start(),
        `GET /healthz HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n`,
      ),
    ).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('A65: headers above 16 KB, or a URL of 1 MB, get 431', async () => {
    const rig = await start();
    expect(await exchange(rig, `GET /healthz HTTP/1.1\r\n${HOST}A: ${'x'.repeat(17_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await exchange(rig, `GET /${'x'.repeat(1_000_000)} HTTP/1.1\r\n${HOST}\r\n`)).toMatch(/^HTTP\/1\.1 431 |^$/);
  });

  test('A65: a thousand headers are refused, none is dropped in silence', async () => {
    const many = Array.from({ length: 1_000 }, (_, index) => `a${index}: b`).join('\r\n');
    expect(await exchange(await start(), `GET /healthz HTTP/1.1\r\n${HOST}Connection: close\r\n${many}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });

  test('an expectation other than 100-continue gets 417', async () => {
    expect(await exchange(await start(), `PUT /b/k HTTP/1.1\r\n${HOST}Expect: tea\r\nContent-Length: 1\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 417 /,
    );
  });
});

test('A63: what cannot be read after a whole request spoils no answer to that one, and closes the connection', async () => {
  const page = async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return { status: 200, contentType: 'text/plain', body: 'its own answer' };
  };
  const rig = await start({ pages: new Map([['/page', page]]) });
  const text = await exchange(rig, `GET /page HTTP/1.1\r\n${HOST}\r\n\0garbage\r\n\r\n`);
  expect(text).toMatch(/^HTTP\/1\.1 200 OK.*its own answer$/s);
});

describe('slow and greedy clients', () => {
  test('A64: headers that do not come are cut off with 408', async () => {
    const rig = await start({ limits: { headersTimeoutMs: 200 } });
    const socket = await open(rig);
    socket.write(`GET /healthz HTTP/1.1\r\n${HOST}`);
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('A64: connections beyond the limit are closed at once, and one that ends makes room', async () => {
    const rig = await start({ limits: { connectionsMax: 3 } });
    const kept = [await open(rig), await open(rig), await open(rig)];
    const fourth = await open(rig);
    expect(await readToEnd(fourth)).toBe('');
    kept[0]!.destroy();
    while ((await rig.server.connections()) >= 3) await new Promise((resolve) => setImmediate(resolve));
    expect(await exchange(rig, `GET /healthz HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)).toMatch(/200 OK/);
  });

  test('A64: a connection is closed after its share of requests', async () => {
    const rig = await start({ limits: { requestsPerConnectionMax: 2 } });
    const text = await exchange(rig, `GET /healthz HTTP/1.1\r\n${HOST}\r\n`.repeat(3));
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 503']);
  });

  /** Headers of a signed PUT of `length` bytes, of which the test sends what it likes. */
  function headersOfPut(rig: HttpRig, length: number): string {
    const { headers } = signRequest(
      { method: 'PUT', url: `${rig.url}/bucket-one/key` },
      { credentials: RIG_KEY, region: RIG_REGION, service: 's3', nowMs: Date.now(), payload: 'UNSIGNED-PAYLOAD' },
    );
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    return `PUT /bucket-one/key HTTP/1.1\r\n${lines.join('\r\n')}\r\nContent-Length: ${length}\r\n\r\n`;
  }

  test('F52: a body that stalls is cut off, however often a byte of it comes', async () => {
    const rig = await start({ limits: { bodyTimeoutMs: 300, bodyProgressBytes: 1_000 } });
    await rig.send('PUT', '/bucket-one');
    const socket = await open(rig);
    socket.write(headersOfPut(rig, 10_000_000));
    const drip = setInterval(() => socket.write('x'), 50);
    await readToEnd(socket);
    clearInterval(drip);
    expect((await rig.send('HEAD', '/bucket-one/key')).status).toBe(404);
    expect(rig.names()).toContain('PutObject:RequestTimeout');
  });

  test('F52: a client that reads nothing is disconnected', async () => {
    const rig = await start({ limits: { writeTimeoutMs: 200 } });
    await rig.send('PUT', '/bucket-one');
    await rig.send('PUT', '/bucket-one/key', { body: Buffer.alloc(40_000_000) });
    const { headers } = signRequest(
      { method: 'GET', url: `${rig.url}/bucket-one/key` },
      { credentials: RIG_KEY, region: RIG_REGION, service: 's3', nowMs: Date.now(), payload: Buffer.alloc(0) },
    );
    const socket = await open(rig);
    socket.pause();
    socket.write(
      `GET /bucket-one/key HTTP/1.1\r\n${Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}`)
        .join('\r\n')}\r\n\r\n`,
    );
    while (rig.problems.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const text = await readToEnd(socket.resume());
    expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(text.length).toBeLessThan(40_000_000);
    expect(rig.problems).toMatchObject([{ kind: 'internal', error: { message: expect.stringContaining('read nothing') } }]);
  });

  test('F52: one that asks on and on for short answers and reads none is disconnected, too', async () => {
    const body = 'x'.repeat(100_000);
    const pages: RigOptions['pages'] = new Map([['/metrics', async () => ({ status: 200, contentType: 'text/plain', body })]]);
    const rig = await start({ pages, limits: { writeTimeoutMs: 200, keepAliveMs: 60_000 } });
    const socket = await open(rig);
    socket.pause();
    socket.write(`GET /metrics HTTP/1.1\r\n${HOST}\r\n`.repeat(900));
    while ((await rig.server.connections()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('F52: a call that takes longer than a client may take to read is answered', async () => {
    const slow = async () => {
      // What is tested: three times as long as a client may take to read, by the clock of Node's own sockets. On a busy machine a
      // request comes some 100 ms after its connection, which is idle until then.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      return { status: 200, contentType: 'text/plain', body: 'at last' };
    };
    const rig = await start({ pages: new Map([['/slow', slow]]), limits: { writeTimeoutMs: 500 } });
    expect(await exchange(rig, `GET /slow HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)).toContain('at last');
  });

  test('a client that goes away in the middle of an answer is no problem of the server', async () => {
    const rig = await start();
    await rig.send('PUT', '/bucket-one');
    await rig.send('PUT', '/bucket-one/key', { body: Buffer.alloc(40_000_000) });
    const { headers } = signRequest(
      { method: 'GET', url: `${rig.url}/bucket-one/key` },
      { credentials: RIG_KEY, region: RIG_REGION, service: 's3', nowMs: Date.now(), payload: Buffer.alloc(0) },
    );
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = await open(rig);
    socket.write(`GET /bucket-one/key HTTP/1.1\r\n${lines.join('')}\r\n`);
    await once(socket, 'data');
    socket.destroy();
    while ((await rig.server.connections()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(rig.problems).toEqual([]);
  });

  test('a client that goes away in the middle of a body leaves nothing behind', async () => {
    const rig = await start();
    await rig.send('PUT', '/bucket-one');
    const socket = await open(rig);
    socket.write(`${headersOfPut(rig, 1_000_000)}${'x'.repeat(1_000)}`);
    socket.end();
    while (!rig.names().includes('PutObject:IncompleteBody')) await new Promise((resolve) => setImmediate(resolve));
    expect((await rig.send('HEAD', '/bucket-one/key')).status).toBe(404);
  });
});

describe('Expect: 100-continue', () => {
  const put = (rig: HttpRig, key: string, secret = RIG_KEY.secretAccessKey): string => {
    const { headers } = signRequest(
      { method: 'PUT', url: `${rig.url}/bucket-one/${key}` },
      {
        credentials: { ...RIG_KEY, secretAccessKey: secret },
        region: RIG_REGION,
        service: 's3',
        nowMs: Date.now(),
        payload: 'UNSIGNED-PAYLOAD',
      },
    );
    return `PUT /bucket-one/${key} HTTP/1.1\r\n${Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}`)
      .join('\r\n')}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`;
  };

  test('the body is asked for only after the signature and the bucket were found right', async () => {
    const rig = await start();
    await rig.send('PUT', '/bucket-one');
    const socket = await open(rig);
    socket.write(put(rig, 'key'));
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('hello');
    const [second] = (await once(socket, 'data')) as [Buffer];
    expect(second.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test('a refusal comes at once, without the body, and closes the connection', async () => {
    const rig = await start();
    expect(await exchange(rig, put(rig, 'key', 'wrong'))).toMatch(/^HTTP\/1\.1 403 [\s\S]*connection: close[\s\S]*SignatureDoesNotMatch/i);
    expect(await exchange(rig, put(rig, 'key'))).toMatch(/^HTTP\/1\.1 404 [\s\S]*NoSuchBucket/);
  });
});

describe('the end of a server', () => {
  test('F53: requests under way finish, new ones are not taken, idle connections are closed', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const handle = async ({ answer }: StreamRequest): Promise<void> => {
      begun();
      await held;
      answer.start(200, {});
      await answer.write('done');
    };
    const rig = await start({
      services: SNOWTRAIL,
      streams: [['POST /v1/events', { eventName: 'SubmitEvents', bodyBytesMax: 100, handle }]],
    });
    const idle = await open(rig);
    const underWay = rig.send('POST', '/v1/events', { service: 'snowtrail', body: 'x' });
    await started;
    const closed = rig.server.close(10_000);
    expect(await readToEnd(idle)).toBe('');
    await expect(fetch(`${rig.url}/healthz`)).rejects.toThrow();
    release();
    expect((await underWay).text).toBe('done');
    await closed;
    rigs.length = 0;
  });

  test('what does not end by the deadline is cut', async () => {
    let begun: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const handle = (): Promise<void> => {
      begun();
      return new Promise(() => undefined);
    };
    const rig = await start({
      services: SNOWTRAIL,
      streams: [['POST /v1/events', { eventName: 'SubmitEvents', bodyBytesMax: 100, handle }]],
    });
    const underWay = rig.send('POST', '/v1/events', { service: 'snowtrail', body: 'x' });
    const cut = expect(underWay).rejects.toThrow();
    await started;
    await rig.server.close(50);
    await cut;
    rigs.length = 0;
  });
});

describe('the address', () => {
  test.each(['127.0.0.1', ':1', '127.0.0.1:65536', '::1:1', 'a b:1x'])('`%s` is refused', async (listen) => {
    await expect(
      serve({
        listen,
        handler: { handle: async () => undefined, close: async () => undefined },
        limits: (await import('./limits.ts')).DEFAULT_LIMITS,
        report: () => undefined,
      }),
    ).rejects.toThrow(/address/);
  });

  test('a port that is taken is an error that says what to do', async () => {
    const rig = await start();
    const { DEFAULT_LIMITS } = await import('./limits.ts');
    await expect(
      serve({
        listen: `127.0.0.1:${new URL(rig.url).port}`,
        handler: { handle: async () => undefined, close: async () => undefined },
        limits: DEFAULT_LIMITS,
        report: () => undefined,
      }),
    ).rejects.toThrow(/another program listens there; stop it, or choose another address, such as --listen 127\.0\.0\.1:0/);
  });
});
