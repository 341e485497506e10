/**
 * The outbound client on Node's HTTP: one request, one connection, no redirects.
 *
 * The host is resolved once and every address is checked; the connection goes to a checked address while `Host` and the
 * name in TLS stay those of the URL. The time limit spans everything from the look-up to the last byte.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Clock } from '../clock.ts';
import { type Outbound, OutboundFailed, OutboundRefused, type OutboundRequest, type OutboundResponse } from '../outbound.ts';
import { Aborted, unlessAborted } from '../unless-aborted.ts';
import { type AddressGuard, AddressRefused, createAddressGuard, type GuardOptions } from './address-guard.ts';
import { checkRequest } from './check-request.ts';
import { fixedLookup } from './guarded-agents.ts';

export interface OutboundOptions extends GuardOptions {
  readonly clock: Pick<Clock, 'sleep'>;
}

/** @throws Error when an allowed range is none. */
export function createOutbound(options: OutboundOptions): Outbound {
  const guard = createAddressGuard(options);
  const closed = new AbortController();

  return {
    async send(request) {
      const url = checkRequest(request);
      if (closed.signal.aborted) throw new OutboundFailed('closed', 'the outbound client is closed');
      const done = new AbortController();
      const ended = options.clock.sleep(request.timeoutMs, done.signal).then(() => {
        throw new OutboundFailed('timeout', `${request.method} ${url.origin} had no whole answer after ${request.timeoutMs} ms`);
      });
      const answered = resolveAndSend(guard, url, request, done.signal);
      // The one that loses the race ends by itself.
      answered.catch(() => undefined);
      ended.catch(() => undefined);
      try {
        return await unlessAborted(closed.signal, Promise.race([answered, ended]));
      } catch (error) {
        if (!(error instanceof Aborted)) throw error;
        throw new OutboundFailed('closed', `${request.method} ${url.origin} was cut short: the outbound client is closed`, {
          cause: error,
        });
      } finally {
        done.abort();
      }
    },
    async close() {
      closed.abort();
    },
  };
}

async function resolveAndSend(guard: AddressGuard, url: URL, request: OutboundRequest, signal: AbortSignal): Promise<OutboundResponse> {
  try {
    const addresses = await guard.check(url.hostname);
    signal.throwIfAborted();
    const response = await sendTo(fixedLookup(addresses), url, request, signal);
    return await readResponse(response, request.responseBytesMax);
  } catch (error) {
    if (error instanceof AddressRefused) throw new OutboundRefused(error.message, { cause: error });
    if (error instanceof OutboundFailed) throw error;
    const { code = 'EPROTO', message } = error as NodeJS.ErrnoException;
    throw new OutboundFailed(code, `${request.method} ${url.origin} failed: ${message}`, { cause: error });
  }
}

function sendTo(lookup: ReturnType<typeof fixedLookup>, url: URL, request: OutboundRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const { method, body, headers } = request;
  const hasBody = body !== undefined || method === 'PUT' || method === 'POST';
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const sending = send(url, {
      method,
      headers: { ...headers, ...(hasBody ? { 'content-length': body?.length ?? 0 } : {}) },
      lookup,
      signal,
      // A connection of its own: none is used again after its address was checked long ago.
      agent: false,
    });
    sending.on('response', resolve);
    sending.on('error', reject);
    sending.end(body);
  });
}

async function readResponse(response: IncomingMessage, bytesMax: number): Promise<OutboundResponse> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of response as AsyncIterable<Uint8Array>) {
    sizeBytes += piece.length;
    if (sizeBytes > bytesMax) throw new OutboundFailed('ResponseTooLarge', `the answer has more than ${bytesMax} bytes`);
    pieces.push(piece);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
  return { status: response.statusCode ?? 0, headers, body: new Uint8Array(Buffer.concat(pieces)) };
}
