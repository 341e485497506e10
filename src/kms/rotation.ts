/**
 * `EnableKeyRotation`, `DisableKeyRotation`, `GetKeyRotationStatus`, `RotateKeyOnDemand` and `ListKeyRotations`.
 *
 * Source: KMS API Reference; KMS Developer Guide, "Rotate AWS KMS keys": what becomes of the rotation of a key that is off.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { KmsDeps } from './kms-deps.ts';
import { type KeyMaterial, type KmsKey, kmsKeyArn } from './kms-key.ts';
import { changeKey, ENABLED, type KeyInput, onKey, requireSymmetric } from './on-key.ts';
import { listPage, type PageInput } from './page.ts';
import { rotatedKey } from './rotate-key.ts';

const DAY_MS = 24 * 3_600_000;
const PERIOD_DAYS = 365;
/** Most rotations of one key that somebody asks for. */
const ON_DEMAND_MAX = 25;

export function enableKeyRotation(deps: KmsDeps): Operation<KeyInput & { readonly RotationPeriodInDays?: number }, object> {
  return onKey<KeyInput & { readonly RotationPeriodInDays?: number }, object>(deps, {
    name: 'EnableKeyRotation',
    isReadOnly: false,
    states: ENABLED,
    decide: async (call, key, { RotationPeriodInDays: periodDays = PERIOD_DAYS }) => {
      requireSymmetric(key.value, 'EnableKeyRotation');
      const nextAtMs = deps.clock.nowMs() + periodDays * DAY_MS;
      const isSame = key.value.rotation?.periodDays === periodDays;
      const after = isSame ? key.value : { ...key.value, rotation: { periodDays, nextAtMs } };
      return { output: {}, apply: () => changeKey(deps, call, 'EnableKeyRotation', key, after) };
    },
  });
}

export function disableKeyRotation(deps: KmsDeps): Operation<KeyInput, object> {
  return onKey<KeyInput, object>(deps, {
    name: 'DisableKeyRotation',
    isReadOnly: false,
    states: ENABLED,
    decide: async (call, key) => {
      requireSymmetric(key.value, 'DisableKeyRotation');
      const { rotation: _, ...after } = key.value;
      return { output: {}, apply: () => changeKey(deps, call, 'DisableKeyRotation', key, after) };
    },
  });
}

export function getKeyRotationStatus(deps: KmsDeps): Operation<KeyInput, object> {
  return onKey<KeyInput, object>(deps, {
    name: 'GetKeyRotationStatus',
    isReadOnly: true,
    decide: async (_call, { value: key }) => {
      // A key that is not symmetric has none, and is not refused: clients ask for each key. While its deletion is pending a key is not rotated; what was chosen comes back when the deletion is cancelled.
      const rotation = key.state === 'PendingDeletion' ? undefined : key.rotation;
      return {
        output: {
          KeyId: kmsKeyArn(key),
          KeyRotationEnabled: rotation !== undefined,
          ...(rotation === undefined ? {} : { RotationPeriodInDays: rotation.periodDays, NextRotationDate: new Date(rotation.nextAtMs) }),
        },
      };
    },
  });
}

export function rotateKeyOnDemand(deps: KmsDeps): Operation<KeyInput, object> {
  return onKey<KeyInput, object>(deps, {
    name: 'RotateKeyOnDemand',
    isReadOnly: false,
    states: ENABLED,
    decide: async (call, key) => {
      requireSymmetric(key.value, 'RotateKeyOnDemand');
      if (key.value.materials.filter(({ rotated }) => rotated?.type === 'ON_DEMAND').length >= ON_DEMAND_MAX)
        throw new ApiError('LimitExceededException', `${kmsKeyArn(key.value)} was rotated on demand ${ON_DEMAND_MAX} times already.`);
      const { after, event } = await rotatedKey(deps, key.value, 'ON_DEMAND');
      return {
        output: { KeyId: key.value.id },
        apply: async () => {
          // The call is recorded; that the rotation came is said when it has, for another change may come first.
          await changeKey(deps, call, 'RotateKeyOnDemand', key, after);
          await deps.recordKeyEvent(event);
        },
      };
    },
  });
}

export function listKeyRotations(deps: KmsDeps): Operation<KeyInput & PageInput & { readonly IncludeKeyMaterial?: string }, object> {
  return onKey<KeyInput & PageInput & { readonly IncludeKeyMaterial?: string }, object>(deps, {
    name: 'ListKeyRotations',
    isReadOnly: true,
    decide: async (call, { value: key }, input) => {
      requireSymmetric(key, 'ListKeyRotations');
      const { IncludeKeyMaterial: included = 'ROTATIONS_ONLY' } = input;
      const shown = key.materials.filter(({ rotated }) => included === 'ALL_KEY_MATERIAL' || rotated !== undefined);
      const { items, ...page } = await listPage(deps, { call, operation: 'ListKeyRotations', input }, shown, {
        nameOf: (material) => placeOf(key, material),
      });
      return { output: { Rotations: items.map((material) => rotationEntry(key, material)), ...page } };
    },
  });
}

/** Sorts as the materials came. */
function placeOf({ materials }: KmsKey, material: KeyMaterial): string {
  return String(materials.indexOf(material)).padStart(6, '0');
}

function rotationEntry({ id, materials }: KmsKey, material: KeyMaterial) {
  const { rotated } = material;
  return {
    KeyId: id,
    KeyMaterialId: material.id,
    KeyMaterialState: material === materials.at(-1) ? 'CURRENT' : 'NON_CURRENT',
    ...(rotated === undefined ? {} : { RotationDate: new Date(rotated.atMs), RotationType: rotated.type }),
  };
}
