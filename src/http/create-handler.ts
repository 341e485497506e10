/**
 * The way of every request: which service it is for, who sends it, and to whom it is handed.
 *
 * One port serves all: the SigV4 scope names the service, then the target, action or path names the operation; what is
 * signed for `s3` is S3. Only the listed pages are answered without a signature. `serve.ts` brings the requests;
 * everything that goes wrong below ends in `refuse`.
 *
 * Source: DESIGN §2 step 1, §6; reliability.md A01–A11, A62.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from '../api/api-error.ts';
import type { Call, Principal } from '../api/operation.ts';
import type { Region } from '../event/types.ts';
import { isRegion } from '../event/values.ts';
import { parseQuery, type RawHeader, type RequestParts, sha256Hex } from './canonical-request.ts';
import { decodeChunkedBody, decodedLengthOf } from './chunked-body.ts';
import { type Client, clientOf } from './client-of.ts';
import { actionOf, familyOf, type NamedOperation, nameOperation, runOperation } from './dispatch.ts';
import { ByteBudget } from './limits.ts';
import type { HttpPorts, Service, StreamRoute } from './ports.ts';
import { type Authorization, claimsSignature, readAuthorization, unsigned } from './read-authorization.ts';
import {
  type BodySource,
  contentCoding,
  declaredLength,
  decompress,
  decompressStream,
  discardBody,
  holdBody,
  streamBody,
} from './read-body.ts';
import { type AnswerContext, encodeError, idHeaders, newHostId, publicError, sendWhole } from './respond.ts';
import { type Recording, recordRefusal } from './run-call.ts';
import { handleS3 } from './s3/handle-s3.ts';
import { MultipartUploads } from './s3/multipart-uploads.ts';
import { type Family, SignatureRefusal, signatureError } from './signature-refusal.ts';
import { SigningKeys } from './signing-keys.ts';
import { assumeAuthorization, refuseBrowsers } from './trusted-caller.ts';
import { UsedSignatures } from './used-signatures.ts';
import { checkTime, hashOf, type PayloadClaim, readPayloadClaim, signatureEndMs, verifySignature, wordOf } from './verify-signature.ts';
import { ClientGone, writeAll } from './write-body.ts';
import { xmlDocument } from './xml.ts';

/** Answers one request. Never rejects: what goes wrong is answered, or the connection is closed. */
export type Handler = (request: IncomingMessage, response: ServerResponse, options: { readonly expectsContinue: boolean }) => Promise<void>;

export interface HttpHandler {
  readonly handle: Handler;
  /** Drops what uploads hold. */
  close(): Promise<void>;
}

export function createHandler(ports: HttpPorts): HttpHandler {
  const signingKeys = new SigningKeys();
  const budget = new ByteBudget(ports.limits.bufferedBytes);
  const usedSignatures = new UsedSignatures();
  const uploads = new MultipartUploads(ports.clock, ports.chance);
  return {
    handle: async (request, response, { expectsContinue }) => {
      const exchange = new Exchange(
        ports,
        { request, response, expectsContinue, limits: ports.limits, budget },
        { signingKeys, usedSignatures, uploads },
      );
      try {
        await exchange.run();
      } catch (error) {
        await exchange.refuse(error);
      }
    },
    close: () => uploads.close(),
  };
}

/** The service that has operations for callers without a key, and the Region of the endpoint that they go to. */
const UNSIGNED_SERVICE = 'sts';
const GLOBAL_REGION = 'us-east-1' as Region;
/** Strangers send it: a token of 20,000 characters, and what is around it. */
const UNSIGNED_BODY_BYTES_MAX = 64 * 1024;

type SentOperation = Parameters<typeof runOperation>[4];

/** One request and its answer. */
class Exchange {
  readonly #ports: HttpPorts;
  readonly #source: BodySource;
  readonly #signingKeys: SigningKeys;
  readonly #usedSignatures: UsedSignatures;
  readonly #uploads: MultipartUploads;
  readonly #parts: RequestParts;
  readonly #requestId: string;
  /** How errors are written; known better the further the request is read. */
  #context: AnswerContext;
  /** The key that the request claims to be signed with. */
  #accessKeyId: string | undefined;

  constructor(
    ports: HttpPorts,
    source: BodySource,
    kept: { readonly signingKeys: SigningKeys; readonly usedSignatures: UsedSignatures; readonly uploads: MultipartUploads },
  ) {
    this.#ports = ports;
    this.#source = source;
    this.#signingKeys = kept.signingKeys;
    this.#usedSignatures = kept.usedSignatures;
    this.#uploads = kept.uploads;
    const { request } = source;
    const target = request.url ?? '';
    const mark = target.indexOf('?');
    this.#parts = {
      method: request.method ?? '',
      path: mark < 0 ? target : target.slice(0, mark),
      query: mark < 0 ? '' : target.slice(mark + 1),
      headers: pairs(request.rawHeaders),
    };
    this.#requestId = ports.chance.uuid();
    this.#context = this.#contextOf(guessFamily(this.#parts, request));
  }

  async run(): Promise<void> {
    const { path, query, headers, method } = this.#parts;
    if (!path.startsWith('/')) throw new ApiError('InvalidURI', 'the request target must begin with a slash', { status: 400 });
    if (headers.length > this.#ports.limits.headersMax)
      throw new ApiError('RequestHeaderSectionTooLarge', 'the request has too many headers', { status: 431 });
    const mayBePage = (method === 'GET' || method === 'HEAD') && !claimsSignature(headers, query);
    const page = mayBePage ? this.#ports.pages.get(path) : undefined;
    if (mayBePage && page !== undefined) {
      const { authorization } = this.#source.request.headers;
      const { status, contentType, body, headers: more } = await page({ method, path, query, authorization });
      return sendWhole(this.#source.response, this.#context, { status, headers: { 'content-type': contentType, ...more }, body });
    }
    if (this.#ports.trustedCaller === undefined && this.#context.family === 'query' && !claimsSignature(headers, query))
      return this.#runUnsigned();
    const authorization = this.#readAuthorization();
    this.#accessKeyId = authorization.accessKeyId;
    const { scope } = authorization;
    if (!isRegion(scope.region))
      throw new SignatureRefusal('wrong-scope', `Credential should be scoped to a valid region, not '${scope.region}'.`);
    if (scope.service === 's3') return this.#runS3(authorization);
    const service = this.#ports.services.get(scope.service);
    if (service === undefined) return this.#refuseService(authorization);
    this.#context = { ...this.#contextOf(familyOf(service)), ...(service.namespace === undefined ? {} : { namespace: service.namespace }) };
    checkTime(authorization, this.#ports.signatureTimeMs());
    const stream = scope.service === 'snowtrail' ? this.#ports.streams.get(`${method} ${path}`) : undefined;
    return stream === undefined ? this.#runOperation(service, authorization) : this.#runStream(stream, authorization);
  }

  #readAuthorization(): Authorization {
    const { trustedCaller } = this.#ports;
    if (trustedCaller === undefined) return readAuthorization(this.#parts.headers, this.#parts.query);
    refuseBrowsers(this.#source.request.headers);
    return assumeAuthorization(this.#parts, trustedCaller, this.#ports.signatureTimeMs());
  }

  /** Turns whatever went wrong into an answer, if there is still somebody to answer. */
  async refuse(thrown: unknown): Promise<void> {
    const { response, request } = this.#source;
    if (thrown instanceof ClientGone) return void response.destroy();
    const { family } = this.#context;
    const error = thrown instanceof SignatureRefusal ? signatureError(thrown, family) : publicError(thrown, family);
    if (
      error.status === 500 ||
      (!(thrown instanceof ApiError) && !(thrown instanceof SignatureRefusal) && error.code.startsWith('Internal'))
    ) {
      this.#ports.report({ kind: 'internal', requestId: this.#requestId, error: thrown });
    }
    if (thrown instanceof SignatureRefusal && thrown.kind !== 'missing') {
      const accessKeyId = this.#accessKeyId === undefined ? {} : { accessKeyId: this.#accessKeyId };
      this.#ports.report({
        kind: 'signature-refused',
        requestId: this.#requestId,
        code: error.code,
        ...accessKeyId,
        sourceIpAddress: this.#client().address,
      });
    }
    // An answer that has begun cannot become an error: the client must see that it is not whole.
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const { status, headers, body } = encodeError(error, this.#context);
    const isWhole = await discardBody(this.#source);
    if (!isWhole) response.shouldKeepAlive = false;
    sendWhole(response, this.#context, { status, headers: { ...headers, ...(status === 503 ? { 'retry-after': '1' } : {}) }, body });
    if (!isWhole) response.once('finish', () => request.destroy());
  }

  async #runOperation(service: Service, authorization: Authorization): Promise<void> {
    const { limits } = this.#source;
    const claim = readPayloadClaim(authorization, 'whole');
    await this.#withHeldBody(authorization, claim, limits.controlBodyBytes, async (call, bytes) => {
      const nowMs = this.#ports.signatureTimeMs();
      const { signature } = authorization;
      const signed = {
        use: (afterMs: number) =>
          this.#ports.trustedCaller !== undefined
            ? ('first' as const)
            : this.#usedSignatures.use(call.account, signature, { nowMs, untilMs: signatureEndMs(authorization), afterMs }),
        giveBack: () => this.#usedSignatures.giveBack(call.account, signature),
      };
      const { named, body } = await this.#nameOperation(service, bytes);
      const caller = (await this.#identify(service, named, body)) ?? call.principal;
      const inRegion = { ...call, principal: caller, account: caller.account, region: service.region ?? call.region };
      await this.#answerOperation(service, inRegion, named, { body, signed });
    });
  }

  /** A request without any trace of a signature: one whose caller is known by what it sends, or nobody's. */
  async #runUnsigned(): Promise<void> {
    const service = this.#ports.services.get(UNSIGNED_SERVICE);
    if (service === undefined) throw unsigned();
    this.#context = { ...this.#context, ...(service.namespace === undefined ? {} : { namespace: service.namespace }) };
    const held = await holdBody(this.#source, UNSIGNED_BODY_BYTES_MAX);
    try {
      const { named, body } = await this.#nameOperation(service, held.bytes);
      const caller = await this.#identify(service, named, body);
      if (caller === undefined) throw unsigned();
      const signed = { use: () => 'first' as const, giveBack: () => undefined };
      await this.#answerOperation(service, this.#callOf(caller, GLOBAL_REGION), named, { body, signed });
    } finally {
      held.release();
    }
  }

  async #nameOperation(service: Service, bytes: Buffer): Promise<{ readonly named: NamedOperation; readonly body: Uint8Array }> {
    const { request, limits } = this.#source;
    const coding = contentCoding(request.headers['content-encoding']);
    const body = coding === undefined ? bytes : await decompress(bytes, limits.controlBodyBytes);
    return { named: nameOperation(service, this.#parts, (name) => single(request.headers[name]), body), body };
  }

  /** Who calls an operation that finds that out by itself; `undefined` for all others. */
  async #identify(service: Service, { name, readInput }: NamedOperation, body: Uint8Array): Promise<Principal | undefined> {
    const operation = service.operations.get(name);
    if (operation?.identify === undefined) return undefined;
    const json = readInput(body);
    return operation.identify(service.decodeInput?.(name, json) ?? json);
  }

  async #answerOperation(service: Service, call: Call, named: NamedOperation, sent: SentOperation): Promise<void> {
    const { response } = this.#source;
    const output = await runOperation(this.#recording(), service, call, named, sent);
    const contentType = service.protocol === 'aws-json' ? 'application/x-amz-json-1.1' : 'application/json';
    if (service.protocol !== 'query')
      return sendWhole(response, this.#context, { status: 200, headers: { 'content-type': contentType }, body: JSON.stringify(output) });
    // An operation whose model has no output has no result either.
    const result = output === null ? {} : { [`${named.name}Result`]: output as never };
    const document = { ...result, ResponseMetadata: { RequestId: this.#requestId } };
    sendWhole(response, this.#context, {
      status: 200,
      headers: { 'content-type': 'text/xml' },
      body: xmlDocument(`${named.name}Response`, document, service.namespace),
    });
  }

  /** Hands on a body that is held whole: nothing may be acted on before the last byte was seen and its hash was signed. */
  async #withHeldBody<T>(
    authorization: Authorization,
    claim: PayloadClaim,
    bytesMax: number,
    act: (call: Call, bytes: Buffer) => Promise<T>,
  ): Promise<T> {
    const held = await holdBody(this.#source, bytesMax);
    try {
      const { call } = await this.#authenticate(authorization, hashOf(claim, held.bytes), claim, held.bytes);
      return await act(call, held.bytes);
    } finally {
      held.release();
    }
  }

  /** Only who signs with a key of this installation is told which services there are. */
  async #refuseService(authorization: Authorization): Promise<never> {
    checkTime(authorization, this.#ports.signatureTimeMs());
    const claim = readPayloadClaim(authorization, 'whole');
    return this.#withHeldBody(authorization, claim, this.#source.limits.controlBodyBytes, async () => {
      const there = [...this.#ports.services.keys(), 's3'].sort().join(', ');
      const message = `this endpoint has no service \`${authorization.scope.service}\`; it has ${there}`;
      throw new ApiError(this.#context.family === 'query' ? 'InvalidAction' : 'UnsupportedOperationException', message, { status: 400 });
    });
  }

  async #runStream(route: StreamRoute, authorization: Authorization): Promise<void> {
    const { request } = this.#source;
    const claim = readPayloadClaim(authorization, 'signed-chunks');
    const coding = contentCoding(request.headers['content-encoding']);
    if (claim.kind === 'signed-chunks') {
      const verified = await this.#authenticate(authorization, wordOf(claim));
      const body = decodeChunkedBody(this.#source, authorization, { claim, ...verified }, route.bodyBytesMax, new Map());
      return this.#handOver(route, verified.call, coding === undefined ? body : decompressStream(body, route.bodyBytesMax));
    }
    await this.#withHeldBody(authorization, claim, route.bodyBytesMax, async (call, bytes) => {
      const body = once(bytes);
      await this.#handOver(route, call, coding === undefined ? body : decompressStream(body, route.bodyBytesMax));
    });
  }

  async #handOver(route: StreamRoute, call: Call, body: AsyncIterable<Uint8Array>): Promise<void> {
    const { request, response, limits } = this.#source;
    await this.#authorizeStream(route, call);
    const query = new Map(readParameters(this.#parts.query));
    const answer = {
      start: (status: number, headers: Readonly<Record<string, string>>) => {
        // Sent with the first piece: a packet of their own would cost each submission a system call.
        response.writeHead(status, { ...idHeaders(this.#context), ...headers });
      },
      write: (piece: Uint8Array | string) => writeAll(response, piece, limits.writeTimeoutMs),
    };
    await route.handle({ call, query, headers: request.headers, body, answer });
    response.end();
  }

  /** What is let through records itself (see `StreamRoute.handle`); what is not is recorded here. */
  async #authorizeStream({ eventName }: StreamRoute, call: Call): Promise<void> {
    const eventSource = 'snowtrail.amazonaws.com';
    try {
      await this.#ports.authorize(call, [{ action: actionOf(eventSource, eventName), resource: '*' }]);
    } catch (error) {
      const { code, message } = publicError(error, this.#context.family);
      const what = { eventSource, eventName, isReadOnly: false, category: 'Management' as const };
      await recordRefusal(this.#ports, { call, ...what, requestParameters: null, responseElements: null, error: { code, message } });
      throw error;
    }
  }

  async #runS3(authorization: Authorization): Promise<void> {
    this.#context = this.#contextOf('s3');
    checkTime(authorization, this.#ports.signatureTimeMs());
    const claim = readPayloadClaim(authorization, 's3');
    const verified = await this.#authenticate(authorization, wordOf(claim));
    const { call, signingKey } = verified;
    const isChunked = claim.kind === 'signed-chunks' || claim.kind === 'unsigned-chunks';
    const query = readParameters(this.#parts.query);
    const trailers = new Map<string, string>();
    await handleS3({
      parts: this.#parts,
      query,
      call,
      form: authorization.form,
      hostId: this.#context.hostId,
      request: this.#source.request,
      response: this.#source.response,
      context: this.#context,
      limits: this.#source.limits,
      objects: this.#ports.objects,
      objectKeys: this.#ports.objectKeys,
      uploads: this.#uploads,
      clock: this.#ports.clock,
      lockTime: this.#ports.lockTime,
      chance: this.#ports.chance,
      recording: this.#recording(),
      narrowsBucket: this.#ports.narrowsBucket,
      body: {
        declaredSha256: claim.kind === 'declared' ? claim.sha256 : undefined,
        length: isChunked ? decodedLengthOf(this.#source.request) : declaredLength(this.#source.request),
        trailers,
        stream: (bytesMax) =>
          isChunked
            ? decodeChunkedBody(this.#source, authorization, { claim, signingKey }, bytesMax, trailers)
            : streamBody(this.#source, bytesMax),
        reserve: (bytes) => this.#source.budget.reserve(bytes),
        release: (bytes) => this.#source.budget.release(bytes),
      },
    });
  }

  /** Verifies the signature, and the body where it is here already. */
  async #authenticate(
    authorization: Authorization,
    payloadHash: string,
    claim?: PayloadClaim,
    body?: Uint8Array,
  ): Promise<{ readonly call: Call; readonly signingKey: Uint8Array | 'trusted' }> {
    const { principal, signingKey } = await this.#verifySignature(authorization, payloadHash);
    if (claim?.kind === 'declared' && body !== undefined && sha256Hex(body) !== claim.sha256) {
      throw new SignatureRefusal('wrong-body', "The provided 'x-amz-content-sha256' header does not match what was computed.");
    }
    const call = await this.#ports.withReach(this.#callOf(principal, authorization.scope.region as Region));
    return { call, signingKey };
  }

  #callOf(principal: Principal, region: Region): Call {
    const { address: sourceIpAddress, isSecure } = this.#client();
    return {
      principal,
      account: principal.account,
      region,
      requestId: this.#context.requestId,
      sourceIpAddress,
      isSecure,
      userAgent: utf8(single(this.#source.request.headers['user-agent']) ?? ''),
      receivedAtMs: this.#ports.clock.nowMs(),
    };
  }

  async #verifySignature(
    authorization: Authorization,
    payloadHash: string,
  ): Promise<{ readonly principal: Principal; readonly signingKey: Uint8Array | 'trusted' }> {
    const { trustedCaller } = this.#ports;
    if (trustedCaller !== undefined) return { principal: trustedCaller.principal, signingKey: 'trusted' };
    const nowMs = this.#ports.signatureTimeMs();
    const deps = { findCredentials: this.#ports.findCredentials, signingKeys: this.#signingKeys };
    const { credentials, signingKey } = await verifySignature(this.#parts, authorization, { payloadHash, nowMs }, deps);
    return { principal: credentials.principal, signingKey };
  }

  #recording(): Recording {
    const { authorize, guard, recordCall, report } = this.#ports;
    return { authorize, guard, recordCall, report };
  }

  #contextOf(family: Family): AnswerContext {
    const requestId = family === 's3' ? this.#requestId.replaceAll('-', '').slice(0, 16).toUpperCase() : this.#requestId;
    return {
      family,
      requestId,
      hostId: family === 's3' ? newHostId(this.#ports.chance) : '',
      method: this.#parts.method,
      path: this.#parts.path,
    };
  }

  #client(): Client {
    return clientOf(this.#source.request, this.#ports.isTrustedProxy);
  }
}

/** In which family's words to refuse a request that does not say which service it is for. */
function guessFamily({ path, query }: RequestParts, { headers }: IncomingMessage): Family {
  const scope = /Credential=[^/,\s]+\/\d+\/[^/,\s]+\/([a-z0-9-]+)\//.exec(headers.authorization ?? '')?.[1];
  if (scope === 's3') return 's3';
  if (headers['x-amz-target'] !== undefined || path.startsWith('/v1/')) return 'json';
  if (path === '/PutAuditEvents') return 'rest-json';
  const isForm = (headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
  if (scope === 'sts' || isForm || /(?:^|&)Action=/.test(query)) return 'query';
  return scope === undefined ? 's3' : 'json';
}

function readParameters(query: string): [string, string][] {
  try {
    return parseQuery(query);
  } catch (cause) {
    throw new ApiError('InvalidURI', 'the query string is not percent-encoded UTF-8', { status: 400, cause });
  }
}

function pairs(rawHeaders: readonly string[]): readonly RawHeader[] {
  return Array.from({ length: rawHeaders.length / 2 }, (_, index) => [rawHeaders[2 * index]!, rawHeaders[2 * index + 1]!] as const);
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** Node reads headers as Latin-1; text that is UTF-8 becomes itself again. */
function utf8(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8');
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes;
}
