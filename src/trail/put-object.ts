/**
 * Puts what a trail delivers, with a time limit, and turns every failure into one kind of error.
 *
 * Nothing is ever overwritten: an object that is there with the same bytes counts as put, with other bytes it is a
 * conflict. So a put whose answer was lost is simply done again (F19).
 */
import type { BucketName, ObjectKey } from '../event/types.ts';
import type { Clock } from '../store/clock.ts';
import { type Objects, ObjectsError, type PutOptions } from '../store/objects.ts';

/** The bucket did not take an object. The same put is tried again later. */
export class DeliveryFailed extends Error {
  override readonly name = 'DeliveryFailed';
  /** S3's code, as GetTrailStatus shows it; absent for a time-out, which it does not show (cloudtrail.md §7.5). */
  readonly reason: string | undefined;

  constructor(reason: string | undefined, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

export interface DeliveredObject {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  readonly body: Uint8Array;
  readonly options: Pick<PutOptions, 'contentType' | 'contentEncoding' | 'metadata'>;
}

/** Log files and digests are JSON that is stored compressed, as the service stores them. */
export const GZIP_JSON = { contentType: 'application/json', contentEncoding: 'gzip' } as const;

export interface PutDeps {
  readonly objects: Pick<Objects, 'put'>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly putTimeoutMs: number;
  /** Ends waiting at once: the process stops. */
  readonly stop: AbortSignal;
}

/** Puts under way at once, so that a distant bucket does not make many Regions slow. */
const LANES = 4;

/**
 * Puts all objects. When one fails, those under way are waited for, and no more are begun.
 * @throws DeliveryFailed
 */
export async function putAll(deps: PutDeps, objects: readonly DeliveredObject[]): Promise<void> {
  let next = 0;
  let failed: { readonly error: unknown } | undefined;
  const lane = async () => {
    while (failed === undefined && next < objects.length) {
      try {
        await putObject(deps, objects[next++]!);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(LANES, objects.length) }, lane));
  if (failed !== undefined) throw failed.error;
}

/** @throws DeliveryFailed */
export async function putObject(deps: PutDeps, object: DeliveredObject): Promise<void> {
  const { bucket, key, body, options } = object;
  const place = `${bucket}/${key}`;
  const put = deps.objects.put(bucket, key, body, { ifNoneMatch: true, acl: 'bucket-owner-full-control', ...options });
  const done = new AbortController();
  const end = () => done.abort();
  deps.stop.addEventListener('abort', end, { once: true });
  if (deps.stop.aborted) end();
  const timeout = deps.clock.sleep(deps.putTimeoutMs, done.signal).then(() => 'timeout' as const);
  try {
    const outcome = await Promise.race([put, timeout]);
    if (outcome === 'timeout') {
      const why = deps.stop.aborted ? 'was cut short' : `took more than ${deps.putTimeoutMs} ms`;
      throw new DeliveryFailed(undefined, `putting \`${place}\` ${why}`);
    }
  } catch (error) {
    // The put goes on by itself after a time-out; its end is of no interest any more.
    put.catch(() => undefined);
    if (error instanceof DeliveryFailed) throw error;
    const reason = error instanceof ObjectsError ? error.reason : 'InternalError';
    throw new DeliveryFailed(reason, `putting \`${place}\` failed: ${messageOf(error)}`, { cause: error });
  } finally {
    deps.stop.removeEventListener('abort', end);
    done.abort();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
