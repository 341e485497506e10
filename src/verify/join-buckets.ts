/**
 * Several buckets, read as one source: the places of trails that were moved.
 *
 * Each key begins with its bucket's name and a slash, as in a folder of copies. Nothing else is lost: metadata, versions
 * and the place of every file are those of its bucket.
 */
import type { EvidenceSource, Fetched, ListedSource } from './source.ts';

/** @param parts Buckets, each as far as its prefix; a bucket may be there with several prefixes. */
export function joinBuckets(parts: readonly EvidenceSource[]): ListedSource {
  const partOf = (bucket: string) => parts.find((each) => each.bucket === bucket);
  const notRead = (bucket: string): Fetched => ({ kind: 'unreadable', reason: `\`${bucket}\` is no bucket that is read` });
  return {
    name: parts.map(({ name }) => name).join(', '),
    kind: 'bucket',
    parts,
    jobs: Math.max(...parts.map(({ jobs }) => jobs)),
    get: async (joined, bytesMax) => {
      const { bucket, key } = splitKey(joined);
      return partOf(bucket)?.get(key, bytesMax) ?? notRead(bucket);
    },
    getVersion: async (joined, versionId, bytesMax) => {
      const { bucket, key } = splitKey(joined);
      return partOf(bucket)?.getVersion?.(key, versionId, bytesMax) ?? notRead(bucket);
    },
    versionsUnknown: () => {
      const unknown = parts.flatMap((part) => {
        const versions = part.versionsUnknown();
        return versions === undefined ? [] : { kind: versions.kind, reason: `\`${part.name}\`: ${versions.reason}` };
      });
      return unknown.find(({ kind }) => kind === 'refused') ?? unknown[0];
    },
  };
}

/** The bucket of a key of the source, and the key there. A folder is of no bucket. */
export function bucketOf(source: ListedSource, key: string): { readonly bucket: string | undefined; readonly key: string } {
  return source.parts === undefined ? { bucket: source.bucket, key } : splitKey(key);
}

/** The key in the source of what lies in a bucket; `undefined` when the source is not of that bucket, or not of that prefix of it. */
export function keyIn(source: ListedSource, bucket: string | null, key: string): string | undefined {
  const parts: readonly Pick<EvidenceSource, 'bucket' | 'prefix'>[] = source.parts ?? [source];
  if (!parts.some((part) => part.bucket !== undefined && part.bucket === bucket && key.startsWith(part.prefix ?? ''))) return undefined;
  return source.parts === undefined ? key : `${bucket}/${key}`;
}

function splitKey(joined: string): { readonly bucket: string; readonly key: string } {
  const slash = joined.indexOf('/');
  return { bucket: joined.slice(0, slash), key: joined.slice(slash + 1) };
}
