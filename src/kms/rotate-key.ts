/**
 * Gives a symmetric key new material. What was encrypted before stays readable: a key keeps all that it ever had.
 *
 * Recorded first, as an event of the key's owner, and then done.
 * Source: KMS Developer Guide, "Rotate AWS KMS keys", "RotateKey" under "Logging AWS KMS API calls".
 */

import { CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import type { Clock } from '../store/clock.ts';
import { makeMaterial } from './key-material.ts';
import type { KmsDeps } from './kms-deps.ts';
import { currentMaterial, type KmsKey, keyResource, kmsKeyArn, type kmsKeyKey, type RotationType } from './kms-key.ts';

const DAY_MS = 24 * 3_600_000;
/** A start has work of its own. */
const FIRST_MS = 10 * 60_000;
/** Periods count in days. */
const INTERVAL_MS = 3_600_000;
const PAGE_LIMIT = 1_000;

/** The key with new material, and the event that says so. Nothing is saved or recorded yet. */
export async function rotatedKey(deps: KmsDeps, key: KmsKey, type: RotationType) {
  const nowMs = deps.clock.nowMs();
  const material = { ...(await makeMaterial(deps, key, key.spec)), rotated: { atMs: nowMs, type } };
  const details = {
    rotationType: type,
    keyOrigin: 'AWS_KMS',
    previousKeyMaterialId: currentMaterial(key).id,
    currentKeyMaterialId: material.id,
  };
  const { account, region } = key;
  return {
    material,
    after: { ...key, materials: [...key.materials, material] } satisfies KmsKey,
    event: { account, region, eventName: 'RotateKey', details, resources: [keyResource(key)] },
  };
}

export interface RotateDueDeps {
  readonly kms: KmsDeps;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Told of a key that could not be rotated; it is tried again. */
  readonly report: (key: string, error: unknown) => void;
}

/** Rotates the keys whose time has come, each hour until `signal` aborts. Never throws. */
export async function rotateDueKeys({ kms, clock, report }: RotateDueDeps, signal: AbortSignal): Promise<void> {
  for (let waitMs = FIRST_MS; ; waitMs = INTERVAL_MS) {
    await clock.sleep(waitMs, signal);
    if (signal.aborted) return;
    try {
      for await (const found of allKeys(kms))
        if (!signal.aborted && isRotationDue(kms, found.value))
          await rotateNow(kms, found).catch((error: unknown) => report(kmsKeyArn(found.value), error));
    } catch (error) {
      report('(all)', error);
    }
  }
}

/** By the earliest time that it may be: a clock that is set ahead makes no material. A key that is off waits until it is on. */
function isRotationDue({ lockTime }: KmsDeps, { rotation, state }: KmsKey): boolean {
  return rotation !== undefined && state === 'Enabled' && rotation.nextAtMs <= lockTime.earliestMs();
}

async function rotateNow(deps: KmsDeps, found: CatalogDocument<KmsKey>): Promise<void> {
  const { material, event } = await rotatedKey(deps, found.value, 'AUTOMATIC');
  await deps.recordKeyEvent(event);
  // What the event says comes true also where the key is changed meanwhile, but for a change that ends or makes the rotation.
  for (let now: CatalogDocument<KmsKey> | undefined = found; now !== undefined; now = await deps.catalog.get<KmsKey>(found.key)) {
    const { value: key, version } = now;
    if (!isRotationDue(deps, key) || currentMaterial(key).id !== currentMaterial(found.value).id) return;
    const { periodDays } = key.rotation!;
    const rotation = { periodDays, nextAtMs: deps.clock.nowMs() + periodDays * DAY_MS };
    const value: KmsKey = { ...key, materials: [...key.materials, material], rotation };
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
