/**
 * GETs from one HTTP/1.1 endpoint over kept connections, with as little work for each as possible.
 *
 * Verifying a bucket means thousands of small reads, and Node's own client costs three times as much for each: on a
 * nearby endpoint that is most of the time. It does this one thing: no redirects, no compression, no proxies; the caller
 * signs. The server is untrusted: header and body are limited, and what is not plain HTTP ends the connection.
 * Source: RFC 9112.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AnswerTooLarge, type S3Response } from './bucket-source.ts';

const HEADER_BYTES_MAX = 65_536;
const HEADER_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');

export interface HttpReaderOptions {
  /** `http://HOST:PORT` or `https://HOST[:PORT]`; a path in it is of no account. */
  readonly url: string;
  /** Longest silence of the server before a read fails. */
  readonly timeoutMs?: number;
}

export class HttpReader {
  readonly #url: URL;
  readonly #timeoutMs: number;
  /** Connections without a read under way, used last in, first out. */
  readonly #idle: Connection[] = [];

  constructor({ url, timeoutMs = 60_000 }: HttpReaderOptions) {
    this.#url = new URL(url);
    if (this.#url.protocol !== 'http:' && this.#url.protocol !== 'https:') throw new Error(`\`${url}\` is neither http nor https`);
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @param target Path and query, encoded.
   * @param headers Beside `host`; names and values as they go on the wire.
   * @param bytesMax Most bytes of body.
   * @throws AnswerTooLarge when there are more; another Error when there is no whole answer.
   */
  async get(target: string, headers: Readonly<Record<string, string>>, bytesMax: number): Promise<S3Response> {
    const lines = Object.entries({ host: this.#url.host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
    if (/[^\t\r\n\x20-\x7e]|\r(?!\n)/.test(head) || /[\r\n ]/.test(target))
      throw new Error('a request is written in ASCII, without line ends in it');
    for (;;) {
      const kept = this.#idle.pop();
      const connection = kept ?? new Connection(this.#open(), () => this.#forget(connection));
      try {
        const response = await connection.read(head, bytesMax);
        if (connection.isOpen) this.#idle.push(connection);
        return response;
      } catch (error) {
        connection.close();
        // The server may close a kept connection at any time; a new one then does.
        if (kept === undefined || !connection.isUnanswered) throw error;
      }
    }
  }

  /** Ends all connections. Reads under way fail. */
  close(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  #open(): Socket {
    const { hostname, port, protocol } = this.#url;
    const host = hostname.replace(/^\[|\]$/g, '');
    const socket =
      protocol === 'https:'
        ? connectTls({ host, port: Number(port || 443), servername: host, ALPNProtocols: ['http/1.1'] })
        : connect({ host, port: Number(port || 80) });
    socket.setNoDelay(true);
    socket.setTimeout(this.#timeoutMs, () => socket.destroy(new Error(`no answer within ${this.#timeoutMs} ms`)));
    return socket;
  }

  #forget(connection: Connection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}

interface Reading {
  readonly bytesMax: number;
  readonly resolve: (response: S3Response) => void;
  readonly reject: (error: Error) => void;
}

interface Head {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** Of the body; `chunked`, or up to the end of the connection. */
  readonly length: number | 'chunked' | 'to-end';
}

class Connection {
  readonly #socket: Socket;
  #reading: Reading | undefined;
  /** Bytes received and not used, in pieces: they are joined only when something can be read from them. */
  #pieces: Buffer[] = [];
  #size = 0;
  #head: Head | undefined;
  /** Size at which it is worth looking again. */
  #needed = 0;
  #isClosed = false;
  /** The last read got not a single byte. */
  isUnanswered = true;

  constructor(socket: Socket, onClose: () => void) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => {
      this.#isClosed = true;
      onClose();
      if (this.#head?.length === 'to-end') this.#done(this.#joined());
      else this.#fail(new Error('the server closed the connection'));
    });
  }

  get isOpen(): boolean {
    return !this.#isClosed;
  }

  read(head: string, bytesMax: number): Promise<S3Response> {
    this.isUnanswered = true;
    // A kept connection alone does not keep the process.
    this.#socket.ref();
    return new Promise((resolve, reject) => {
      this.#reading = { bytesMax, resolve, reject };
      if (this.#isClosed) this.#fail(new Error('the server closed the connection'));
      else this.#socket.write(head, 'latin1');
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    if (this.#reading === undefined) {
      // Nothing was asked.
      this.close();
      return;
    }
    this.isUnanswered = false;
    this.#pieces.push(bytes);
    this.#size += bytes.length;
    if (this.#size < this.#needed) return;
    try {
      if (this.#head === undefined) this.#readHead();
      if (this.#head !== undefined) this.#readBody(this.#head, this.#reading.bytesMax);
    } catch (error) {
      this.#fail(error as Error);
      this.close();
    }
  }

  #readHead(): void {
    for (;;) {
      const whole = this.#joined();
      const end = whole.indexOf(HEADER_END);
      if (end < 0) {
        if (whole.length > HEADER_BYTES_MAX) throw new Error('the head of the answer is too long');
        return;
      }
      const head = parseHead(whole.toString('latin1', 0, end));
      this.#pieces = [whole.subarray(end + HEADER_END.length)];
      this.#size = whole.length - end - HEADER_END.length;
      // 1xx announce the answer proper.
      if (head.status >= 200) {
        this.#head = head;
        return;
      }
    }
  }

  #readBody({ length }: Head, bytesMax: number): void {
    if (length === 'to-end') {
      if (this.#size > bytesMax) throw new AnswerTooLarge('the answer is too large');
    } else if (length === 'chunked') {
      const body = parseChunked(this.#joined(), bytesMax);
      if (body !== undefined) this.#done(body);
    } else {
      if (length > bytesMax) throw new AnswerTooLarge('the answer is too large');
      this.#needed = length;
      if (this.#size > length) throw new Error('the server sent more than it announced');
      if (this.#size === length) this.#done(this.#joined());
    }
  }

  #joined(): Buffer {
    if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0]!;
  }

  #done(body: Buffer): void {
    const { status, headers } = this.#head!;
    const reading = this.#reading;
    this.#reset();
    this.#socket.unref();
    if (headers['connection']?.toLowerCase() === 'close') this.close();
    reading?.resolve({ status, headers, body });
  }

  #fail(error: Error): void {
    const reading = this.#reading;
    this.#reset();
    reading?.reject(error);
  }

  #reset(): void {
    this.#reading = undefined;
    this.#head = undefined;
    this.#pieces = [];
    this.#size = 0;
    this.#needed = 0;
  }
}

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.[01] ([1-5][0-9]{2})(?: |$)/.exec(first)?.[1];
  if (status === undefined) throw new Error('the answer is not HTTP/1.1');
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) throw new Error('the head of the answer has a line that is no header');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return { status: Number(status), headers, length: lengthOf(Number(status), headers) };
}

function lengthOf(status: number, headers: Readonly<Record<string, string>>): Head['length'] {
  if (status < 200 || status === 204 || status === 304) return 0;
  const [encoding, length] = [headers['transfer-encoding'], headers['content-length']];
  if (encoding !== undefined) {
    // Both at once is how two readers come to see two answers.
    if (encoding.toLowerCase() !== 'chunked' || length !== undefined) throw new Error('the answer has an unknown transfer encoding');
    return 'chunked';
  }
  if (length === undefined) return 'to-end';
  if (!/^[0-9]{1,15}$/.test(length)) throw new Error('the answer has a length that is none');
  return Number(length);
}

/** The body of a chunked answer; `undefined` while it is not whole. */
function parseChunked(bytes: Buffer, bytesMax: number): Buffer | undefined {
  const chunks: Buffer[] = [];
  let total = 0;
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf(LINE_END, at);
    if (lineEnd < 0) {
      if (bytes.length - at > 1024) throw new Error('the answer has a chunk without a size');
      return undefined;
    }
    const size = /^([0-9a-fA-F]{1,8})[ \t]*(?:;|$)/.exec(bytes.toString('latin1', at, lineEnd))?.[1];
    if (size === undefined) throw new Error('the answer has a chunk without a size');
    const length = Number.parseInt(size, 16);
    total += length;
    if (total > bytesMax) throw new AnswerTooLarge('the answer is too large');
    const from = lineEnd + LINE_END.length;
    if (length === 0) {
      const end = bytes.indexOf(LINE_END, from);
      if (end < 0) return undefined;
      // Trailers are not asked for, hence refused.
      if (end !== from || end + LINE_END.length !== bytes.length) throw new Error('the answer goes on after its last chunk');
      return Buffer.concat(chunks);
    }
    const to = from + length;
    if (bytes.length < to + LINE_END.length) return undefined;
    if (bytes.indexOf(LINE_END, to) !== to) throw new Error('the answer has a chunk that is longer than its size');
    chunks.push(bytes.subarray(from, to));
    at = to + LINE_END.length;
  }
}
