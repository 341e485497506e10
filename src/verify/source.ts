/**
 * Where evidence is read from: a folder, or a bucket.
 *
 * Everything that comes from a source is untrusted. Promises, for every implementation:
 * - A key is the object's key in the bucket, or the path below the folder, with `/` between names.
 * - `list` gives each key once, in any order. Keys that cannot be evidence (no `AWSLogs/` in them) may be left out.
 * - `get` never reads outside of the source, whatever the key says, and never more than `bytesMax` bytes.
 * - What cannot be reached or read is said so; it is never taken for absent.
 */

/** One key of the source. */
export interface ListedObject {
  readonly key: string;
  /** Of the newest version. */
  readonly sizeBytes: number;
  /** False when the newest version is a delete marker. */
  readonly isPresent: boolean;
  /** Number of versions that hold different bytes, as far as the source can tell; 1 where it keeps none. */
  readonly contents: number;
  /** Ids of the versions that are there, delete markers apart: where the newest one is a marker, or they may hold different bytes. */
  readonly versionIds?: readonly string[];
}

export type Fetched =
  | {
      readonly kind: 'object';
      readonly bytes: Uint8Array;
      /** User metadata without the `x-amz-meta-` prefix; absent where the source keeps none (a copied folder). */
      readonly metadata?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'missing' }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'unreadable'; readonly reason: string };

export interface EvidenceSource {
  /** For people, such as `s3://evidence` or the folder's path. */
  readonly name: string;
  /** A bucket is the place itself. A folder is a copy, whose own place nobody can check. */
  readonly kind: 'folder' | 'bucket';
  /** The bucket's name; absent for a folder. */
  readonly bucket?: string;
  /** Keys that do not begin with it are not listed; absent when all are. */
  readonly prefix?: string;
  /** Most reads at once that help. */
  readonly jobs: number;
  /** @throws SourceUnreachable */
  list(): AsyncIterable<ListedObject>;
  get(key: string, bytesMax: number): Promise<Fetched>;
  /** One version of it; absent where none are kept. */
  getVersion?(key: string, versionId: string, bytesMax: number): Promise<Fetched>;
  /** Why versions and delete markers could not be listed; to be asked after `list`. Absent when they were. */
  versionsUnknown(): VersionsUnknown | undefined;
}

export interface VersionsUnknown {
  /** `none`: the place keeps no versions. `refused`: it may keep some, and did not say. */
  readonly kind: 'none' | 'refused';
  readonly reason: string;
}

/** A source whose keys were listed: the one that was given, or several buckets together. */
export interface ListedSource extends Omit<EvidenceSource, 'list'> {
  /** The buckets that it joins: its keys begin with the bucket's name and a slash. Absent when it joins none. */
  readonly parts?: readonly EvidenceSource[];
}

/** The source cannot be listed. The verdict is "incomplete", never "tampered". */
export class SourceUnreachable extends Error {
  override readonly name = 'SourceUnreachable';
}
