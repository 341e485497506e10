/**
 * Lets clients of the AWS SDK send through the guarded outbound client.
 *
 * The SDK signs and reads; every byte goes and comes by `Outbound`, with its checks of the address and its limits. Nothing is
 * retried here: whoever asked decides when to ask again (F17).
 */
import type { Outbound, OutboundRequest } from '../outbound.ts';

/** As the SDK hands it over. */
interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly method: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const TIMEOUT_MS = 30_000;
const RESPONSE_BYTES_MAX = 4 * 1024 * 1024;
/** Set by the outbound client itself. */
const OWN_HEADERS = new Set(['host', 'content-length', 'connection', 'transfer-encoding', 'expect']);

/** What every client of ours is made with, beside its endpoint. */
export function sdkBasics(outbound: Outbound) {
  return {
    maxAttempts: 1,
    // Else it writes to the console. What goes wrong is thrown, and told by whoever catches it.
    logger: { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
    requestHandler: outboundHandler(outbound),
  };
}

/** It warns about the version of Node on every start. Which versions we support is our own matter. */
export function silenceSdk(): void {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
}

function outboundHandler(outbound: Outbound) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request: SdkRequest) {
      const { protocol, hostname, port, path } = request;
      const host = `${hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname}${port === undefined ? '' : `:${port}`}`;
      const { status, headers, body } = await outbound.send({
        method: request.method as OutboundRequest['method'],
        url: `${protocol}//${host}${path}${queryText(request.query)}`,
        headers: Object.fromEntries(Object.entries(request.headers).filter(([name]) => !OWN_HEADERS.has(name.toLowerCase()))),
        ...bodyOf(request.body),
        timeoutMs: TIMEOUT_MS,
        responseBytesMax: RESPONSE_BYTES_MAX,
      });
      return { response: { statusCode: status, headers: { ...headers }, body } };
    },
    destroy() {},
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

function bodyOf(body: unknown): { readonly body?: Uint8Array } {
  if (body === undefined || body === null) return {};
  if (typeof body === 'string') return { body: new TextEncoder().encode(body) };
  // The SDK's bytes warn of being read as text; a copy is plain.
  if (body instanceof Uint8Array) return { body: new Uint8Array(body) };
  throw new TypeError('a body that is sent to a service is text or bytes');
}

function queryText(query: SdkRequest['query'] = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as readonly string[]) : [value as string | null]).map((item) =>
      item === null ? encodeURIComponent(name) : `${encodeURIComponent(name)}=${encodeURIComponent(item)}`,
    ),
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

function ignore(): void {}

const CODE_OF_STATUS: Readonly<Record<number, string>> = {
  403: 'AccessDenied',
  429: 'ThrottlingException',
  500: 'InternalFailure',
  503: 'ServiceUnavailable',
};

/** The service's code, or the system's where no whole answer came; and what was said. */
export function readSdkError(error: unknown): { readonly code: string; readonly message: string } {
  const { name, message, code, $metadata, $response } = error as Error & {
    code?: string;
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number };
  };
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  // An answer in another form than the service's own, as of a proxy: its status is all that it says.
  if (status !== undefined && (name === 'Error' || name === 'SyntaxError'))
    return { code: CODE_OF_STATUS[status] ?? `Http${status}`, message: `the answer has the status ${status}` };
  if (status !== undefined) return { code: name, message };
  return { code: code ?? (name === 'OutboundRefused' ? 'AddressRefused' : name), message };
}
