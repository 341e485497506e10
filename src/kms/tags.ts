/**
 * Tags of a key: TagResource, UntagResource, ListResourceTags.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import { tagRequestContext } from './key-access.ts';
import type { KmsDeps } from './kms-deps.ts';
import type { KeyTag } from './kms-key.ts';
import { changeKey, type KeyInput, NOT_PENDING, onKey } from './on-key.ts';
import { listPage, type PageInput } from './page.ts';

const TAGS_MAX = 50;

/** @throws ApiError TagException, LimitExceededException */
export function requireTags(tags: readonly KeyTag[]): void {
  if (new Set(tags.map(({ key }) => key)).size < tags.length) throw new ApiError('TagException', 'Duplicate tag keys');
  if (tags.length > TAGS_MAX) throw new ApiError('LimitExceededException', `A key has at most ${TAGS_MAX} tags.`);
}

export function tagResource(deps: KmsDeps): Operation<KeyInput & { readonly Tags?: readonly KeyTag[] }, object> {
  return onKey<KeyInput & { readonly Tags?: readonly KeyTag[] }, object>(deps, {
    name: 'TagResource',
    isReadOnly: false,
    states: NOT_PENDING,
    contextOf: ({ Tags: given = [] }) => tagRequestContext(given),
    decide: async (call, key, { Tags: given = [] }) => {
      requireTags(given);
      const tags = [...key.value.tags.filter(({ key: name }) => !given.some((tag) => tag.key === name)), ...given];
      requireTags(tags);
      return { output: {}, apply: () => changeKey(deps, call, 'TagResource', key, { ...key.value, tags }) };
    },
  });
}

export function untagResource(deps: KmsDeps): Operation<KeyInput & { readonly TagKeys?: readonly string[] }, object> {
  return onKey<KeyInput & { readonly TagKeys?: readonly string[] }, object>(deps, {
    name: 'UntagResource',
    isReadOnly: false,
    states: NOT_PENDING,
    contextOf: ({ TagKeys: names = [] }) => new Map(names.length === 0 ? [] : [['aws:tagkeys', names]]),
    decide: async (call, key, { TagKeys: names = [] }) => {
      const tags = key.value.tags.filter((tag) => !names.includes(tag.key));
      return { output: {}, apply: () => changeKey(deps, call, 'UntagResource', key, { ...key.value, tags }) };
    },
  });
}

export function listResourceTags(deps: KmsDeps): Operation<KeyInput & PageInput, object> {
  return onKey<KeyInput & PageInput, object>(deps, {
    name: 'ListResourceTags',
    isReadOnly: true,
    decide: async (call, { value }, input) => {
      const { items, ...page } = await listPage(deps, { call, operation: 'ListResourceTags', input }, value.tags, {
        nameOf: ({ key }) => key,
        sizeDefault: TAGS_MAX,
      });
      return { output: { Tags: items.map(({ key, value: text }) => ({ TagKey: key, TagValue: text })), ...page } };
    },
  });
}
