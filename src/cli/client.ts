/**
 * Signed calls to a server: operations of the `snowtrail` and `cloudtrail` services, bulk submissions, raw S3 reads.
 */
import { signRequest } from '../http/sign-request.ts';
import { CommandFailed, EXIT } from './exit.ts';
import type { ServerAccess } from './find-server.ts';

/** How long a call may take when the caller says nothing else. */
const TIMEOUT_MS = 120_000;

export interface RawAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export class Client {
  readonly access: ServerAccess;

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
    const answer = await this.send('snowtrail', 'POST', `/v1/${operation}`, {
      headers: { 'content-type': 'application/json' },
      body,
      ...options,
    });
    return readJson<Output>(answer);
  }

  /** Calls an operation of the CloudTrail API. @throws CommandFailed as `call`. */
  async cloudtrail<Output = Record<string, unknown>>(operation: string, input: object = {}): Promise<Output> {
    const body = new TextEncoder().encode(JSON.stringify(input));
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `CloudTrail_20131101.${operation}` };
    return readJson<Output>(await this.send('cloudtrail', 'POST', '/', { headers, body }));
  }

  /** Sends records and returns the verdict lines. @throws CommandFailed when nothing was taken. */
  async submit(
    records: Uint8Array,
    options: { readonly source: 'record' | 'import'; readonly createAccounts: boolean },
  ): Promise<readonly Verdict[]> {
    const path = `/v1/events?createAccounts=${options.createAccounts}&source=${options.source}`;
    const answer = await this.send('snowtrail', 'POST', path, { headers: { 'content-type': 'application/json' }, body: records });
    if (answer.status !== 200) throw refusalOf(answer);
    return new TextDecoder()
      .decode(answer.body)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Verdict);
  }

  /** A page that needs no key, such as `/metrics`. */
  async page(path: string): Promise<RawAnswer> {
    return rawAnswer(await this.#fetch(`${this.access.url}${path}`, { method: 'GET', signal: AbortSignal.timeout(TIMEOUT_MS) }));
  }

  /** Sends one signed request. @throws CommandFailed when no answer comes. */
  async send(
    service: 'snowtrail' | 'cloudtrail' | 's3' | 'sts',
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
    const { headers } = signRequest(
      { method, url, ...(options.headers === undefined ? {} : { headers: options.headers }) },
      { credentials: this.access, region: options.region ?? this.access.region, service, nowMs: Date.now(), payload: body },
    );
    const { host: _, ...sent } = headers;
    const init = {
      method,
      headers: { ...sent, 'user-agent': 'snowtrail-cli' },
      signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
    };
    return rawAnswer(await this.#fetch(url, body.length === 0 && method === 'GET' ? init : { ...init, body }));
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, { ...init, redirect: 'error' });
    } catch (cause) {
      const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
      throw new CommandFailed(EXIT.failed, `no answer from ${this.access.url}: ${reason}; is the server running?`);
    }
  }
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

async function rawAnswer(response: Response): Promise<RawAnswer> {
  const body = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, headers: Object.fromEntries(response.headers), body };
}

function readJson<Output>(answer: RawAnswer): Output {
  if (answer.status !== 200) throw refusalOf(answer);
  return (answer.body.length === 0 ? {} : JSON.parse(new TextDecoder().decode(answer.body))) as Output;
}

/** Turns a refusal into an error with the service's own words. */
function refusalOf(answer: RawAnswer): CommandFailed {
  const text = new TextDecoder().decode(answer.body);
  let code = `HTTP ${answer.status}`;
  let message = text.slice(0, 500);
  try {
    const parsed = JSON.parse(text) as { __type?: string; Message?: string; message?: string };
    code = parsed.__type?.split('#').at(-1) ?? code;
    message = parsed.Message ?? parsed.message ?? message;
  } catch {
    // Not JSON: the text itself is all there is.
  }
  const exitCode = answer.status === 403 ? EXIT.denied : answer.status === 404 ? EXIT.notFound : EXIT.failed;
  return new CommandFailed(exitCode, `${code}: ${message}`);
}
