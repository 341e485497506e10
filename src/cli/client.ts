/**
 * Signed calls to a server: operations of the `snowtrail` and `cloudtrail` services, bulk submissions, raw S3 reads.
 */
import { randomUUID } from 'node:crypto';
import { type IncomingHttpHeaders, Agent as PlainAgent, request as requestPlain } from 'node:http';
import { request as requestTls, Agent as TlsAgent } from 'node:https';
import { signRequest } from '../http/sign-request.ts';
import { parseXml, type XmlElement, xmlChild, xmlText } from '../http/xml.ts';
import { CommandFailed, EXIT } from './exit.ts';
import type { ServerAccess } from './find-server.ts';
import { safeText } from './safe-text.ts';

/** How long a call may take when the caller says nothing else. */
const TIMEOUT_MS = 120_000;

/** IAM has no Regions; its calls are signed for the one of global services. */
const IAM_REGION = 'us-east-1';

/** How long a server that is not ready is asked again, and how often. */
const NOT_READY_MS = 5_000;
const ASK_AGAIN_MS = 250;

export interface RawAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export class Client {
  readonly access: ServerAccess;
  readonly #agent = new PlainAgent({ keepAlive: true });
  readonly #tlsAgent = new TlsAgent({ keepAlive: true });

  constructor(access: ServerAccess) {
    this.access = access;
  }

  /**
   * Calls an operation of the `snowtrail` service.
   * @throws CommandFailed with the service's code and message; exit code 6 for a denied call, 5 for what is not there.
   */
  async call<Output = Record<string, unknown>>(
    operation: string,
    input: object = {},
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Output> {
    const body = new TextEncoder().encode(JSON.stringify(input));
    const headers = { 'content-type': 'application/json' };
    return readJson<Output>(await whenReady(() => this.send('snowtrail', 'POST', `/v1/${operation}`, { headers, body, ...options })));
  }

  /** Calls an operation of the CloudTrail API. @throws CommandFailed as `call`. */
  async cloudtrail<Output = Record<string, unknown>>(operation: string, input: object = {}): Promise<Output> {
    const body = new TextEncoder().encode(JSON.stringify(input));
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `CloudTrail_20131101.${operation}` };
    return readJson<Output>(await whenReady(() => this.send('cloudtrail', 'POST', '/', { headers, body })));
  }

  /**
   * Calls an operation of IAM. @param input Its parameters by name, such as `Tags.member.1.Key`.
   * @returns the element of its result; an empty one for an operation that has none.
   * @throws CommandFailed as `call`.
   */
  async iam(operation: string, input: Readonly<Record<string, string>> = {}): Promise<XmlElement> {
    const form = new URLSearchParams({ Action: operation, Version: '2010-05-08', ...input });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = new TextEncoder().encode(form.toString().replaceAll('+', '%20'));
    const answer = await whenReady(() => this.send('iam', 'POST', '/', { headers, body, region: IAM_REGION }));
    if (answer.status !== 200) throw refusalOf(answer);
    const root = parseXml(answer.body);
    return xmlChild(root, `${operation}Result`) ?? { name: `${operation}Result`, text: '', children: [] };
  }

  /** Sends records and returns the verdict lines. @throws CommandFailed when nothing was taken. */
  async submit(
    records: Uint8Array,
    options: { readonly source: 'record' | 'import'; readonly createAccounts: boolean; readonly form?: 'lines' },
  ): Promise<readonly Verdict[]> {
    const form = options.form === undefined ? '' : `&form=${options.form}`;
    const path = `/v1/events?createAccounts=${options.createAccounts}${form}&source=${options.source}`;
    const answer = await this.send('snowtrail', 'POST', path, { headers: { 'content-type': 'application/json' }, body: records });
    if (answer.status !== 200) throw refusalOf(answer);
    return new TextDecoder()
      .decode(answer.body)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Verdict);
  }

  /** A page that needs no key, such as `/readyz`. */
  async page(path: string): Promise<RawAnswer> {
    return this.#exchange(`${this.access.url}${path}`, { method: 'GET', headers: {}, body: new Uint8Array(), timeoutMs: TIMEOUT_MS });
  }

  /** Sends one signed request. @throws CommandFailed when no answer comes. */
  async send(
    service: 'snowtrail' | 'cloudtrail' | 's3' | 'sts' | 'iam' | 'kms' | 'sns' | 'organizations',
    method: string,
    path: string,
    options: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array;
      readonly timeoutMs?: number;
      readonly region?: string;
    } = {},
  ): Promise<RawAnswer> {
    const url = `${this.access.url}${path}`;
    const body = options.body ?? new Uint8Array();
    // As the SDKs do: two calls of one second that say the same have two signatures, and none is taken for a replay.
    const { headers } = signRequest(
      { method, url, headers: { ...options.headers, 'amz-sdk-invocation-id': randomUUID() } },
      { credentials: this.access, region: options.region ?? this.access.region, service, nowMs: Date.now(), payload: body },
    );
    return this.#exchange(url, {
      method,
      headers: { ...headers, 'user-agent': 'snowtrail-cli' },
      body,
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    });
  }

  /**
   * Sends and takes the whole answer as it came: `fetch` would unpack a gzip body, and what is to be hashed are the bytes
   * that are stored.
   */
  #exchange(
    url: string,
    options: {
      readonly method: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Uint8Array;
      readonly timeoutMs: number;
    },
  ): Promise<RawAnswer> {
    const { method, headers, body, timeoutMs } = options;
    const isTls = url.startsWith('https:');
    const failed = (reason: string) =>
      new CommandFailed(EXIT.failed, `no answer from ${this.access.url}: ${reason}; is the server running?`);
    return new Promise((resolve, reject) => {
      const request = (isTls ? requestTls : requestPlain)(url, {
        method,
        headers: { ...headers, 'content-length': String(body.length) },
        agent: isTls ? this.#tlsAgent : this.#agent,
        signal: AbortSignal.timeout(timeoutMs),
      });
      request.on('error', (error: NodeJS.ErrnoException) =>
        reject(failed(error.name === 'TimeoutError' ? `none within ${timeoutMs} ms` : error.message || (error.code ?? error.name))),
      );
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', (error) => reject(failed(error.message)));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: textHeaders(response.headers), body: Buffer.concat(chunks) }),
        );
      });
      request.end(body);
    });
  }
}

function textHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );
}

/** One line of a bulk answer. */
export type Verdict =
  | {
      readonly number: number;
      readonly status: 'accepted';
      readonly eventID: string;
      readonly sequence: string;
      readonly conflicting?: boolean;
    }
  | { readonly number: number; readonly status: 'repeated'; readonly eventID: string; readonly sequence: string }
  | { readonly number: number; readonly status: 'rejected'; readonly code: string; readonly reason: string }
  | { readonly status: 'unavailable'; readonly reason: string };

/** Asks again for a moment where the server says "not now", as it does while it starts: such a call was not carried out. */
async function whenReady(ask: () => Promise<RawAnswer>): Promise<RawAnswer> {
  const startedMs = performance.now();
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503 || performance.now() - startedMs > NOT_READY_MS) return answer;
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

function readJson<Output>(answer: RawAnswer): Output {
  if (answer.status !== 200) throw refusalOf(answer);
  return (answer.body.length === 0 ? {} : JSON.parse(new TextDecoder().decode(answer.body))) as Output;
}

/** What to do about refusals whose words, the service's own, don't say it. */
const HINTS: ReadonlyMap<string, string> = new Map([
  [
    'UnrecognizedClientException',
    'this server knows no such access key: pass --data-dir, or run `eval "$(snowtrail env --data-dir FOLDER)"`',
  ],
  [
    'InvalidSignatureException',
    'the secret is not that of the access key: pass --data-dir, or run `eval "$(snowtrail env --data-dir FOLDER)"`',
  ],
  [
    'EventNotFoundException',
    'look for it with `snowtrail events --from -90d`; events of other accounts need a key of theirs, or of the first account',
  ],
]);

/** Turns a refusal into an error with the service's own words. */
function refusalOf(answer: RawAnswer): CommandFailed {
  const text = new TextDecoder().decode(answer.body);
  let code = `HTTP ${answer.status}`;
  let message = text.slice(0, 500);
  const error = answer.headers['content-type'] === 'text/xml' ? xmlChild(parseXml(answer.body), 'Error') : undefined;
  if (error !== undefined) {
    code = xmlText(error, 'Code') ?? code;
    message = xmlText(error, 'Message') ?? message;
  }
  try {
    const parsed = JSON.parse(text) as { __type?: string; Message?: string; message?: string };
    code = parsed.__type?.split('#').at(-1) ?? code;
    message = parsed.Message ?? parsed.message ?? message;
  } catch {
    // Not JSON: the text itself is all there is.
  }
  const hint = HINTS.get(code);
  // The service quotes what callers sent, so its words are not safe for a terminal as they are.
  const said = `${safeText(`${code}: ${message}`)}${hint === undefined ? '' : `\n  ${hint}`}`;
  return new CommandFailed(exitCodeOf(answer.status, code), said, code);
}

function exitCodeOf(status: number, code: string): number {
  if (status === 403) return EXIT.denied;
  if (status === 404) return EXIT.notFound;
  // Input that can never be right, though only the server can tell.
  return code === 'ValidationException' || code === 'ValidationError' ? EXIT.usage : EXIT.failed;
}
