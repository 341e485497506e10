/**
 * The HTTP side on memory stores, listening on a free loopback port, with every record of a call kept in a list.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { CallRecord } from '../../src/api/call-record.ts';
import type { Credentials } from '../../src/api/credentials.ts';
import type { Authorize, Guard, Operation, OperationTable } from '../../src/api/operation.ts';
import type { AccountId } from '../../src/event/types.ts';
import { createHandler } from '../../src/http/create-handler.ts';
import { DEFAULT_LIMITS, type HttpLimits } from '../../src/http/limits.ts';
import type { HttpPorts, HttpProblem, Service, StreamRoute } from '../../src/http/ports.ts';
import { type HttpServer, serve } from '../../src/http/serve.ts';
import { type SignerCredentials, signRequest } from '../../src/http/sign-request.ts';
import type { Chance, Clock } from '../../src/store/clock.ts';
import { createMemoryObjects } from '../../src/store/memory/objects.ts';
import type { ObjectKeys } from '../../src/store/object-keys.ts';
import { createLockTime } from '../../src/store/object-lock.ts';
import type { Objects } from '../../src/store/objects.ts';
import { plainAuthorizer } from './authorizer.ts';

export const RIG_ACCOUNT = '123837392027' as AccountId;
export const RIG_REGION = 'eu-central-1';
export const RIG_KEY: SignerCredentials = {
  accessKeyId: 'AKIARIGRIGRIGRIGRIG1',
  secretAccessKey: 'rig+secret/canary0123456789abcdefghijklmn',
};
/** A key of another account. */
export const OTHER_ACCOUNT = '000000000001' as AccountId;
export const OTHER_KEY: SignerCredentials = {
  accessKeyId: 'AKIAOTHEROTHEROTHER1',
  secretAccessKey: 'other/secret/canary0123456789abcdefghijk',
};

export function credentialsOf(key: SignerCredentials, account: AccountId, more: Partial<Credentials> = {}): Credentials {
  return {
    ...key,
    status: 'Active',
    principal: {
      type: 'Root',
      account,
      arn: `arn:aws:iam::${account}:root`,
      principalId: account,
      accessKeyId: key.accessKeyId,
      isAdministrator: account === RIG_ACCOUNT,
    },
    ...more,
  };
}

const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    }),
};

const realChance: Chance = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  uuid: () => randomUUID(),
  fraction: () => Math.random(),
};

export interface RigOptions {
  readonly credentials?: readonly Credentials[];
  readonly services?: readonly (readonly [string, Service])[];
  readonly streams?: readonly (readonly [string, StreamRoute])[];
  readonly pages?: HttpPorts['pages'];
  readonly trustedCaller?: HttpPorts['trustedCaller'];
  readonly limits?: Partial<HttpLimits>;
  readonly objects?: Objects;
  /** Absent: the real one. Signatures go by the real time. */
  readonly clock?: Clock;
  /** Absent: as for the roots of accounts. */
  readonly authorize?: Authorize;
  /** Absent: no change needs an approval. */
  readonly guard?: Guard;
}

/** A running server; close it at the end of the test. */
/** No object is encrypted here. */
const NO_KEYS: ObjectKeys = {
  make: async () => Promise.reject(new Error('this rig has no keys')),
  open: async () => Promise.reject(new Error('this rig has no keys')),
};

export class HttpRig {
  readonly records: CallRecord[] = [];
  readonly problems: HttpProblem[] = [];
  readonly objects: Objects;
  /** Makes the next records fail, as a full disk does. */
  isRecordingBroken = false;
  /** Added to the time that signatures are checked against. */
  skewMs = 0;
  server!: HttpServer;

  private constructor(objects: Objects) {
    this.objects = objects;
  }

  static async start(options: RigOptions = {}): Promise<HttpRig> {
    const rig = new HttpRig(options.objects ?? createMemoryObjects({ clock: realClock, chance: realChance }));
    const known = new Map(
      (options.credentials ?? [credentialsOf(RIG_KEY, RIG_ACCOUNT), credentialsOf(OTHER_KEY, OTHER_ACCOUNT)]).map((one) => [
        one.accessKeyId,
        one,
      ]),
    );
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { clock = realClock } = options;
    const ports: HttpPorts = {
      findCredentials: async (id) => known.get(id),
      authorize: options.authorize ?? plainAuthorizer().authorize,
      withReach: async (call) => call,
      isTrustedProxy: () => false,
      ...(options.trustedCaller === undefined ? {} : { trustedCaller: options.trustedCaller }),
      guard: options.guard ?? (async () => ({ kind: 'free' })),
      narrowsBucket: async () => undefined,
      recordCall: async (record) => {
        if (rig.isRecordingBroken) throw new Error('the disk reserve is reached');
        rig.records.push(record);
      },
      clock,
      lockTime: createLockTime(clock),
      chance: realChance,
      objects: rig.objects,
      objectKeys: NO_KEYS,
      services: new Map(options.services ?? []),
      streams: new Map(options.streams ?? []),
      pages: options.pages ?? new Map(),
      limits,
      signatureTimeMs: () => Date.now() + rig.skewMs,
      report: (problem) => rig.problems.push(problem),
    };
    rig.server = await serve({ listen: '127.0.0.1:0', handler: createHandler(ports), limits, report: ports.report });
    return rig;
  }

  get url(): string {
    return this.server.url;
  }

  /** Events recorded, as `Name` or `Name:ErrorCode`. */
  names(): readonly string[] {
    return this.records.map(({ eventName, error }) => (error === undefined ? eventName : `${eventName}:${error.code}`));
  }

  async close(): Promise<void> {
    await this.server.close(1_000);
  }

  /** Sends one signed request. */
  async send(
    method: string,
    target: string,
    { service = 's3', headers = {}, body = '', key = RIG_KEY, region = RIG_REGION, payload }: SendOptions = {},
  ): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const url = `${this.url}${target}`;
    const signed = signRequest(
      { method, url, headers },
      { credentials: key, region, service, nowMs: Date.now(), payload: payload ?? bytes },
    );
    return exchange(url, method, target, signed.headers, bytes);
  }
}

/** Sends a request whose target stays as it is: `fetch` would fold `..` away. */
function exchange(
  url: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = body.length === 0 && method === 'GET' ? headers : { ...headers, 'content-length': `${body.length}` };
    const request = httpRequest({ hostname, port, method, path, headers: sent, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('error', reject).on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => {
        const received = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)]);
        resolve({ status: response.statusCode ?? 0, headers: new Headers(received), text: Buffer.concat(pieces).toString() });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

export interface SendOptions {
  readonly service?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly key?: SignerCredentials;
  readonly region?: string;
  /** Replaces the body's hash. */
  readonly payload?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a table holds operations of any input.
export function operationTable(...operations: readonly Operation<any, unknown>[]): OperationTable {
  return new Map(operations.map((operation) => [operation.name, operation]));
}
