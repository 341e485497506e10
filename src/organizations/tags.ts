/**
 * Tags of accounts, units, policies and the root: `TagResource`, `UntagResource`, `ListTagsForResource`, and those that come with what is
 * made or invited. They go with what they are on.
 *
 * Source: AWS Organizations API Reference, "TagResource"; User Guide, "Tagging AWS Organizations resources".
 */
import type { Operation } from '../api/operation.ts';
import { findTagProblem, mergeTags, requestTagContext, type Tag } from '../api/tags.ts';
import type { Organization } from '../store/organization.ts';
import type { Change, Plan } from './directory.ts';
import { FULL_ACCESS, type ResourceTags, tagsKey } from './documents.ts';
import { listing } from './listing.ts';
import { changing, managedBy, type OrganizationsDeps, readableBy } from './operation-kinds.ts';
import { type Input, text } from './read-input.ts';
import { constraint, invalidInput, refusal } from './refusals.ts';

const TAGS_MAX = 50;

export function tagOperations(deps: OrganizationsDeps): readonly Operation[] {
  return [
    takingTags(
      changing(deps, 'TagResource', (call, input) => {
        const [id, given] = [text(input, 'ResourceId'), readTags(input, { isNeeded: true })];
        return () => retag(deps, managedBy(deps, call), id, (tags) => merge(tags, given));
      }),
    ),
    {
      ...changing(deps, 'UntagResource', (call, input) => {
        const [id, keys] = [text(input, 'ResourceId'), readKeys(input)];
        return () => retag(deps, managedBy(deps, call), id, (tags) => tags.filter(({ Key }) => !keys.includes(Key)));
      }),
      access: (_call, input) => [
        { action: 'organizations:UntagResource', resource: '*', context: new Map([['aws:tagkeys', readKeys(input)]]) },
      ],
    } satisfies Operation<Input, object>,
    listing<Tag>(deps, 'ListTagsForResource', (call, input) => {
      const organization = readableBy(deps, call);
      const id = text(input, 'ResourceId');
      requireTaggable(deps, organization, id);
      return {
        all: deps.directory.tags(organization, id),
        idOf: ({ Key }) => Key,
        answer: (items) => ({ Tags: items }),
      };
    }),
  ] as readonly Operation[];
}

/** An operation that gives tags: policies see them in the call. */
export function takingTags(operation: Operation<Input, object>): Operation<Input, object> {
  const action = `organizations:${operation.name}`;
  return { ...operation, access: (_call, input) => [{ action, resource: '*', context: requestTagContext(readTags(input)) }] };
}

/** The tags of a call. @throws ApiError InvalidInputException, ConstraintViolationException */
export function readTags(input: Input, { isNeeded = false }: { readonly isNeeded?: boolean } = {}): readonly Tag[] {
  const tags = readList(input, 'Tags', isNeeded).map((tag): Tag => {
    if (typeof tag !== 'object' || tag === null) throw invalidInput('INVALID_LIST_MEMBER', 'Each of Tags has a Key and a Value.');
    return { Key: text(tag as Input, 'Key'), Value: text(tag as Input, 'Value') };
  });
  requireKeys(tags);
  return merge([], tags);
}

function readKeys(input: Input): readonly string[] {
  const keys = readList(input, 'TagKeys', true).map((Key) => text({ Key }, 'Key'));
  if (keys.some((key) => /^aws:/i.test(key)))
    throw invalidInput('INVALID_SYSTEM_TAGS_PARAMETER', 'Keys that begin with `aws:` are reserved.');
  return keys;
}

function readList(input: Input, member: string, isNeeded: boolean): readonly unknown[] {
  const list = input[member];
  if (list === undefined || list === null) {
    if (isNeeded) throw invalidInput('INPUT_REQUIRED', `You must specify a value for ${member}.`);
    return [];
  }
  if (!Array.isArray(list)) throw invalidInput('INVALID_LIST_MEMBER', `${member} must be a list.`);
  return list;
}

function requireKeys(tags: readonly Tag[]): void {
  const problem = findTagProblem(tags);
  if (problem === undefined) return;
  const keys = tags.map(({ Key }) => Key);
  if (new Set(keys).size < keys.length) throw invalidInput('DUPLICATE_TAG_KEY', `The tags are not valid: ${problem}.`);
  const reason = keys.some((key) => /^aws:/i.test(key)) ? 'INVALID_SYSTEM_TAGS_PARAMETER' : 'INVALID_PATTERN';
  throw invalidInput(reason, `The tags are not valid: ${problem}.`);
}

/** @throws ApiError ConstraintViolationException */
function merge(tags: readonly Tag[], given: readonly Tag[]): readonly Tag[] {
  const merged = mergeTags(tags, given);
  if (merged.length > TAGS_MAX)
    throw constraint('MAX_TAG_LIMIT_EXCEEDED', `A resource has at most ${TAGS_MAX} tags; with these it would have ${merged.length}.`);
  return merged;
}

function retag(
  deps: OrganizationsDeps,
  organization: Organization,
  id: string,
  change: (tags: readonly Tag[]) => readonly Tag[],
): Plan<object> {
  requireTaggable(deps, organization, id);
  if (id === FULL_ACCESS.id) throw invalidInput('IMMUTABLE_POLICY', `The policy ${FULL_ACCESS.name} cannot be changed.`);
  const before = deps.directory.tags(organization, id);
  const after = change(before);
  const changes = JSON.stringify(after) === JSON.stringify(before) ? [] : [changeOf(organization, id, after)];
  return { organization, changes, output: {} };
}

/** What gives something new its tags. */
export function tagging(organization: Organization, id: string, tags: readonly Tag[]): readonly Change[] {
  return tags.length === 0 ? [] : [changeOf(organization, id, tags)];
}

/** What takes the tags of something away together with it. */
export function untagging({ directory }: OrganizationsDeps, organization: Organization, id: string): readonly Change[] {
  return directory.tags(organization, id).length === 0 ? [] : [changeOf(organization, id, [])];
}

function changeOf({ id: organizationId }: Organization, id: string, tags: readonly Tag[]): Change {
  const value: ResourceTags = { organizationId, id, tags };
  return { key: tagsKey(value), value: tags.length === 0 ? undefined : value };
}

/** @throws ApiError TargetNotFoundException, the same for what belongs to another organization. */
function requireTaggable({ directory }: OrganizationsDeps, organization: Organization, id: string): void {
  const isThere =
    id === organization.rootId ||
    directory.unit(organization, id) !== undefined ||
    directory.policy(organization, id) !== undefined ||
    directory.members(organization).some(({ account }) => account === id);
  if (!isThere) throw refusal('TargetNotFoundException', `We can't find a root, OU, account or policy with the ResourceId \`${id}\`.`);
}
