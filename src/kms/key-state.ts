/**
 * `EnableKey`, `DisableKey`, `ScheduleKeyDeletion`, `CancelKeyDeletion`.
 *
 * A key that is off stops what is encrypted with it and takes nothing away: trails wait with what they deliver (F21, A23).
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { KmsDeps } from './kms-deps.ts';
import { type KmsKey, kmsKeyArn } from './kms-key.ts';
import { changeKey, type KeyInput, NOT_PENDING, onKey } from './on-key.ts';

const DAY_MS = 24 * 3600 * 1000;
const WINDOW_DAYS_MIN = 7;
const WINDOW_DAYS_MAX = 30;

export function enableKey(deps: KmsDeps): Operation<KeyInput, object> {
  return setState(deps, 'EnableKey', 'Enabled');
}

export function disableKey(deps: KmsDeps): Operation<KeyInput, object> {
  return setState(deps, 'DisableKey', 'Disabled');
}

function setState(deps: KmsDeps, name: string, state: 'Enabled' | 'Disabled'): Operation<KeyInput, object> {
  return onKey<KeyInput, object>(deps, {
    name,
    isReadOnly: false,
    states: NOT_PENDING,
    decide: async (call, key) => ({
      output: {},
      ...(state === 'Disabled' ? { narrows: narrowing(key.value) } : {}),
      apply: () => changeKey(deps, call, name, key, { ...key.value, state }),
    }),
  });
}

/** Trails that use it stop delivering. */
function narrowing(key: KmsKey): string {
  return `nothing more is encrypted or read with the key ${kmsKeyArn(key)}`;
}

export function scheduleKeyDeletion(deps: KmsDeps): Operation<KeyInput & { readonly PendingWindowInDays?: number }, object> {
  return onKey<KeyInput & { readonly PendingWindowInDays?: number }, object>(deps, {
    name: 'ScheduleKeyDeletion',
    isReadOnly: false,
    states: NOT_PENDING,
    decide: async (call, key, { PendingWindowInDays: days = WINDOW_DAYS_MAX }) => {
      if (days < WINDOW_DAYS_MIN || days > WINDOW_DAYS_MAX)
        throw new ApiError('ValidationException', `PendingWindowInDays must be between ${WINDOW_DAYS_MIN} and ${WINDOW_DAYS_MAX}`);
      const deletionAtMs = deps.clock.nowMs() + days * DAY_MS;
      const after: KmsKey = { ...key.value, state: 'PendingDeletion', deletionAtMs, pendingWindowInDays: days };
      return {
        output: {
          KeyId: kmsKeyArn(after),
          DeletionDate: new Date(deletionAtMs),
          KeyState: 'PendingDeletion',
          PendingWindowInDays: days,
        },
        narrows: narrowing(after),
        apply: () => changeKey(deps, call, 'ScheduleKeyDeletion', key, after),
      };
    },
  });
}

export function cancelKeyDeletion(deps: KmsDeps): Operation<KeyInput, object> {
  return onKey<KeyInput, object>(deps, {
    name: 'CancelKeyDeletion',
    isReadOnly: false,
    states: ['PendingDeletion'],
    decide: async (call, key) => {
      const { deletionAtMs: _at, pendingWindowInDays: _days, ...rest } = key.value;
      // As the service has it: the key is off until somebody switches it on.
      const after: KmsKey = { ...rest, state: 'Disabled' };
      return { output: { KeyId: kmsKeyArn(after) }, apply: () => changeKey(deps, call, 'CancelKeyDeletion', key, after) };
    },
  });
}
