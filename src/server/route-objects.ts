/**
 * Sends each bucket to the store that holds it: names in the configuration to a foreign S3, all others to the built-in
 * store (`storage.buckets`, experience.md §7).
 *
 * A foreign bucket's name is taken: nobody can make a built-in bucket that deliveries would go past.
 */
import type { BucketName } from '../event/types.ts';
import { BucketExists, type Objects } from '../store/objects.ts';

export interface RouteObjectsOptions {
  readonly builtin: Objects;
  /** By bucket name. The same store may stand for several names. */
  readonly foreign: ReadonlyMap<BucketName, Objects>;
}

/** The stores behind it are closed with it. */
export function routeObjects(options: RouteObjectsOptions): Objects {
  const { builtin, foreign } = options;
  const storeOf = (bucket: BucketName) => foreign.get(bucket) ?? builtin;

  return {
    async createBucket(bucket) {
      if (foreign.has(bucket.name)) throw new BucketExists(bucket.name);
      await builtin.createBucket(bucket);
    },
    getBucket: (name) => storeOf(name).getBucket(name),
    // Whose a foreign bucket is, nobody here knows.
    listBuckets: (owner) => builtin.listBuckets(owner),
    updateBucket: (name, change, expected) => storeOf(name).updateBucket(name, change, expected),
    deleteBucket: (name) => storeOf(name).deleteBucket(name),

    put: (bucket, key, body, putOptions) => storeOf(bucket).put(bucket, key, body, putOptions),
    stage: async (body, dataKey) => routeStaged(await builtin.stage(body, dataKey), foreign),
    join: async (parts, dataKey) => routeStaged(await builtin.join(parts, dataKey), foreign),
    head: (bucket, key, versionId) => storeOf(bucket).head(bucket, key, versionId),
    get: (bucket, key, getOptions) => storeOf(bucket).get(bucket, key, getOptions),
    list: (bucket, listOptions) => storeOf(bucket).list(bucket, listOptions),
    listVersions: (bucket, listOptions) => storeOf(bucket).listVersions(bucket, listOptions),
    delete: (bucket, key, versionId, options) => storeOf(bucket).delete(bucket, key, versionId, options),
    protect: (bucket, key, versionId, change) => storeOf(bucket).protect(bucket, key, versionId, change),

    async close() {
      await Promise.all([...new Set(foreign.values())].map((store) => store.close()));
      await builtin.close();
    },
  };
}

type Staged = Awaited<ReturnType<Objects['stage']>>;

/** A body waits in the built-in store, whatever bucket it is for; that is known only when it is committed. */
function routeStaged(staged: Staged, foreign: ReadonlyMap<BucketName, Objects>): Staged {
  return {
    sizeBytes: staged.sizeBytes,
    md5Hex: staged.md5Hex,
    read: () => staged.read(),
    async commit(bucket, key, options) {
      const store = foreign.get(bucket);
      if (store === undefined) return staged.commit(bucket, key, options);
      const sent = await store.stage(staged.read());
      try {
        return await sent.commit(bucket, key, options);
      } finally {
        await sent.discard();
      }
    },
    discard: () => staged.discard(),
  };
}
