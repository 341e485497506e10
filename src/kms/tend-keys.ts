/**
 * What KMS does by itself at a time that was set: it rotates keys, and removes those whose waiting time is over and that nobody asks for,
 * so that the record tells of each when it goes.
 */
import { appendConfiguration } from '../store/append-configuration.ts';
import { CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import type { Clock } from '../store/clock.ts';
import { isDue, removeKey } from './find-key.ts';
import type { KmsDeps } from './kms-deps.ts';
import { currentMaterial, type KmsKey, keyChange, kmsKeyArn, type kmsKeyKey } from './kms-key.ts';
import { rotatedKey } from './rotate-key.ts';

const DAY_MS = 24 * 3_600_000;
/** A start has work of its own. */
const FIRST_MS = 10 * 60_000;
/** Periods count in days. */
const INTERVAL_MS = 3_600_000;
const PAGE_LIMIT = 1_000;

export interface TendKeysDeps {
  readonly kms: KmsDeps;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Told of a key that could not be rotated or removed; it is tried again. */
  readonly report: (key: string, error: unknown) => void;
}

/** Looks at all keys each hour until `signal` aborts. Never throws. */
export async function tendKeys({ kms, clock, report }: TendKeysDeps, signal: AbortSignal): Promise<void> {
  for (let waitMs = FIRST_MS; ; waitMs = INTERVAL_MS) {
    await clock.sleep(waitMs, signal);
    if (signal.aborted) return;
    try {
      for await (const found of allKeys(kms))
        if (!signal.aborted) await tend(kms, found).catch((error: unknown) => report(kmsKeyArn(found.value), error));
    } catch (error) {
      report('(all)', error);
    }
  }
}

async function tend(kms: KmsDeps, found: CatalogDocument<KmsKey>): Promise<void> {
  if (isDue(kms, found.value)) await removeKey(kms, found.value);
  else if (isRotationDue(kms, found.value)) await rotateNow(kms, found);
}

/** By the earliest time that it may be: a clock that is set ahead makes no material. A key that is off waits until it is on. */
function isRotationDue({ lockTime }: KmsDeps, { rotation, state }: KmsKey): boolean {
  return rotation !== undefined && state === 'Enabled' && rotation.nextAtMs <= lockTime.earliestMs();
}

async function rotateNow(deps: KmsDeps, found: CatalogDocument<KmsKey>): Promise<void> {
  const { material, event } = await rotatedKey(deps, found.value, 'AUTOMATIC');
  const rotated = (key: KmsKey): KmsKey => {
    const { periodDays } = key.rotation!;
    const rotation = { periodDays, nextAtMs: deps.clock.nowMs() + periodDays * DAY_MS };
    return { ...key, materials: [...key.materials, material], rotation };
  };
  let value = rotated(found.value);
  await deps.recordKeyEvent({ ...event, changes: [keyChange(found.value, value)] });
  // What the event says comes true also where the key is changed meanwhile, but for a change that ends or makes the rotation.
  for (let now: CatalogDocument<KmsKey> | undefined = found; now !== undefined; now = await deps.catalog.get<KmsKey>(found.key)) {
    const { value: key, version } = now;
    if (!isRotationDue(deps, key) || currentMaterial(key).id !== currentMaterial(found.value).id) return;
    if (now !== found) {
      // The fact beside the event began with what the key was.
      value = rotated(key);
      const call = { principal: { arn: 'AWS Internal' }, requestId: `${material.id}/${version}`, receivedAtMs: deps.clock.nowMs() };
      await appendConfiguration(deps, { call, event: event.eventName }, keyChange(key, value));
    }
    try {
      return await deps.catalog.commit([{ key: found.key, value, expected: version }]);
    } catch (error) {
      if (!(error instanceof CatalogConflict)) throw error;
    }
  }
}

async function* allKeys({ catalog }: KmsDeps): AsyncGenerator<CatalogDocument<KmsKey>> {
  let after: ReturnType<typeof kmsKeyKey> | undefined;
  do {
    const page: readonly CatalogDocument<KmsKey>[] = await catalog.list<KmsKey>(['kms-key'], {
      limit: PAGE_LIMIT,
      ...(after && { after }),
    });
    yield* page;
    after = page.length < PAGE_LIMIT ? undefined : page.at(-1)!.key;
  } while (after !== undefined);
}
