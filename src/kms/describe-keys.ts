/**
 * `DescribeKey`, `ListKeys` and `UpdateKeyDescription`.
 */
import type { Operation } from '../api/operation.ts';
import { isDue } from './find-key.ts';
import type { KmsDeps } from './kms-deps.ts';
import { type KmsKey, keyMetadata, kmsKeyArn, kmsKeysKey } from './kms-key.ts';
import { changeKey, type KeyInput, NOT_PENDING, onKey, recordOf } from './on-key.ts';
import { listPage, type PageInput } from './page.ts';

export function describeKey(deps: KmsDeps): Operation<KeyInput, object> {
  return onKey<KeyInput, object>(deps, {
    name: 'DescribeKey',
    isReadOnly: true,
    isUse: true,
    decide: async (_call, { value }) => ({ output: { KeyMetadata: keyMetadata(value) } }),
  });
}

export function listKeys(deps: KmsDeps): Operation<PageInput, object> {
  return {
    name: 'ListKeys',
    isReadOnly: true,
    decide: async (call, input) => {
      const found = (await deps.catalog.list<KmsKey>(kmsKeysKey(call))).map(({ value }) => value).filter((key) => !isDue(deps, key));
      const { items, ...page } = await listPage(deps, { call, operation: 'ListKeys', input }, found, { nameOf: ({ id }) => id });
      return recordOf(input, true, { output: { Keys: items.map((key) => ({ KeyId: key.id, KeyArn: kmsKeyArn(key) })), ...page } });
    },
  };
}

export function updateKeyDescription(deps: KmsDeps): Operation<KeyInput & { readonly Description?: string }, object> {
  return onKey<KeyInput & { readonly Description?: string }, object>(deps, {
    name: 'UpdateKeyDescription',
    isReadOnly: false,
    states: NOT_PENDING,
    decide: async (call, key, { Description: description = '' }) => ({
      output: {},
      apply: () => changeKey(deps, call, 'UpdateKeyDescription', key, { ...key.value, description }),
    }),
  });
}
