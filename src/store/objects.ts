/**
 * The objects: buckets and what is in them. The built-in S3 subset serves them; trails deliver to them.
 *
 * Promises, for every implementation (`test/stores/objects.contract.ts`):
 * - `put` returns when the object would survive a power cut; no reader ever sees half of it.
 * - `put` with `ifNoneMatch` stores when the key is free; on a key that holds the same bytes and metadata it succeeds
 *   again (a follower may repeat a batch), on other bytes it throws `ObjectConflict`; with `mustBeFree` on any bytes.
 * - Listings are in the order of the keys' UTF-8 bytes, and each page is a snapshot.
 * - A version that Object Lock protects is not deleted, by whomever, and not with its bucket (`object-lock.ts`).
 * - A key never becomes a path outside of the store (A60).
 *
 * A foreign S3 (`store/s3`) keeps the same promises as far as the service behind it does; where it ignores conditional
 * puts, the implementation reads the current object first (reliability.md P3).
 */
import type { AccountId, BucketName, EpochMs, ObjectKey, Region } from '../event/types.ts';

export interface Bucket {
  readonly name: BucketName;
  /** Owner. Absent for a foreign bucket, whose owner we cannot know. */
  readonly owner?: AccountId;
  readonly region: Region;
  readonly createdAtMs: EpochMs;
  readonly versioning: 'Off' | 'Enabled' | 'Suspended';
  /** The bucket policy's JSON text as it was put; absent when there is none, or when a foreign store will not tell. */
  readonly policy?: string;
  /** Object Lock is on, which it stays for ever; such a bucket keeps its versions. Absent: it is off. */
  readonly objectLock?: { readonly default?: DefaultRetention };
  /** How objects are encrypted that are put without saying how; the key is as its owner named it. Absent: not at all. */
  readonly encryption?: DefaultEncryption;
  /** Absent: ACLs are on. Not known of a foreign bucket, nor are the members below. */
  readonly ownership?: ObjectOwnership;
  readonly publicAccessBlock?: PublicAccessBlock;
  /** In the order in which they were given. */
  readonly tags?: readonly (readonly [key: string, value: string])[];
  readonly lifecycle?: readonly LifecycleRule[];
}

/** What happens to objects as they grow old. */
export interface LifecycleRule {
  readonly id: string;
  readonly isEnabled: boolean;
  readonly filter: LifecycleFilter;
  readonly expiration?: LifecycleExpiration;
  /** Of versions that are not current any more: so many days after they were replaced, but for the newest `keptCount` of them. */
  readonly noncurrentExpiration?: { readonly days: number; readonly keptCount?: number };
  /** Uploads in parts are aborted so many days after they began. */
  readonly abortDays?: number;
}

/** Which objects a rule is about; sizes in bytes, not included. */
export interface LifecycleFilter {
  readonly prefix?: string;
  readonly sizeGreaterThan?: number;
  readonly sizeLessThan?: number;
  /** It was put in the form before filters, and is answered so. */
  readonly isLegacy?: true;
}

/** `delete-marker`: delete markers before nothing. */
export type LifecycleExpiration =
  | { readonly kind: 'days'; readonly days: number }
  | { readonly kind: 'date'; readonly atMs: EpochMs }
  | { readonly kind: 'delete-marker' };

/** With `BucketOwnerEnforced` there are no ACLs. */
export type ObjectOwnership = 'BucketOwnerEnforced' | 'BucketOwnerPreferred' | 'ObjectWriter';

/** What keeps a bucket from being open to everybody. */
export interface PublicAccessBlock {
  readonly blockPublicAcls: boolean;
  readonly ignorePublicAcls: boolean;
  readonly blockPublicPolicy: boolean;
  readonly restrictPublicBuckets: boolean;
}

export interface DefaultEncryption {
  readonly algorithm: Encryption['algorithm'];
  /** Id, ARN or alias; with `aws:kms` only. */
  readonly keyId?: string;
  readonly isBucketKey?: boolean;
}

/** How the built-in store encrypts an object at rest, and what a foreign one is asked for or tells. */
export interface Encryption {
  /** `AES256`: under a key of the store. `aws:kms`: under a KMS key. */
  readonly algorithm: 'AES256' | 'aws:kms';
  /** ARN; only with `aws:kms`. */
  readonly keyArn?: string;
  /** Encryption context of the data key; only with `aws:kms`, and not told by a foreign store. */
  readonly context?: Readonly<Record<string, string>>;
  readonly isBucketKey?: boolean;
  /** Of the built-in store: the data key, wrapped, base64. */
  readonly dataKey?: string;
  /** Of the built-in store: what is needed besides the data key (`sealed-objects.ts`). */
  readonly sealed?: { readonly salt: string; readonly sizeBytes: number; readonly content: string };
}

/** A key that an object is encrypted with, in the clear: held for the length of one call. */
export interface DataKey {
  readonly plain: Uint8Array;
  /** With the key as it is kept, wrapped. */
  readonly encryption: Encryption & { readonly dataKey: string };
}

/** Opens the data key of an object. @throws Error as the reader is to be refused. */
export type OpenDataKey = (encryption: Encryption & { readonly dataKey: string }) => Promise<Uint8Array>;

/** What of a bucket can be changed; `null` takes away, an absent member stays. */
export interface BucketUpdate {
  readonly policy?: string | null;
  readonly versioning?: 'Enabled' | 'Suspended';
  /** Turns Object Lock on, or changes its default. */
  readonly objectLock?: NonNullable<Bucket['objectLock']>;
  readonly encryption?: DefaultEncryption | null;
  readonly ownership?: ObjectOwnership | null;
  readonly publicAccessBlock?: PublicAccessBlock | null;
  readonly tags?: NonNullable<Bucket['tags']> | null;
  readonly lifecycle?: readonly LifecycleRule[] | null;
}

/** Retention of objects that are put without one. One of `days` and `years`. */
export interface DefaultRetention {
  readonly mode: RetentionMode;
  readonly days?: number;
  readonly years?: number;
}

export type RetentionMode = 'GOVERNANCE' | 'COMPLIANCE';

export interface Retention {
  readonly mode: RetentionMode;
  readonly untilMs: EpochMs;
}

/** A change of what protects a version. An absent member stays as it is. */
export interface ProtectionChange {
  /** `null` takes it away. */
  readonly retention?: Retention | null;
  readonly legalHold?: boolean;
  /** The version as it was found: what is changed must be as it was then. Not kept by a foreign store. */
  readonly expected?: Pick<ObjectInfo, 'retention' | 'legalHold'>;
  /** The caller may, and wants to, go past GOVERNANCE. */
  readonly bypassGovernance?: boolean;
}

export interface ObjectInfo {
  readonly key: ObjectKey;
  readonly sizeBytes: number;
  /** Without quotes: MD5 in hexadecimal digits, or `<md5 of md5s>-<parts>` for a multipart upload. */
  readonly etag: string;
  readonly modifiedAtMs: EpochMs;
  /** `null` for an object written while versioning was off. */
  readonly versionId: string | null;
  readonly isLatest: boolean;
  readonly isDeleteMarker: boolean;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  /** Further headers that S3 keeps: `cache-control`, `content-disposition`, `content-language`, `expires`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** User metadata without the `x-amz-meta-` prefix, lower-case names. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Checksums given or asked for, base64 by algorithm: `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1`, `SHA256`. */
  readonly checksums?: Readonly<Record<string, string>>;
  /** Until when it may not be deleted. Not in the listings of a foreign store. */
  readonly retention?: Retention;
  /** True: it may not be deleted. False: it was held once. Absent: never, or a store does not tell. */
  readonly legalHold?: boolean;
  /** Absent: it lies at rest as it was put. */
  readonly encryption?: Encryption;
}

export interface PutOptions {
  /** The key must be free, or hold the very same: a follower may repeat its put. */
  readonly ifNoneMatch?: boolean;
  /** The key must be free, whatever it holds: the `If-None-Match: *` of a client. Of several at once one is stored. */
  readonly mustBeFree?: boolean;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly checksums?: Readonly<Record<string, string>>;
  /** Overrides the MD5 (multipart). */
  readonly etag?: string;
  /** Canned ACL to send to a foreign store; the built-in store keeps no ACLs but the owner's. */
  readonly acl?: 'bucket-owner-full-control' | 'private';
  /** In the place of the bucket's default. Not compared by `ifNoneMatch`. */
  readonly retention?: Retention;
  readonly legalHold?: boolean;
  /** What a foreign store is asked for. The built-in one encrypts with `dataKey`, or not at all. Not compared by `ifNoneMatch`. */
  readonly encryption?: Encryption;
  /** Of a body that was staged, the key that it was staged with counts. */
  readonly dataKey?: DataKey;
}

export interface DeleteOptions {
  /** The caller may, and wants to, delete what GOVERNANCE protects. */
  readonly bypassGovernance?: boolean;
  /** The version that is deleted, or hidden, must be the one of this time. Not kept by a foreign store. */
  readonly ifModifiedAtMs?: EpochMs;
}

export interface ListOptions {
  readonly prefix?: string;
  /** Keys that share the text up to the next delimiter after the prefix are folded into one common prefix. */
  readonly delimiter?: string;
  /** Only keys (and common prefixes) greater than this one. */
  readonly after?: string;
  /** 1 to 1,000. Objects and common prefixes count alike. */
  readonly limit: number;
}

export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  readonly commonPrefixes: readonly string[];
  /** Give it as `after` to go on; absent when this was the last page. */
  readonly next?: string;
}

export interface VersionPage {
  /** Versions and delete markers; by key, newest version first within a key. */
  readonly versions: readonly ObjectInfo[];
  readonly commonPrefixes: readonly string[];
  readonly next?: { readonly key: string; readonly versionId: string };
}

/** A body on its way into the store. It is not visible until `commit`. */
export interface StagedObject {
  readonly sizeBytes: number;
  readonly md5Hex: string;
  /** The bytes, as often as asked for, until `commit` or `discard`: so that another store can take them over. */
  read(): AsyncIterable<Uint8Array>;
  /**
   * Makes it the object at `key`, as `put` does. Durable when it resolves; once only. After a refusal it may be tried again.
   */
  commit(bucket: BucketName, key: ObjectKey, options: PutOptions): Promise<ObjectInfo>;
  /** Forgets it; also safe after `commit`. */
  discard(): Promise<void>;
}

/**
 * Every operation on objects throws BucketMissing where there is no such bucket, and ObjectsError `KeyTooLongError` or
 * `InvalidArgument` for a key that no object can have: empty, longer than 1,024 bytes, with NUL or half a character.
 * A version id `null` (the text) names the version that was written while versioning was off.
 */
export interface Objects {
  /**
   * @throws BucketExists when the name is taken, by whomever.
   * @throws ObjectsError InvalidBucketName
   */
  createBucket(bucket: Bucket): Promise<void>;
  getBucket(name: BucketName): Promise<Bucket | undefined>;
  /** Buckets of one owner, by name. */
  listBuckets(owner: AccountId): Promise<readonly Bucket[]>;
  /**
   * @param expected The bucket as it was found: what is changed must be as it was then. Not kept by a foreign store.
   * @throws ObjectsError InvalidBucketState where Object Lock and versioning would not go together, ChangedMeanwhile
   */
  updateBucket(name: BucketName, change: BucketUpdate, expected?: Bucket): Promise<void>;
  /**
   * Deletes a bucket that has no version that `listVersions` gives, and none that is protected though its bytes are gone.
   * @throws BucketNotEmpty
   */
  deleteBucket(name: BucketName): Promise<void>;

  put(bucket: BucketName, key: ObjectKey, body: Uint8Array, options?: PutOptions): Promise<ObjectInfo>;
  /** Takes a body in, piece by piece, without making it visible. Large bodies never lie in memory as a whole. */
  stage(body: AsyncIterable<Uint8Array>, dataKey?: DataKey): Promise<StagedObject>;
  /** Joins staged parts in order into a new staged body (multipart upload). */
  join(parts: readonly StagedObject[], dataKey?: DataKey): Promise<StagedObject>;
  head(bucket: BucketName, key: ObjectKey, versionId?: string): Promise<ObjectInfo | undefined>;
  /**
   * Reads an object, or `[first, last]` (both inclusive, in bytes) of it. `undefined` when there is none, or when
   * the newest version is a delete marker.
   * @throws ObjectDamaged when the stored bytes are not the ones that were put: at once, or at the last piece.
   * @throws ObjectsError InvalidRange when the object ends before `first`.
   * @param options.openKey Asked for the data key of an encrypted object before any of its bytes is given.
   * @throws ObjectsError AccessDenied for an encrypted object and no `openKey`; what `openKey` throws.
   */
  get(
    bucket: BucketName,
    key: ObjectKey,
    options?: { readonly versionId?: string; readonly range?: readonly [number, number]; readonly openKey?: OpenDataKey },
  ): Promise<{ readonly info: ObjectInfo; readonly body: AsyncIterable<Uint8Array> } | undefined>;
  list(bucket: BucketName, options: ListOptions): Promise<ListPage>;
  listVersions(bucket: BucketName, options: ListOptions & { readonly afterVersionId?: string }): Promise<VersionPage>;
  /**
   * Deletes the object, or places a delete marker where versioning is on; with `versionId` that version for good.
   * @throws ObjectLocked when Object Lock protects the version, ObjectConflict when the one there is not the one that is expected
   */
  delete(
    bucket: BucketName,
    key: ObjectKey,
    versionId?: string,
    options?: DeleteOptions,
  ): Promise<{ readonly deleteMarkerVersionId?: string }>;
  /**
   * Changes what protects a version, or the newest one. Durable when it resolves.
   * @returns `undefined` when there is none, or a delete marker.
   * @throws ObjectLocked, ObjectsError InvalidRequest for a bucket without Object Lock, InvalidArgument, ChangedMeanwhile
   */
  protect(bucket: BucketName, key: ObjectKey, versionId: string | undefined, change: ProtectionChange): Promise<ObjectInfo | undefined>;
  close(): Promise<void>;
}

/** The store's refusals. `reason` is S3's code, so that `LatestDeliveryError` can show it. */
export class ObjectsError extends Error {
  override readonly name: string = 'ObjectsError';
  readonly reason: string;

  constructor(reason: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

export class BucketExists extends ObjectsError {
  override readonly name = 'BucketExists';
  constructor(name: string) {
    super('BucketAlreadyExists', `bucket \`${name}\` exists already`);
  }
}

export class BucketMissing extends ObjectsError {
  override readonly name = 'BucketMissing';
  constructor(name: string) {
    super('NoSuchBucket', `bucket \`${name}\` does not exist`);
  }
}

export class BucketNotEmpty extends ObjectsError {
  override readonly name = 'BucketNotEmpty';
  constructor(name: string) {
    super('BucketNotEmpty', `bucket \`${name}\` still holds objects; delete them first`);
  }
}

/** Another change came first. Nothing was changed. */
export class ChangedMeanwhile extends ObjectsError {
  override readonly name = 'ChangedMeanwhile';
  constructor() {
    super('OperationAborted', 'Another call changed the same setting at the same time. Try again.');
  }
}

/** The key is taken, by other bytes or by any. Nothing was written. */
export class ObjectConflict extends ObjectsError {
  override readonly name = 'ObjectConflict';
  constructor(bucket: string, key: string, what = 'holds other bytes already', options?: { cause?: unknown }) {
    super('PreconditionFailed', `\`${bucket}/${key}\` ${what}`, options);
  }
}

/** Stored bytes differ from what was put: a disk or a person changed them. */
export class ObjectDamaged extends ObjectsError {
  override readonly name = 'ObjectDamaged';
  constructor(bucket: string, key: string, detail: string) {
    super('InternalError', `\`${bucket}/${key}\` is damaged: ${detail}`);
  }
}
