/**
 * Puts what a trail delivers, with a time limit, and turns every failure into one kind of error.
 *
 * Nothing is ever overwritten: an object that is there with the same bytes counts as put, with other bytes it is a
 * conflict. So a put whose answer was lost is simply done again (F19).
 */
import type { BucketName, ObjectKey } from '../event/types.ts';
import type { Clock } from '../store/clock.ts';
import { type Objects, ObjectsError, type PutOptions } from '../store/objects.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { toBase64 } from '../tlog/text.ts';

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

/** Reasons of stores that stand for a time-out. */
const TIME_OUTS: ReadonlySet<string> = new Set(['RequestTimeout', 'ETIMEDOUT']);

export interface DeliveredObject {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  readonly body: Uint8Array;
  readonly options: Pick<PutOptions, 'contentType' | 'contentEncoding' | 'metadata'>;
  /** It is encrypted with the trail's key, where the trail has one. */
  readonly isSealed?: boolean;
}

/** Log files and digests are JSON that is stored compressed, as the service stores them. */
export const GZIP_JSON = { contentType: 'application/json', contentEncoding: 'gzip' } as const;

/** Receipts are notes. */
export const RECEIPT_TEXT = { contentType: 'text/plain; charset=utf-8' } as const;

export interface PutDeps {
  readonly objects: Pick<Objects, 'put'>;
  /** How an object that is to be encrypted is put. */
  readonly seal: (object: DeliveredObject) => Promise<Pick<PutOptions, 'dataKey' | 'encryption'>>;
  /** Objects that were put and are not put again: those of a step that failed over another one. */
  readonly alreadyPut: Set<string>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly sha256: Sha256;
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
  const { bucket, key, body, options, isSealed = false } = object;
  const path = `${bucket}/${key}`;
  if (deps.alreadyPut.has(path)) return;
  const put = async () => {
    const seal = isSealed ? await deps.seal(object) : {};
    // The hash stays with an encrypted object, too: when it expires, the record can say which bytes went.
    const checksums = { SHA256: toBase64(deps.sha256(body)) };
    return deps.objects.put(bucket, key, body, { ifNoneMatch: true, acl: 'bucket-owner-full-control', checksums, ...options, ...seal });
  };
  await untilAnswered(deps, `putting \`${path}\``, put());
  deps.alreadyPut.add(path);
}

/**
 * Waits for the bucket's answer: for as long as a put may take, and not at all once the process stops.
 * @param what What was asked, for the message, such as ``putting `bucket/key` ``.
 * @throws DeliveryFailed
 */
export async function untilAnswered<T>(
  { clock, putTimeoutMs, stop }: Pick<PutDeps, 'clock' | 'putTimeoutMs' | 'stop'>,
  what: string,
  answer: Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const end = () => done.abort();
  stop.addEventListener('abort', end, { once: true });
  if (stop.aborted) end();
  const timeout = clock.sleep(putTimeoutMs, done.signal).then(() => {
    throw new DeliveryFailed(undefined, `${what} ${stop.aborted ? 'was cut short' : `took more than ${putTimeoutMs} ms`}`);
  });
  // Whichever comes second is of no interest any more: a put goes on by itself, and the time ends with `done`.
  for (const each of [answer, timeout]) each.catch(() => undefined);
  try {
    return await Promise.race([answer, timeout]);
  } catch (error) {
    if (error instanceof DeliveryFailed) throw error;
    const reason = error instanceof ObjectsError ? error.reason : 'InternalError';
    throw new DeliveryFailed(TIME_OUTS.has(reason) ? undefined : reason, `${what} failed: ${messageOf(error)}`, { cause: error });
  } finally {
    stop.removeEventListener('abort', end);
    done.abort();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
