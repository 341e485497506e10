/**
 * Stands between the server and an S3, and does to its requests what networks and overloaded services do. reliability.md §3.
 *
 * Requests are kept whole before they are passed on, so that a test can say of each whether the S3 has seen it. Headers
 * go through as they are: they are signed.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What happens to one request. */
export type Fault =
  /** The connection is reset; the S3 sees nothing. */
  | 'reset'
  /** Nothing comes back, ever; the S3 sees nothing. */
  | 'silent'
  /** 503 SlowDown; the S3 sees nothing. */
  | 'throttled'
  /** Half of the body gets through, then the connection is cut on both sides. */
  | 'body-cut'
  /** The S3 does what is asked, and its answer is lost. */
  | 'answer-lost'
  /** The answer comes, a byte each second. */
  | 'trickle';

export interface SeenRequest {
  readonly method: string;
  /** With the query, as sent. */
  readonly path: string;
  /** When it came whole, on the monotonic clock, in milliseconds. */
  readonly atMs: number;
  readonly fault: Fault | undefined;
}

const SLOW_DOWN = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>';
const TRICKLE_MS = 1_000;

export class FaultProxy {
  /** Which fault a request meets; asked once for each. */
  decide: (request: Pick<SeenRequest, 'method' | 'path'>) => Fault | undefined = () => undefined;
  /** Every request, in the order in which they came. */
  readonly seen: SeenRequest[] = [];
  readonly #target: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  private constructor(target: string) {
    this.#target = target;
  }

  /** @param target The S3, such as `http://127.0.0.1:7480`. */
  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await proxy.open();
    return proxy;
  }

  /** `http://127.0.0.1:PORT`, the same after `close` and `open`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens again, where it listened before. */
  async open(): Promise<void> {
    const server = createServer((incoming, answer) => void this.#pass(incoming, answer).catch(() => incoming.socket.destroy()));
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Cuts all connections, and refuses new ones. */
  async close(): Promise<void> {
    if (this.#server === undefined) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #pass(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const asked = { method: incoming.method!, path: incoming.url! };
    const fault = this.decide(asked);
    this.seen.push({ ...asked, atMs: performance.now(), fault });
    if (fault === 'silent') return;
    if (fault === 'reset') return void incoming.socket.resetAndDestroy();
    if (fault === 'throttled') return void answer.writeHead(503, { 'content-type': 'application/xml' }).end(SLOW_DOWN);
    const { connection: _, expect: __, ...headers } = incoming.headers;
    const onward = request(`${this.#target}${asked.path}`, { method: asked.method, headers, agent: false });
    if (fault === 'body-cut') {
      onward.on('error', () => undefined);
      onward.write(body.subarray(0, body.length / 2), () => {
        onward.destroy();
        incoming.socket.destroy();
      });
      return;
    }
    onward.end(body);
    const [response] = (await once(onward, 'response')) as [IncomingMessage];
    const back: Buffer[] = [];
    for await (const piece of response) back.push(piece as Buffer);
    if (fault === 'answer-lost') return void incoming.socket.destroy();
    answer.writeHead(response.statusCode!, withoutConnection(response.rawHeaders));
    const content = Buffer.concat(back);
    if (fault !== 'trickle') return void answer.end(content);
    answer.flushHeaders();
    for (let at = 0; at < content.length && !answer.destroyed; at++) {
      answer.write(content.subarray(at, at + 1));
      await new Promise((resolve) => setTimeout(resolve, TRICKLE_MS));
    }
    answer.end();
  }
}

/** Whether connections stay open is between the two ends of each. */
function withoutConnection(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (!/^(connection|keep-alive|transfer-encoding)$/i.test(rawHeaders[at]!)) kept.push(rawHeaders[at]!, rawHeaders[at + 1]!);
  return kept;
}
