/**
 * Objects on a foreign S3: AWS, Ceph RGW, or another that speaks its API.
 *
 * Nothing is retried here: the follower behind decides when to try again, so that a store that is down sees one request
 * and not five (F17). Every request has a time limit, and one whose answer was lost is simply made again: a conditional
 * put that finds the very object it would put has succeeded (F19).
 *
 * Conditional puts cannot be relied on: where versioning or Object Lock is on, Ceph RGW ignores `If-None-Match` and makes
 * a second version (reliability.md P3, §0.6). So a conditional put asks first, and within this process one at a time for
 * each key. What two processes do at the same moment on such a bucket, only the service can prevent.
 *
 * What a foreign store does not tell: the owner of a bucket and its creation, metadata and retention in listings, checksums,
 * and in which order delete markers and versions of one second came. Where our credentials may not look, a bucket is taken to be
 * there, without versioning and policy, and a key to be free: the put then decides.
 *
 * Answers are untrusted in so far as they may be wrong: the ETag must be the MD5 of what was sent (F22).
 */
import assert from 'node:assert/strict';
import { createHash, hash } from 'node:crypto';
import { Readable } from 'node:stream';
import type {
  DeleteMarkerEntry,
  GetObjectCommandOutput,
  HeadObjectCommandOutput,
  PutObjectCommandInput,
  S3Client,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import type { BucketName, EpochMs, ObjectKey, Region } from '../../event/types.ts';
import type { Clock } from '../clock.ts';
import { KeyedLock } from '../keyed-lock.ts';
import type { AddressGuard } from '../net/address-guard.ts';
import { createGuardedAgents } from '../net/guarded-agents.ts';
import {
  type Bucket,
  BucketExists,
  BucketMissing,
  BucketNotEmpty,
  type BucketUpdate,
  type DeleteOptions,
  type Encryption,
  type ListOptions,
  type ListPage,
  ObjectConflict,
  ObjectDamaged,
  type ObjectInfo,
  type Objects,
  ObjectsError,
  type ProtectionChange,
  type PutOptions,
  type StagedObject,
  type VersionPage,
} from '../objects.ts';
import { hasSameMembers, keptOptions, NULL_VERSION } from '../objects-rules.ts';
import { toObjectsError } from './s3-error.ts';

export interface ForeignObjectsOptions {
  /** Where the API is, such as `https://s3.eu-central-1.amazonaws.com` or `http://127.0.0.1:7480`. Trusted: our operator's. */
  readonly endpoint: string;
  /** Region that requests are signed for, and that buckets are said to be in. */
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
  /** Where bodies wait that come in pieces: the built-in store. */
  readonly staging: Pick<Objects, 'stage' | 'join'>;
  /** Checks every address that is connected to. Absent: the endpoint is trusted wherever it leads. */
  readonly outboundGuard?: AddressGuard;
  /** A request without a body may take this long; 30 seconds when absent. Bodies get more, by their size. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A body that moves slower than this has stopped. */
const BYTES_PER_MS_MIN = 32;
/** Greater than every key that goes on after it. */
const LAST_CHARACTER = '\u{10ffff}';

/** Opens a client. Nothing is sent yet. */
export async function openForeignObjects(options: ForeignObjectsOptions): Promise<Objects> {
  // It warns about the version of Node on every start. Which versions we support is our own matter.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  // Loaded when it is needed: it takes a quarter of a second and 60 MB.
  const sdk = await import('@aws-sdk/client-s3');
  const agents = options.outboundGuard && createGuardedAgents(options.outboundGuard, { keepAlive: true, maxSockets: 50 });
  const client = new sdk.S3Client({
    endpoint: options.endpoint,
    region: options.region,
    credentials: options.credentials,
    forcePathStyle: true,
    maxAttempts: 1,
    // Else it writes to the console. What goes wrong is thrown, and told by whoever catches it.
    logger: { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      ...(agents && { httpAgent: agents.httpAgent, httpsAgent: agents.httpsAgent }),
    },
  });
  return new ForeignObjects(sdk, client, options, () => agents?.destroy());
}

/** A body that can be sent, and read again to compare. */
interface Source {
  readonly sizeBytes: number;
  readonly md5Hex: string;
  body(): Uint8Array | Readable;
  read(): AsyncIterable<Uint8Array>;
}

type Sdk = typeof import('@aws-sdk/client-s3');
type SdkCommand<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = Parameters<
  typeof S3Client.prototype.send<Input, Output>
>[0];

class ForeignObjects implements Objects {
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #clock: ForeignObjectsOptions['clock'];
  readonly #region: Region;
  readonly #staging: ForeignObjectsOptions['staging'];
  readonly #timeoutMs: number;
  readonly #release: () => void;
  /** By bucket and key: conditional puts, one at a time. */
  readonly #lock = new KeyedLock();

  constructor(sdk: Sdk, client: S3Client, options: ForeignObjectsOptions, release: () => void) {
    this.#sdk = sdk;
    this.#client = client;
    this.#clock = options.clock;
    this.#region = options.region as Region;
    this.#staging = options.staging;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#release = release;
  }

  // --- Buckets

  async createBucket(bucket: Bucket): Promise<void> {
    const { region } = bucket;
    const configuration = {
      ...(region !== 'us-east-1' && { CreateBucketConfiguration: { LocationConstraint: region as never } }),
      ...(bucket.objectLock !== undefined && { ObjectLockEnabledForBucket: true }),
    };
    try {
      await this.#send(new this.#sdk.CreateBucketCommand({ Bucket: bucket.name, ...configuration }));
    } catch (error) {
      if (hasReason(error, 'BucketAlreadyExists', 'BucketAlreadyOwnedByYou')) throw new BucketExists(bucket.name);
      throw error;
    }
    const { policy, versioning, objectLock } = bucket;
    if (policy !== undefined || versioning !== 'Off')
      await this.updateBucket(bucket.name, {
        ...(policy !== undefined && { policy }),
        ...(versioning !== 'Off' && { versioning }),
        ...(objectLock !== undefined && { objectLock }),
      });
  }

  async getBucket(name: BucketName): Promise<Bucket | undefined> {
    try {
      await this.#send(new this.#sdk.HeadBucketCommand({ Bucket: name }));
    } catch (error) {
      if (hasReason(error, 'NoSuchKey', 'NoSuchBucket')) return undefined;
      // It is there, and will not say more.
      if (!hasReason(error, 'AccessDenied')) throw error;
    }
    const [versioning, policy] = await Promise.all([this.#versioning(name), this.#policy(name)]);
    // A bucket with Object Lock keeps its versions.
    const objectLock = versioning === 'Enabled' ? await this.#objectLock(name) : undefined;
    return {
      name,
      region: this.#region,
      createdAtMs: 0,
      versioning,
      ...(policy !== undefined && { policy }),
      ...(objectLock !== undefined && { objectLock }),
    };
  }

  /** Whose a foreign bucket is, we cannot know. */
  async listBuckets(): Promise<readonly Bucket[]> {
    return [];
  }

  async updateBucket(name: BucketName, change: BucketUpdate): Promise<void> {
    const { policy, versioning, objectLock, ...others } = change;
    assert(Object.keys(others).length === 0, `a foreign bucket takes no ${Object.keys(others).join(', ')} from here`);
    if (policy === null) await this.#send(new this.#sdk.DeleteBucketPolicyCommand({ Bucket: name }), name);
    else if (policy !== undefined) await this.#send(new this.#sdk.PutBucketPolicyCommand({ Bucket: name, Policy: policy }), name);
    if (versioning !== undefined)
      await this.#send(new this.#sdk.PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: { Status: versioning } }), name);
    if (objectLock !== undefined) {
      const { mode, days, years } = objectLock.default ?? {};
      const retention = { Mode: mode, ...(days !== undefined && { Days: days }), ...(years !== undefined && { Years: years }) };
      const configuration = {
        ObjectLockEnabled: 'Enabled' as const,
        ...(mode !== undefined && { Rule: { DefaultRetention: retention } }),
      };
      await this.#send(new this.#sdk.PutObjectLockConfigurationCommand({ Bucket: name, ObjectLockConfiguration: configuration }), name);
    }
  }

  async deleteBucket(name: BucketName): Promise<void> {
    try {
      await this.#send(new this.#sdk.DeleteBucketCommand({ Bucket: name }), name);
    } catch (error) {
      throw hasReason(error, 'BucketNotEmpty') ? new BucketNotEmpty(name) : error;
    }
  }

  async #versioning(name: BucketName): Promise<Bucket['versioning']> {
    try {
      return (await this.#send(new this.#sdk.GetBucketVersioningCommand({ Bucket: name }))).Status ?? 'Off';
    } catch (error) {
      if (hasReason(error, 'AccessDenied', 'NotImplemented', 'MethodNotAllowed')) return 'Off';
      throw error;
    }
  }

  async #objectLock(name: BucketName): Promise<Bucket['objectLock']> {
    try {
      const { ObjectLockConfiguration: found } = await this.#send(new this.#sdk.GetObjectLockConfigurationCommand({ Bucket: name }));
      if (found?.ObjectLockEnabled !== 'Enabled') return undefined;
      const { Mode: mode, Days: days, Years: years } = found.Rule?.DefaultRetention ?? {};
      if (mode === undefined) return {};
      // Some services answer 0 for the one that is not set.
      return { default: { mode, ...(days ? { days } : { years: years ?? 0 }) } };
    } catch (error) {
      if (hasReason(error, 'ObjectLockConfigurationNotFoundError', 'AccessDenied', 'NotImplemented', 'MethodNotAllowed', 'InvalidRequest'))
        return undefined;
      throw error;
    }
  }

  async #policy(name: BucketName): Promise<string | undefined> {
    try {
      return (await this.#send(new this.#sdk.GetBucketPolicyCommand({ Bucket: name }))).Policy;
    } catch (error) {
      if (hasReason(error, 'NoSuchBucketPolicy', 'AccessDenied', 'NotImplemented', 'MethodNotAllowed')) return undefined;
      throw error;
    }
  }

  // --- Writing

  async put(bucket: BucketName, key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    const source = { sizeBytes: body.length, md5Hex: hash('md5', body), body: () => body, read: () => once(body) };
    return this.#putSource(bucket, key, source, options);
  }

  async stage(body: AsyncIterable<Uint8Array>): Promise<StagedObject> {
    return this.#adopt(await this.#staging.stage(body));
  }

  async join(parts: readonly StagedObject[]): Promise<StagedObject> {
    return this.#adopt(await this.#staging.join(parts));
  }

  async delete(
    bucket: BucketName,
    key: ObjectKey,
    versionId?: string,
    { bypassGovernance = false }: DeleteOptions = {},
  ): Promise<{ readonly deleteMarkerVersionId?: string }> {
    const input = {
      Bucket: bucket,
      Key: key,
      ...(versionId !== undefined && { VersionId: versionId }),
      ...(bypassGovernance && { BypassGovernanceRetention: true }),
    };
    const deleted = await this.#send(new this.#sdk.DeleteObjectCommand(input), bucket);
    return versionId === undefined && deleted.DeleteMarker && deleted.VersionId !== undefined
      ? { deleteMarkerVersionId: deleted.VersionId }
      : {};
  }

  async protect(
    bucket: BucketName,
    key: ObjectKey,
    versionId: string | undefined,
    change: ProtectionChange,
  ): Promise<ObjectInfo | undefined> {
    const { retention, legalHold, bypassGovernance = false } = change;
    const place = { Bucket: bucket, Key: key, ...(versionId !== undefined && { VersionId: versionId }) };
    try {
      if (retention !== undefined) {
        const value = retention === null ? {} : { Mode: retention.mode, RetainUntilDate: new Date(retention.untilMs) };
        const bypass = bypassGovernance ? { BypassGovernanceRetention: true } : {};
        await this.#send(new this.#sdk.PutObjectRetentionCommand({ ...place, ...bypass, Retention: value }), bucket);
      }
      if (legalHold !== undefined)
        await this.#send(new this.#sdk.PutObjectLegalHoldCommand({ ...place, LegalHold: { Status: legalHold ? 'ON' : 'OFF' } }), bucket);
    } catch (error) {
      if (hasReason(error, 'NoSuchKey', 'NoSuchVersion', 'MethodNotAllowed')) return undefined;
      throw error;
    }
    return this.head(bucket, key, versionId);
  }

  #adopt(staged: StagedObject): StagedObject {
    const { sizeBytes, md5Hex } = staged;
    const source = { sizeBytes, md5Hex, read: () => staged.read(), body: () => Readable.from(staged.read(), { objectMode: false }) };
    return {
      sizeBytes,
      md5Hex,
      read: () => staged.read(),
      commit: (bucket, key, options) => this.#putSource(bucket, key, source, options),
      discard: () => staged.discard(),
    };
  }

  async #putSource(bucket: BucketName, key: ObjectKey, source: Source, options: PutOptions): Promise<ObjectInfo> {
    if (options.mustBeFree) return this.#putOnFree(bucket, key, source, options);
    if (!options.ifNoneMatch) return this.#putOnce(bucket, key, source, options);
    return this.#lock.run(`${bucket}/${key}`, async () => {
      const before = await this.#look(bucket, key);
      if (before !== undefined) return this.#requireSame(bucket, key, before, source, options);
      try {
        return await this.#putOnce(bucket, key, source, options);
      } catch (error) {
        // A service that does not know the condition: we have just looked.
        if (hasReason(error, 'NotImplemented')) return this.#putOnce(bucket, key, source, { ...options, ifNoneMatch: false });
        if (!hasReason(error, 'PreconditionFailed', 'ConditionalRequestConflict')) throw error;
        const now = await this.#look(bucket, key);
        if (now === undefined) throw error;
        return this.#requireSame(bucket, key, now, source, options);
      }
    });
  }

  async #putOnFree(bucket: BucketName, key: ObjectKey, source: Source, options: PutOptions): Promise<ObjectInfo> {
    const taken = (cause?: unknown) => new ObjectConflict(bucket, key, 'is there already', { cause });
    return this.#lock.run(`${bucket}/${key}`, async () => {
      if ((await this.#look(bucket, key)) !== undefined) throw taken();
      try {
        return await this.#putOnce(bucket, key, source, { ...options, ifNoneMatch: true });
      } catch (error) {
        // A service that does not know the condition: we have just looked.
        if (hasReason(error, 'NotImplemented')) return this.#putOnce(bucket, key, source, { ...options, ifNoneMatch: false });
        if (hasReason(error, 'PreconditionFailed')) throw taken(error);
        throw error;
      }
    });
  }

  async #putOnce(bucket: BucketName, key: ObjectKey, source: Source, options: PutOptions): Promise<ObjectInfo> {
    const { headers = {} } = options;
    const input: PutObjectCommandInput = {
      Bucket: bucket,
      Key: key,
      Body: source.body(),
      ContentLength: source.sizeBytes,
      // Buckets with Object Lock demand it; and the service then checks what arrived.
      ContentMD5: Buffer.from(source.md5Hex, 'hex').toString('base64'),
      ...(options.ifNoneMatch && { IfNoneMatch: '*' }),
      ...(options.acl !== undefined && { ACL: options.acl }),
      ...(options.encryption !== undefined && encryptionInput(options.encryption)),
      ...(options.contentType !== undefined && { ContentType: options.contentType }),
      ...(options.contentEncoding !== undefined && { ContentEncoding: options.contentEncoding }),
      ...(options.metadata !== undefined && { Metadata: { ...options.metadata } }),
      ...(options.retention !== undefined && {
        ObjectLockMode: options.retention.mode,
        ObjectLockRetainUntilDate: new Date(options.retention.untilMs),
      }),
      ...(options.legalHold !== undefined && { ObjectLockLegalHoldStatus: options.legalHold ? ('ON' as const) : ('OFF' as const) }),
      ...(headers['cache-control'] !== undefined && { CacheControl: headers['cache-control'] }),
      ...(headers['content-disposition'] !== undefined && { ContentDisposition: headers['content-disposition'] }),
      ...(headers['content-language'] !== undefined && { ContentLanguage: headers['content-language'] }),
    };
    const answer = await this.#send(new this.#sdk.PutObjectCommand(input), bucket, this.#timeoutFor(source.sizeBytes));
    const etag = unquote(answer.ETag);
    if (isMd5Etag(etag, answer.ServerSideEncryption) && etag !== source.md5Hex)
      throw new ObjectsError(
        'BadDigest',
        `the store says that it holds other bytes at \`${bucket}/${key}\` than were sent: ETag \`${etag}\``,
      );
    return {
      key,
      sizeBytes: source.sizeBytes,
      etag,
      modifiedAtMs: this.#clock.nowMs(),
      versionId: toVersionId(answer.VersionId),
      isLatest: true,
      isDeleteMarker: false,
      ...keptOptions(options),
      ...(options.retention !== undefined && { retention: options.retention }),
      ...(options.legalHold !== undefined && { legalHold: options.legalHold }),
    };
  }

  /** What is at a key; `undefined` when it is free, or when our credentials may not look. */
  async #look(bucket: BucketName, key: ObjectKey): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.#send(new this.#sdk.HeadObjectCommand({ Bucket: bucket, Key: key }));
    } catch (error) {
      if (hasReason(error, 'NoSuchKey', 'AccessDenied')) return undefined;
      throw error;
    }
  }

  /** @throws ObjectConflict when the object that is there is not the one that would be put */
  async #requireSame(
    bucket: BucketName,
    key: ObjectKey,
    there: HeadObjectCommandOutput,
    source: Source,
    options: PutOptions,
  ): Promise<ObjectInfo> {
    const isAlike =
      there.ContentLength === source.sizeBytes &&
      hasSameMembers(there.Metadata ?? {}, options.metadata ?? {}) &&
      // Stores fill in a type of their own where none was given.
      (options.contentType === undefined || options.contentType === there.ContentType) &&
      (options.contentEncoding ?? '') === (there.ContentEncoding ?? '');
    if (!isAlike) throw new ObjectConflict(bucket, key);
    const etag = unquote(there.ETag);
    const isSame = (isMd5Etag(etag, there.ServerSideEncryption) && etag === source.md5Hex) || (await this.#holds(bucket, key, source));
    if (!isSame) throw new ObjectConflict(bucket, key);
    return infoOf(key, there, true);
  }

  /** Compares bytes: an encrypted object's ETag says nothing about them. */
  async #holds(bucket: BucketName, key: ObjectKey, source: Source): Promise<boolean> {
    const found = await this.get(bucket, key);
    return found !== undefined && (await hashOf(found.body)) === (await hashOf(source.read()));
  }

  // --- Reading

  async head(bucket: BucketName, key: ObjectKey, versionId?: string): Promise<ObjectInfo | undefined> {
    const version = versionId === undefined ? {} : { VersionId: versionId };
    try {
      const found = await this.#send(new this.#sdk.HeadObjectCommand({ Bucket: bucket, Key: key, ...version }));
      return infoOf(key, found, await this.#isLatest(bucket, key, versionId));
    } catch (error) {
      if (hasReason(error, 'NoSuchKey')) {
        // The answer has no body, so it does not say which of the two is missing.
        if ((await this.getBucket(bucket)) === undefined) throw new BucketMissing(bucket);
        return undefined;
      }
      if (hasReason(error, 'NoSuchVersion', 'MethodNotAllowed', 'BadRequest', 'InvalidArgument')) return undefined;
      throw error;
    }
  }

  async get(bucket: BucketName, key: ObjectKey, options: Parameters<Objects['get']>[2] = {}): ReturnType<Objects['get']> {
    const { versionId, range } = options;
    const input = {
      Bucket: bucket,
      Key: key,
      ...(versionId !== undefined && { VersionId: versionId }),
      ...(range !== undefined && { Range: `bytes=${range[0]}-${range[1]}` }),
    };
    let found: GetObjectCommandOutput;
    try {
      found = await this.#send(new this.#sdk.GetObjectCommand(input), bucket);
    } catch (error) {
      if (hasReason(error, 'NoSuchKey', 'NoSuchVersion', 'MethodNotAllowed')) return undefined;
      throw error;
    }
    const info = infoOf(key, found, await this.#isLatest(bucket, key, versionId));
    const md5Hex = range === undefined && isMd5Etag(info.etag, found.ServerSideEncryption) ? info.etag : undefined;
    return { info, body: this.#body(bucket, key, found, md5Hex) };
  }

  async list(bucket: BucketName, options: ListOptions): Promise<ListPage> {
    const { prefix, delimiter, limit } = options;
    const after = placeAfter(options);
    const input = {
      Bucket: bucket,
      MaxKeys: limit,
      // XML cannot hold every character of a key.
      EncodingType: 'url' as const,
      ...(prefix && { Prefix: prefix }),
      ...(delimiter && { Delimiter: delimiter }),
      ...(after !== undefined && { StartAfter: after }),
    };
    const page = await this.#send(new this.#sdk.ListObjectsV2Command(input), bucket);
    const objects = (page.Contents ?? []).map(
      (each): ObjectInfo => ({
        key: decode(each.Key) as ObjectKey,
        sizeBytes: each.Size ?? 0,
        etag: unquote(each.ETag),
        modifiedAtMs: toMs(each.LastModified),
        versionId: null,
        isLatest: true,
        isDeleteMarker: false,
        metadata: {},
      }),
    );
    const commonPrefixes = (page.CommonPrefixes ?? []).map((each) => decode(each.Prefix));
    const last = lastOf([objects.at(-1)?.key, commonPrefixes.at(-1)]);
    return { objects, commonPrefixes, ...(page.IsTruncated && last !== undefined && { next: last }) };
  }

  async listVersions(bucket: BucketName, options: ListOptions & { readonly afterVersionId?: string }): Promise<VersionPage> {
    const { prefix, delimiter, limit, after, afterVersionId } = options;
    const keyMarker = afterVersionId ? after : placeAfter(options);
    const input = {
      Bucket: bucket,
      MaxKeys: limit,
      EncodingType: 'url' as const,
      ...(prefix && { Prefix: prefix }),
      ...(delimiter && { Delimiter: delimiter }),
      ...(keyMarker !== undefined && { KeyMarker: keyMarker }),
      ...(afterVersionId && { VersionIdMarker: afterVersionId }),
    };
    const page = await this.#send(new this.#sdk.ListObjectVersionsCommand(input), bucket);
    const versions = [
      ...(page.Versions ?? []).map((each) =>
        versionOf(each, { sizeBytes: each.Size ?? 0, etag: unquote(each.ETag), isDeleteMarker: false }),
      ),
      ...(page.DeleteMarkers ?? []).map((each) => versionOf(each, { sizeBytes: 0, etag: '', isDeleteMarker: true })),
    ];
    versions.sort(byKeyNewestFirst);
    const commonPrefixes = (page.CommonPrefixes ?? []).map((each) => decode(each.Prefix));
    const next = page.IsTruncated ? { key: decode(page.NextKeyMarker), versionId: page.NextVersionIdMarker ?? '' } : undefined;
    return { versions, commonPrefixes, ...(next && { next }) };
  }

  async close(): Promise<void> {
    this.#client.destroy();
    this.#release();
  }

  async #isLatest(bucket: BucketName, key: ObjectKey, versionId: string | undefined): Promise<boolean> {
    if (versionId === undefined) return true;
    const current = await this.#look(bucket, key);
    return (current?.VersionId ?? NULL_VERSION) === versionId;
  }

  /** The body of an answer within a time limit that runs from now, checked against its MD5 where that is known. */
  #body(bucket: BucketName, key: ObjectKey, answer: GetObjectCommandOutput, md5Hex: string | undefined): AsyncGenerator<Uint8Array> {
    const body = answer.Body as Readable;
    const sizeBytes = answer.ContentLength ?? 0;
    const done = new AbortController();
    body.once('close', () => done.abort());
    // Also for one who never reads it: else the connection would stay open.
    void this.#clock.sleep(this.#timeoutFor(sizeBytes), done.signal).then(() => {
      if (!done.signal.aborted) body.destroy(new ObjectsError('RequestTimeout', `reading \`${bucket}/${key}\` took too long`));
    });
    // Told to who reads; nobody else need know.
    body.on('error', () => undefined);
    return checked(body, sizeBytes, md5Hex, `${bucket}/${key}`, (detail) => new ObjectDamaged(bucket, key, detail));
  }

  // --- Around every request

  #timeoutFor(sizeBytes: number): number {
    return this.#timeoutMs + Math.ceil(sizeBytes / BYTES_PER_MS_MIN);
  }

  /** @throws BucketMissing when `bucket` is given and the service says so; else ObjectsError with the service's code. */
  async #send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    command: SdkCommand<Input, Output>,
    bucket?: BucketName,
    timeoutMs = this.#timeoutMs,
  ): Promise<Output> {
    const [done, late] = [new AbortController(), new AbortController()];
    const limit = this.#clock.sleep(timeoutMs, done.signal).then(() => {
      if (!done.signal.aborted) late.abort();
    });
    try {
      return await this.#client.send(command, { abortSignal: late.signal });
    } catch (error) {
      const told = late.signal.aborted
        ? new ObjectsError('RequestTimeout', `the store did not answer within ${timeoutMs} ms`, { cause: error })
        : toObjectsError(error, bucket ?? 'the store');
      throw bucket !== undefined && told.reason === 'NoSuchBucket' ? new BucketMissing(bucket) : told;
    } finally {
      done.abort();
      await limit;
    }
  }
}

function ignore(): void {}

function hasReason(error: unknown, ...reasons: readonly string[]): boolean {
  return error instanceof ObjectsError && reasons.includes(error.reason);
}

function infoOf(key: ObjectKey, answer: HeadObjectCommandOutput | GetObjectCommandOutput, isLatest: boolean): ObjectInfo {
  const total = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1];
  const headers = {
    ...(answer.CacheControl !== undefined && { 'cache-control': answer.CacheControl }),
    ...(answer.ContentDisposition !== undefined && { 'content-disposition': answer.ContentDisposition }),
    ...(answer.ContentLanguage !== undefined && { 'content-language': answer.ContentLanguage }),
  };
  return {
    key,
    sizeBytes: total === undefined ? (answer.ContentLength ?? 0) : Number(total),
    etag: unquote(answer.ETag),
    modifiedAtMs: toMs(answer.LastModified),
    versionId: toVersionId(answer.VersionId),
    isLatest,
    isDeleteMarker: false,
    ...(answer.ContentType !== undefined && { contentType: answer.ContentType }),
    ...(answer.ContentEncoding !== undefined && { contentEncoding: answer.ContentEncoding }),
    ...(Object.keys(headers).length > 0 && { headers }),
    metadata: { ...answer.Metadata },
    ...(answer.ObjectLockMode !== undefined && {
      retention: { mode: answer.ObjectLockMode, untilMs: toMs(answer.ObjectLockRetainUntilDate) },
    }),
    ...(answer.ObjectLockLegalHoldStatus !== undefined && { legalHold: answer.ObjectLockLegalHoldStatus === 'ON' }),
  };
}

function versionOf(each: DeleteMarkerEntry, rest: Pick<ObjectInfo, 'sizeBytes' | 'etag' | 'isDeleteMarker'>): ObjectInfo {
  return {
    key: decode(each.Key) as ObjectKey,
    modifiedAtMs: toMs(each.LastModified),
    versionId: toVersionId(each.VersionId),
    isLatest: each.IsLatest ?? false,
    metadata: {},
    ...rest,
  };
}

/** Whether the ETag is the MD5 of the bytes: not for multipart uploads, and not for objects encrypted with KMS keys. */
function isMd5Etag(etag: string, encryption: string | undefined): boolean {
  return /^[0-9a-f]{32}$/.test(etag) && (encryption === undefined || encryption === 'AES256');
}

/**
 * Where a listing goes on. A key within a common prefix stands for all of it, as on the page before: so the service must
 * begin behind the last key that could be folded into it.
 */
function placeAfter({ prefix = '', delimiter = '', after }: ListOptions): string | undefined {
  if (after === undefined || delimiter === '' || !after.startsWith(prefix)) return after;
  const end = after.indexOf(delimiter, prefix.length);
  return end < 0 ? after : after.slice(0, end + delimiter.length) + LAST_CHARACTER;
}

/** The greatest in the order of UTF-8 bytes. */
function lastOf(texts: readonly (string | undefined)[]): string | undefined {
  return texts
    .filter((text) => text !== undefined)
    .sort(compareBytes)
    .at(-1);
}

function byKeyNewestFirst(one: ObjectInfo, other: ObjectInfo): number {
  return compareBytes(one.key, other.key) || Number(other.isLatest) - Number(one.isLatest) || other.modifiedAtMs - one.modifiedAtMs;
}

function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function decode(text: string | undefined): string {
  return decodeURIComponent((text ?? '').replaceAll('+', '%20'));
}

function unquote(etag: string | undefined): string {
  return (etag ?? '').replace(/^"(.*)"$/, '$1');
}

function toVersionId(text: string | undefined): string | null {
  return text === undefined || text === NULL_VERSION ? null : text;
}

function toMs(time: Date | undefined): EpochMs {
  return time?.getTime() ?? 0;
}

/** The pieces of a body; the last one comes only when all of them are right. */
async function* checked(
  body: Readable,
  sizeBytes: number,
  md5Hex: string | undefined,
  what: string,
  damaged: (detail: string) => Error,
): AsyncGenerator<Uint8Array> {
  const hashing = createHash('md5');
  let readBytes = 0;
  let held: Uint8Array | undefined;
  try {
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      hashing.update(piece);
      readBytes += piece.length;
      if (held !== undefined) yield held;
      held = piece;
    }
    if (readBytes !== sizeBytes) throw damaged(`${readBytes} bytes came instead of ${sizeBytes}`);
    if (md5Hex !== undefined && hashing.digest('hex') !== md5Hex) throw damaged(`its bytes do not have the MD5 \`${md5Hex}\``);
    if (held !== undefined) yield held;
  } catch (error) {
    throw toObjectsError(error, what);
  } finally {
    body.destroy();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function hashOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const hashing = createHash('sha256');
  for await (const piece of body) hashing.update(piece);
  return hashing.digest('hex');
}

/** What of an encryption goes to the service, which makes the data key itself. */
function encryptionInput({ algorithm, keyArn, context, isBucketKey }: Encryption): Partial<PutObjectCommandInput> {
  return {
    ServerSideEncryption: algorithm,
    ...(keyArn !== undefined && { SSEKMSKeyId: keyArn }),
    ...(context !== undefined && { SSEKMSEncryptionContext: Buffer.from(JSON.stringify(context)).toString('base64') }),
    ...(isBucketKey && { BucketKeyEnabled: true }),
  };
}
