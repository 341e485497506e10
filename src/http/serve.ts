/**
 * The listening server: connections within limits, and an end that loses no request.
 *
 * Every limit is set: Node's defaults allow a minute for headers and any number of connections (A64). A request that
 * Node's parser refuses is answered with 400, 408 or 431 and the connection is closed (A63, A65).
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { HttpHandler } from './create-handler.ts';
import type { HttpLimits } from './limits.ts';
import type { HttpPorts } from './ports.ts';

export interface HttpServer {
  /** `http://HOST:PORT`, or `https://…`, with the port that was really taken. */
  readonly url: string;
  /** Connections open now. */
  connections(): Promise<number>;
  /**
   * Takes no more requests, lets those under way finish, and closes.
   * @param deadlineMs After it connections are cut.
   */
  close(deadlineMs: number): Promise<void>;
  /** Connections from now on are served with these. @throws Error when they are none: the old ones stay. */
  renew(tls: TlsFiles): void;
}

/** In PEM: the certificate with its chain, and its private key. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface ServeOptions {
  /** `HOST:PORT`; port 0 takes a free one, an IPv6 address stands in brackets. */
  readonly listen: string;
  readonly handler: HttpHandler;
  readonly limits: HttpLimits;
  readonly report: HttpPorts['report'];
  /** Present: TLS is served, and nothing else on this port. */
  readonly tls?: TlsFiles | undefined;
}

/** @throws Error when the address is malformed or cannot be had. */
export async function serve({ listen, handler, limits, report, tls }: ServeOptions): Promise<HttpServer> {
  const { host, port } = parseListen(listen);
  const options: ServerOptions = {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    // A long upload may take its time; `read-body.ts` sees to it that it makes progress.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
    insecureHTTPParser: false,
    requireHostHeader: true,
  };
  const server =
    tls === undefined
      ? createServer(options)
      : createTlsServer({
          ...options,
          ...tls,
          minVersion: 'TLSv1.2',
          ALPNProtocols: ['http/1.1'],
          handshakeTimeout: limits.headersTimeoutMs,
        });
  server.maxConnections = limits.connectionsMax;
  server.maxRequestsPerSocket = limits.requestsPerConnectionMax;
  server.timeout = limits.writeTimeoutMs;
  // Node would cut the rest off in silence; the handler counts them and refuses.
  server.maxHeadersCount = 0;

  /** Open connections, each with the requests on it that are not answered yet. */
  const connections = new Map<Socket, Set<ServerResponse>>();
  /** Connections that are closed with the last answer: they had their share of requests, or sent what cannot be read. */
  const spent = new WeakSet<Socket>();
  let isClosing = false;
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    connections.set(socket, new Set());
    socket.once('close', () => connections.delete(socket));
  });
  /** What TLS connections run over, also before they are any: Node's own count has them only then. */
  const carriers = new Set<Socket>();
  if (tls !== undefined)
    server.on('connection', (socket) => {
      carriers.add(socket);
      socket.once('close', () => carriers.delete(socket));
    });
  const take = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    const { socket } = request;
    const underWay = connections.get(socket);
    underWay?.add(response);
    if (isClosing) response.shouldKeepAlive = false;
    response.once('close', () => {
      underWay?.delete(response);
      const isLast = underWay?.size === 0 && (isClosing || spent.has(socket));
      // What Node still has to send on it, such as a 503 that waited for its turn, is sent first.
      if (isLast) setImmediate(() => socket.destroySoon());
    });
    if (request.httpVersionMajor !== 1) {
      response.shouldKeepAlive = false;
      response.writeHead(400).end();
      return;
    }
    // An aborted request shows where its body is read; without a listener it would end the process.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    handler.handle(request, response, { expectsContinue }).catch((error: unknown) => {
      report({ kind: 'internal', requestId: '', error });
      response.destroy();
    });
  };
  server.on('request', (request, response) => take(request, response, false));
  server.on('checkContinue', (request, response) => take(request, response, true));
  server.on('checkExpectation', (_request, response) => {
    response.shouldKeepAlive = false;
    response.writeHead(417).end();
  });
  // Nothing came and nothing went for a while. A call may take that long; a client that does not take its answers, or an
  // idle one, may not (F52).
  server.on('timeout', (socket) => {
    if (socket.writableLength > 0 || !connections.get(socket)?.size) socket.destroy();
  });
  server.on('clientError', (error, stream) => {
    const socket = stream as Socket;
    // No TLS came about: there is nothing that an answer could be sent by.
    if (tls !== undefined && !connections.has(socket)) return void socket.destroy();
    const isAnswerDue = [...(connections.get(socket) ?? [])].some(({ req, headersSent }) => req.complete || headersSent);
    // The request before what cannot be read gets its own answer, whole, and no 400 in its place or in its middle.
    if (isAnswerDue && socket.writable) spent.add(socket);
    else refuseUnparsed(error, socket);
  });
  // Node answers requests above the limit with 503 and leaves the connection open.
  server.on('dropRequest', (_request, socket) => {
    spent.add(socket as Socket);
    if (connections.get(socket as Socket)?.size === 0) setImmediate(() => (socket as Socket).destroySoon());
  });
  await listenOn(server, host, port);
  // From here on an error is one of accepting, such as EMFILE: the server goes on with the connections it has.
  server.on('error', (error) => report({ kind: 'accept-failed', error }));

  const { address, port: taken, family } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${family === 'IPv6' ? `[${address}]` : address}:${taken}`,
    connections: () => new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count)))),
    close: async (deadlineMs) => {
      isClosing = true;
      const closed = once(server, 'close');
      server.close();
      // Node does not count a connection as idle before its first request.
      for (const [socket, underWay] of connections) {
        if (underWay.size === 0) socket.destroy();
        for (const response of underWay) if (!response.headersSent) response.shouldKeepAlive = false;
      }
      const cut = setTimeout(() => {
        server.closeAllConnections();
        for (const carrier of carriers) carrier.destroy();
      }, deadlineMs);
      await closed;
      clearTimeout(cut);
      await handler.close();
    },
    renew: (renewed) => (server as TlsServer).setSecureContext({ ...renewed, minVersion: 'TLSv1.2' }),
  };
}

function parseListen(listen: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(listen);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new Error(`\`${listen}\` is no address to listen on; expected HOST:PORT, such as 127.0.0.1:4620`);
  return { host: match[1] ?? match[2]!, port };
}

async function listenOn(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'EADDRINUSE' ? 'another program listens there; stop it, or choose' : `${cause.message}; choose`;
      reject(new Error(`\`${host}:${port}\` cannot be listened on: ${reason} another address, such as --listen 127.0.0.1:0`, { cause }));
    };
    server.once('error', refuse);
    server.listen(port, host, () => {
      server.off('error', refuse);
      resolve();
    });
  });
}

/** Answers what Node's parser could not read, when there is still somebody to answer. */
function refuseUnparsed(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = STATUS_OF_PARSE_ERROR.get(error.code ?? '') ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

const STATUS_OF_PARSE_ERROR: ReadonlyMap<string, string> = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', '413 Payload Too Large'],
]);
