import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSystemClock } from '../../src/store/disk/clock.ts';
import { createManualClock } from '../../src/store/memory/clock.ts';
import { createMemoryOutbound, type OutboundHandler } from '../../src/store/memory/outbound.ts';
import { createOutbound } from '../../src/store/net/outbound.ts';
import type { OutboundRequest } from '../../src/store/outbound.ts';
import { type Behaviour, describeOutbound } from './outbound.contract.ts';

type Seen = Pick<OutboundRequest, 'method' | 'url' | 'headers' | 'body'>;

describeOutbound('memory', async () => {
  const clock = createManualClock({ startMs: 0 });
  const seen: Seen[] = [];
  let behaviour: Behaviour = 'hang';
  let arrived: (() => void) | undefined;
  const handler: OutboundHandler = async (request) => {
    const headers = Object.fromEntries(Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
    seen.push({ ...request, headers });
    arrived?.();
    if (behaviour === 'hang') return new Promise(() => undefined);
    if (behaviour === 'break') throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    return behaviour;
  };
  return {
    outbound: createMemoryOutbound({ clock, handlers: new Map([['https://hooks.example.com', handler]]) }),
    url: 'https://hooks.example.com',
    deadUrl: 'https://dead.example.com',
    seen,
    behave: (next) => {
      behaviour = next;
    },
    arrived: () =>
      new Promise((resolve) => {
        arrived = resolve;
      }),
    pass: (ms) => clock.advance(ms),
    end: async () => undefined,
  };
});

describeOutbound('network', async () => {
  const seen: Seen[] = [];
  let behaviour: Behaviour = 'hang';
  let arrived: (() => void) | undefined;
  const server = createServer(async (request, response) => {
    const body = await readAll(request);
    const { method, url, headers } = request;
    seen.push({ method: method as Seen['method'], url: `http://${headers.host}${url}`, headers: headers as Record<string, string>, body });
    arrived?.();
    if (behaviour === 'hang') return;
    if (behaviour === 'break') return void request.socket.destroy();
    response.writeHead(behaviour.status, { ...behaviour.headers });
    response.end(behaviour.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const spare = createServer();
  await new Promise<void>((resolve) => spare.listen(0, '127.0.0.1', resolve));
  const deadPort = (spare.address() as AddressInfo).port;
  await new Promise((resolve) => spare.close(resolve));
  return {
    outbound: createOutbound({ clock: createSystemClock(), allow: ['127.0.0.1/32'] }),
    url: `http://127.0.0.1:${port}`,
    deadUrl: `http://127.0.0.1:${deadPort}`,
    seen,
    behave: (next) => {
      behaviour = next;
    },
    arrived: () =>
      new Promise((resolve) => {
        arrived = resolve;
      }),
    pass: async () => undefined,
    end: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
});

async function readAll(request: IncomingMessage): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}
