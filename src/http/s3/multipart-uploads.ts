/**
 * Uploads in parts that are under way.
 *
 * They live in this process only: after a restart a client gets `NoSuchUpload` and begins again, as S3 clients do.
 * Parts are staged bodies on disk; an upload nobody touches for a day is dropped.
 */
import type { AccountId, BucketName, EpochMs, ObjectKey } from '../../event/types.ts';
import type { Chance, Clock } from '../../store/clock.ts';
import type { DataKey, PutOptions, StagedObject } from '../../store/objects.ts';
import type { ChecksumAlgorithm, ChecksumType } from './checksums.ts';
import { s3Error } from './errors.ts';

const IDLE_MS_MAX = 24 * 3600_000;
/** Most uploads of one account, so that none keeps the others from theirs. */
const UPLOADS_MAX = 1_000;

export interface Part {
  readonly number: number;
  readonly staged: StagedObject;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: EpochMs;
  /** Base64, by the upload's algorithm. */
  readonly checksum?: string;
}

export interface NewUpload {
  readonly account: AccountId;
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  readonly options: PutOptions;
  /** What its parts and the object are encrypted with. */
  readonly dataKey?: DataKey;
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType };
}

export class Upload {
  readonly id: string;
  readonly target: NewUpload;
  readonly initiatedAtMs: EpochMs;
  /** By number. Changed by `setPart` and `dispose` only. */
  readonly #parts = new Map<number, Part>();
  /** True while it is being completed, and after it was completed or aborted: no part is taken any more. */
  isClosed = false;
  /** By the monotonic clock. */
  touchedAtMs: number;

  constructor(id: string, target: NewUpload, times: { readonly nowMs: EpochMs; readonly monotonicMs: number }) {
    this.id = id;
    this.target = target;
    this.initiatedAtMs = times.nowMs;
    this.touchedAtMs = times.monotonicMs;
  }

  /** In the order of their numbers. */
  parts(): readonly Part[] {
    return [...this.#parts.values()].sort((a, b) => a.number - b.number);
  }

  part(number: number): Part | undefined {
    return this.#parts.get(number);
  }

  /** Takes a part; one of the same number that came before is forgotten. @throws ApiError NoSuchUpload */
  async setPart(part: Part): Promise<void> {
    if (this.isClosed) {
      await part.staged.discard();
      throw s3Error('NoSuchUpload', { details: { UploadId: this.id } });
    }
    const before = this.#parts.get(part.number);
    this.#parts.set(part.number, part);
    await before?.staged.discard();
  }

  /** Forgets all parts. */
  async dispose(): Promise<void> {
    this.isClosed = true;
    const parts = [...this.#parts.values()];
    this.#parts.clear();
    await Promise.allSettled(parts.map(({ staged }) => staged.discard()));
  }
}

export class MultipartUploads {
  readonly #clock: Clock;
  readonly #chance: Chance;
  /** By id, oldest first. */
  readonly #uploads = new Map<string, Upload>();

  constructor(clock: Clock, chance: Chance) {
    this.#clock = clock;
    this.#chance = chance;
  }

  /** An id for an upload that is yet to begin. */
  newId(): string {
    return Buffer.from(this.#chance.bytes(48)).toString('base64url');
  }

  /** @throws ApiError SlowDown when too many of the account are under way. */
  async begin(id: string, target: NewUpload): Promise<Upload> {
    await this.#dropIdle();
    const own = [...this.#uploads.values()].filter(({ target: { account } }) => account === target.account);
    if (own.length >= UPLOADS_MAX)
      throw s3Error('SlowDown', { message: `${UPLOADS_MAX} multipart uploads are under way; complete or abort some` });
    const upload = new Upload(id, target, { nowMs: this.#clock.nowMs(), monotonicMs: this.#clock.monotonicMs() });
    this.#uploads.set(id, upload);
    return upload;
  }

  /** @throws ApiError NoSuchUpload when there is none of that id for this object. */
  find(bucket: BucketName, key: ObjectKey, id: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload === undefined || upload.isClosed || upload.target.bucket !== bucket || upload.target.key !== key) {
      throw s3Error('NoSuchUpload', { details: { UploadId: id.slice(0, 256) } });
    }
    upload.touchedAtMs = this.#clock.monotonicMs();
    return upload;
  }

  /** Uploads of a bucket by key, then age. */
  list(bucket: BucketName): readonly Upload[] {
    return [...this.#uploads.values()]
      .filter((upload) => upload.target.bucket === bucket && !upload.isClosed)
      .sort((a, b) => Buffer.compare(Buffer.from(a.target.key), Buffer.from(b.target.key)) || a.initiatedAtMs - b.initiatedAtMs);
  }

  /** Ends an upload, whether it was completed or aborted. */
  async end(upload: Upload): Promise<void> {
    this.#uploads.delete(upload.id);
    await upload.dispose();
  }

  /** Ends all uploads to a bucket that is gone. */
  async forget(bucket: BucketName): Promise<void> {
    await Promise.all(this.list(bucket).map((upload) => this.end(upload)));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#uploads.values()].map((upload) => this.end(upload)));
  }

  async #dropIdle(): Promise<void> {
    const before = this.#clock.monotonicMs() - IDLE_MS_MAX;
    await Promise.all([...this.#uploads.values()].filter((upload) => upload.touchedAtMs < before).map((upload) => this.end(upload)));
  }
}
