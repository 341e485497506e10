/**
 * Tags of topics: `TagResource`, `UntagResource`, `ListTagsForResource`, and those that `CreateTopic` gives.
 *
 * Source: SNS API Reference, "TagResource"; SNS Developer Guide, "Amazon SNS topic tagging".
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import { findTagProblem, mergeTags, requestTagContext, type Tag } from '../api/tags.ts';
import type { CatalogDocument } from '../store/catalog.ts';
import { findTopic, topicRequest } from './find-topic.ts';
import { invalid, readList } from './read-input.ts';
import { changeTopic } from './record-change.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { type Topic, topicArn } from './topic.ts';

const TAGS_MAX = 50;

export function tagResource(deps: SnsDeps): Operation<SnsInput, object> {
  return {
    name: 'TagResource',
    isReadOnly: false,
    access: (_call, input) => [topicRequest(ofResource(input), 'sns:TagResource', requestTagContext(readTags(input)))],
    decide: async (call, input) => {
      const given = readTags(input);
      const before = await findTagged(deps, input);
      const tags = limited(mergeTags(before.value.tags, given));
      return {
        output: {},
        requestParameters: { resourceArn: topicArn(before.value), tags: tagsInRecord(given) },
        responseElements: null,
        apply: () => changeTopic(deps, { by: call, event: 'TagResource', before, after: { ...before.value, tags } }),
      };
    },
  };
}

export function untagResource(deps: SnsDeps): Operation<SnsInput, object> {
  return {
    name: 'UntagResource',
    isReadOnly: false,
    access: (_call, input) => [topicRequest(ofResource(input), 'sns:UntagResource', new Map([['aws:tagkeys', readTagKeys(input)]]))],
    decide: async (call, input) => {
      const tagKeys = readTagKeys(input);
      const before = await findTagged(deps, input);
      const tags = before.value.tags.filter(({ Key }) => !tagKeys.includes(Key));
      return {
        output: {},
        requestParameters: { resourceArn: topicArn(before.value), tagKeys },
        responseElements: null,
        apply: () => changeTopic(deps, { by: call, event: 'UntagResource', before, after: { ...before.value, tags } }),
      };
    },
  };
}

export function listTagsForResource(deps: SnsDeps): Operation<SnsInput, { readonly Tags: { readonly member: readonly Tag[] } }> {
  return {
    name: 'ListTagsForResource',
    isReadOnly: true,
    access: (_call, input) => [topicRequest(ofResource(input), 'sns:ListTagsForResource')],
    decide: async (_call, input) => {
      const { value: topic } = await findTagged(deps, input);
      return { output: { Tags: { member: topic.tags } }, requestParameters: { resourceArn: topicArn(topic) } };
    },
  };
}

/** The tags of a call; those of CreateTopic may be none. @throws ApiError InvalidParameter, TagLimitExceeded */
export function readTags(input: SnsInput, { isNeeded = true }: { readonly isNeeded?: boolean } = {}): readonly Tag[] {
  const tags = readList(input, 'Tags.member').map(({ Key = '', Value = '' }) => ({ Key, Value }));
  if (isNeeded && tags.length === 0) throw invalid('Tags is missing');
  for (const { Key, Value } of tags) {
    if (Key.length < 1 || Key.length > 128) throw invalid(`Tags Reason: a key has 1 to 128 characters, not ${Key.length}`);
    if (Value.length > 256) throw invalid(`Tags Reason: the value of \`${Key}\` has ${Value.length} characters; at most 256`);
  }
  const problem = findTagProblem(tags);
  if (problem !== undefined) throw invalid(`Tags Reason: ${problem}`);
  return limited(tags);
}

function readTagKeys(input: SnsInput): readonly string[] {
  const keys = readList(input, 'TagKeys.member').map((member) => member[''] ?? '');
  if (keys.length === 0) throw invalid('TagKeys is missing');
  return keys;
}

/** Whether they are the same, in any order. */
export function areSame(tags: readonly Tag[], others: readonly Tag[]): boolean {
  const values = new Map(others.map(({ Key, Value = '' }) => [Key, Value]));
  return tags.length === others.length && tags.every(({ Key, Value = '' }) => values.get(Key) === Value);
}

/** Tags as a record of a call has them. */
export function tagsInRecord(tags: readonly Tag[]): readonly { readonly key: string; readonly value: string }[] {
  return tags.map(({ Key: key, Value: value = '' }) => ({ key, value }));
}

function limited(tags: readonly Tag[]): readonly Tag[] {
  if (tags.length <= TAGS_MAX) return tags;
  throw new ApiError('TagLimitExceeded', `A topic has at most ${TAGS_MAX} tags; with these it would have ${tags.length}.`, { status: 400 });
}

/** Topics are all that is tagged. */
function ofResource(input: SnsInput): SnsInput {
  return { ...input, TopicArn: input['ResourceArn'] ?? '' };
}

/** @throws ApiError InvalidParameter, ResourceNotFound */
function findTagged(deps: SnsDeps, input: SnsInput): Promise<CatalogDocument<Topic>> {
  return findTopic(deps, ofResource(input), new ApiError('ResourceNotFound', 'Resource does not exist', { status: 404 }));
}
