/**
 * Gives a symmetric key new material. What was encrypted before stays readable: a key keeps all that it ever had.
 *
 * Recorded first, as an event of the key's owner, and then done.
 * Source: KMS Developer Guide, "Rotate AWS KMS keys", "RotateKey" under "Logging AWS KMS API calls".
 */

import { makeMaterial } from './key-material.ts';
import type { KmsDeps } from './kms-deps.ts';
import { currentMaterial, type KmsKey, keyResource, type RotationType } from './kms-key.ts';

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
