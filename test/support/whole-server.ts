/**
 * The whole server on memory stores, listening on a free loopback port, called as a client calls it: signed JSON over HTTP.
 */
import type { NewAccessKey } from '../../src/access/accounts.ts';
import type { AccountId, Region } from '../../src/event/types.ts';
import { createHandler } from '../../src/http/create-handler.ts';
import { type HttpServer, serve } from '../../src/http/serve.ts';
import { signRequest } from '../../src/http/sign-request.ts';
import { createServer, type ServerOptions, type SnowtrailServer } from '../../src/server/create-server.ts';
import { createMemoryHistoryIndex } from '../../src/store/memory/history-index.ts';
import { createMemoryObjects } from '../../src/store/memory/objects.ts';
import { createMemoryOutbound } from '../../src/store/memory/outbound.ts';
import { createMemoryTreeHashes } from '../../src/store/memory/tree-hashes.ts';
import { hashNode } from '../../src/tlog/hash.ts';
import { gzipInline } from '../../src/trail/compress.ts';
import { ADMINISTRATOR, IntakeRig, OWNER } from './intake-rig.ts';

const HOME = 'eu-central-1' as Region;

/** What came back: the output, or the error with its code. */
export interface Answer {
  readonly status: number;
  /** `OK`, or the error's wire name. */
  readonly code: string;
  readonly message: string;
  // biome-ignore lint/suspicious/noExplicitAny: outputs of any operation, looked at by tests.
  readonly output: any;
}

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface CallOptions {
  readonly account?: AccountId;
  /** Of somebody else than the account's root. */
  readonly credentials?: Credentials;
  readonly region?: string;
  /** What comes before the operation in `X-Amz-Target`. */
  readonly target?: string;
}

export class WholeServer {
  readonly rig: IntakeRig;
  readonly server: SnowtrailServer;
  readonly #keys: ReadonlyMap<AccountId, NewAccessKey>;
  readonly #http: HttpServer;

  private constructor(rig: IntakeRig, server: SnowtrailServer, keys: ReadonlyMap<AccountId, NewAccessKey>, http: HttpServer) {
    this.rig = rig;
    this.server = server;
    this.#keys = keys;
    this.#http = http;
  }

  /** With two accounts, `ADMINISTRATOR` and `OWNER`. */
  static async open({ approvals }: Pick<ServerOptions, 'approvals'> = {}): Promise<WholeServer> {
    const rig = new IntakeRig();
    const { newKey: first } = await rig.accounts.open('installation', ADMINISTRATOR);
    const { newKey: second, save } = await rig.accounts.prepareAccount(OWNER, 'owner');
    await save();
    const hashSha256 = rig.recorder.sha256;
    const server = await createServer({
      stores: {
        clock: rig.clock,
        chance: rig.chance,
        journal: rig.journal,
        keys: rig.keys,
        catalog: rig.catalog,
        objects: createMemoryObjects({ clock: rig.clock, chance: rig.chance }),
        treeHashes: createMemoryTreeHashes({ hashChildren: (left, right) => hashNode(hashSha256, left, right) }),
        historyIndex: createMemoryHistoryIndex(),
        outbound: createMemoryOutbound({ clock: rig.clock, handlers: new Map() }),
        subscribers: createMemoryOutbound({ clock: rig.clock, handlers: new Map() }),
      },
      installationId: 'installation',
      firstAccount: ADMINISTRATOR,
      approvals,
      region: HOME,
      flushIntervalMs: 5_000,
      digestIntervalMs: 60_000,
      gzip: gzipInline,
      keepKey: async () => undefined,
      url: () => 'http://127.0.0.1:4620',
      signatureTimeMs: () => Date.now(),
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    const { limits, report } = server.ports;
    const http = await serve({ listen: '127.0.0.1:0', handler: createHandler(server.ports), limits, report });
    const keys = new Map<AccountId, NewAccessKey>([
      [ADMINISTRATOR, first!],
      [OWNER, second],
    ]);
    return new WholeServer(rig, server, keys, http);
  }

  async close(): Promise<void> {
    await this.#http.close(1_000);
  }

  /** Calls an operation of CloudTrail. @param input JSON, or a text that is sent as it is. */
  async cloudtrail(operation: string, input: object | string = {}, options: CallOptions = {}): Promise<Answer> {
    const body = typeof input === 'string' ? input : JSON.stringify(input);
    const target = `${options.target ?? 'CloudTrail_20131101'}.${operation}`;
    return this.#send('POST', '/', { service: 'cloudtrail', body, ...options }, { 'content-type': JSON_TYPE, 'x-amz-target': target });
  }

  /** Calls an operation of Organizations. */
  async organizations(operation: string, input: object = {}, account: AccountId = ADMINISTRATOR): Promise<Answer> {
    return this.json('organizations', `AWSOrganizationsV20161128.${operation}`, input, { region: 'us-east-1', account });
  }

  /** Calls the one operation of CloudTrail Data: some members go into the query string. */
  async putAuditEvents({ channelArn, externalId, ...body }: Record<string, unknown>, options: CallOptions = {}): Promise<Answer> {
    const query = new URLSearchParams(
      Object.entries({ channelArn, externalId }).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)] as [string, string]],
      ),
    );
    const sent = { service: 'cloudtrail-data', body: JSON.stringify(body), ...options };
    return this.#send('POST', `/PutAuditEvents?${query.toString()}`, sent, { 'content-type': 'application/json' });
  }

  /** Makes a user of the first account who may do nothing. @returns its key */
  async createUser(name: string): Promise<Credentials> {
    const send = async (Action: string): Promise<string> => {
      const input = { Action, Version: '2010-05-08', UserName: name };
      const { status, message } = await this.query('iam', input, { region: 'us-east-1' });
      if (status !== 200) throw new Error(`no user: ${message}`);
      return message;
    };
    await send('CreateUser');
    return keysIn(await send('CreateAccessKey'));
  }

  /** Calls an operation of S3. @returns its status, and the body as text */
  async s3(method: string, path: string, body = '', headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#send(method, path, { service: 's3', body }, headers);
  }

  /** Makes a bucket, with the policy that CloudTrail documents for all of an account's trails unless `hasPolicy` is false. */
  async createBucket(name: string, { account = ADMINISTRATOR, hasPolicy = true } = {}): Promise<void> {
    const made = await this.#send('PUT', `/${name}`, { service: 's3', body: '', account }, {});
    if (made.status !== 200) throw new Error(`no bucket: ${made.message}`);
    if (!hasPolicy) return;
    const put = await this.#send('PUT', `/${name}?policy`, { service: 's3', body: JSON.stringify(trailPolicy(name)), account }, {});
    if (put.status >= 300) throw new Error(`no policy: ${put.message}`);
  }

  /** Any call of any service. @param path with its query string */
  async send(
    method: string,
    path: string,
    options: CallOptions & { readonly service: string; readonly body?: string },
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    return this.#send(method, path, { body: '', ...options }, headers);
  }

  /** A call by the query protocol, of IAM, STS or SNS. @returns the XML as `message` */
  async query(service: string, input: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<Answer> {
    const body = new URLSearchParams(input).toString();
    return this.#send('POST', '/', { service, body, ...options }, { 'content-type': FORM_TYPE });
  }

  /** A call by AWS JSON, such as of KMS or Organizations. @param target with the operation */
  async json(service: string, target: string, input: object = {}, options: CallOptions = {}): Promise<Answer> {
    const headers = { 'content-type': JSON_TYPE, 'x-amz-target': target };
    return this.#send('POST', '/', { service, body: JSON.stringify(input), ...options }, headers);
  }

  /** A call of this server's own operations. */
  async snowtrail(operation: string, input: object = {}, options: CallOptions = {}): Promise<Answer> {
    const body = JSON.stringify(input);
    return this.#send('POST', `/v1/${operation}`, { service: 'snowtrail', body, ...options }, { 'content-type': 'application/json' });
  }

  async #send(
    method: string,
    path: string,
    {
      service,
      body,
      account = ADMINISTRATOR,
      region = HOME,
      credentials = this.#keys.get(account)!,
    }: CallOptions & { readonly service: string; readonly body: string },
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    const url = `${this.#http.url}${path}`;
    const payload = Buffer.from(body);
    const signed = signRequest({ method, url, headers }, { credentials, region, service, nowMs: Date.now(), payload });
    const { host: _, ...sent } = signed.headers;
    const response = await fetch(url, { method, headers: sent, ...(body === '' ? {} : { body: payload }) });
    const text = await response.text();
    if (/^(?:s3|iam|sts|sns)$/.test(service)) {
      const code = response.ok ? 'OK' : (/<Code>([^<]+)</.exec(text)?.[1] ?? '');
      return { status: response.status, code, message: text, output: undefined };
    }
    const json = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    const code = response.headers.get('x-amzn-errortype') ?? json['__type'];
    const isError = response.status >= 300;
    const { status } = response;
    if (!isError) return { status, code: 'OK', message: '', output: json };
    return { status, code: String(code).replace(/^.*#|:.*$/g, ''), message: String(json['Message'] ?? json['message']), output: undefined };
  }
}

/** The keys that an answer of IAM or STS hands out. */
export function keysIn(xml: string): Credentials {
  const read = (element: string) => new RegExp(`<${element}>([^<]+)</${element}>`).exec(xml)![1]!;
  const keys = { accessKeyId: read('AccessKeyId'), secretAccessKey: read('SecretAccessKey') };
  return xml.includes('<SessionToken>') ? { ...keys, sessionToken: read('SessionToken') } : keys;
}

const JSON_TYPE = 'application/x-amz-json-1.1';
const FORM_TYPE = 'application/x-www-form-urlencoded; charset=utf-8';

/** What CloudTrail documents for a bucket of trails, whoever's trails they are. */
function trailPolicy(bucket: string): object {
  const Principal = { Service: 'cloudtrail.amazonaws.com' };
  return {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Principal, Action: 's3:GetBucketAcl', Resource: `arn:aws:s3:::${bucket}` },
      {
        Effect: 'Allow',
        Principal,
        Action: 's3:PutObject',
        Resource: `arn:aws:s3:::${bucket}/*`,
        Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
      },
    ],
  };
}
