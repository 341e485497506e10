/**
 * The outbound client without a network: hosts are functions. The reference of the contract, and what simulations run on.
 *
 * It refuses what the real one refuses; names resolve by a table, so that a test can say where a name leads.
 */
import type { Clock } from '../clock.ts';
import { type AddressGuard, AddressRefused, type CheckedAddress, createAddressGuard } from '../net/address-guard.ts';
import { checkRequest } from '../net/check-request.ts';
import { type Outbound, OutboundFailed, OutboundRefused, type OutboundRequest, type OutboundResponse } from '../outbound.ts';

/** Answers a request; throwing breaks the connection, with the error's `code`. */
export type OutboundHandler = (request: OutboundRequest, signal: AbortSignal) => Promise<OutboundResponse>;

export interface MemoryOutboundOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  /** By origin, such as `https://hooks.example.com` or `http://10.0.0.1:8080`. May change at any time. */
  readonly handlers: ReadonlyMap<string, OutboundHandler>;
  /** Addresses of names. A name that is not in it has the public address 192.0.1.1. */
  readonly names?: ReadonlyMap<string, readonly string[]>;
  readonly allow?: readonly string[];
}

export function createMemoryOutbound(options: MemoryOutboundOptions): Outbound {
  const { clock, handlers, names, allow = [] } = options;
  const resolve = async (host: string) =>
    (names?.get(host) ?? ['192.0.1.1']).map((address): CheckedAddress => ({ address, family: address.includes(':') ? 6 : 4 }));
  const guard = createAddressGuard({ allow, resolve });
  let isClosed = false;

  return {
    async send(request) {
      const url = checkRequest(request);
      if (isClosed) throw new OutboundFailed('closed', 'the outbound client is closed');
      const done = new AbortController();
      const ended = clock.sleep(request.timeoutMs, done.signal).then(() => {
        throw new OutboundFailed('timeout', `${request.method} ${url.origin} had no whole answer after ${request.timeoutMs} ms`);
      });
      const answered = answer(guard, handlers, url, request, done.signal);
      answered.catch(() => undefined);
      ended.catch(() => undefined);
      try {
        return await Promise.race([answered, ended]);
      } finally {
        done.abort();
      }
    },
    async close() {
      isClosed = true;
    },
  };
}

async function answer(
  guard: AddressGuard,
  handlers: MemoryOutboundOptions['handlers'],
  url: URL,
  request: OutboundRequest,
  signal: AbortSignal,
): Promise<OutboundResponse> {
  try {
    await guard.check(url.hostname);
    const handler = handlers.get(url.origin);
    if (handler === undefined) throw Object.assign(new Error(`nobody listens at \`${url.origin}\``), { code: 'ECONNREFUSED' });
    const response = await handler({ ...request, url: url.href }, signal);
    if (response.body.length > request.responseBytesMax)
      throw new OutboundFailed('ResponseTooLarge', `the answer has more than ${request.responseBytesMax} bytes`);
    return response;
  } catch (error) {
    if (error instanceof AddressRefused) throw new OutboundRefused(error.message, { cause: error });
    if (error instanceof OutboundFailed) throw error;
    const { code = 'ECONNRESET', message } = error as NodeJS.ErrnoException;
    throw new OutboundFailed(code, `${request.method} ${url.origin} failed: ${message}`, { cause: error });
  }
}
