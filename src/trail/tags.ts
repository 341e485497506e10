/**
 * `AddTags`, `RemoveTags`, `ListTags`.
 *
 * Trails are all that has tags here: an event data store or a channel of whatever id does not exist.
 *
 * The guide asks for the home Region; the model declares no such refusal, so every Region is accepted (cloudtrail.md §7.6, §7.8).
 */
import type { AccessRequest } from '../api/access.ts';
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import { readUuidResource } from '../api/resource-rule.ts';
import { addTags as added, removeTags as removed, requestTagContext, requireTags, type Tag } from '../api/tags.ts';
import { appendConfiguration } from '../store/append-configuration.ts';
import { type Catalog, CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import type { OperationDeps } from './change-trail.ts';
import { requireOwnerOrDelegate, seenTrails } from './find-trail.ts';
import { type Trail, trailArn } from './trail.ts';
import { parseTrailReference } from './trail-name.ts';
import { type TagDocument, tagKey, tagsOf } from './trail-tags.ts';

/** Most resources of one `ListTags`. */
const RESOURCES_MAX = 20;

type TagDeps = Pick<OperationDeps, 'catalog' | 'journal' | 'sha256' | 'turns'>;

interface TagInput {
  readonly ResourceId?: string;
  readonly TagsList?: readonly Tag[];
}

interface ListTagsInput {
  readonly ResourceIdList?: readonly string[];
  readonly NextToken?: string;
}

interface ListTagsOutput {
  readonly ResourceTagList: readonly { readonly ResourceId: string; readonly TagsList: readonly Tag[] }[];
}

export function addTags(deps: TagDeps): Operation<TagInput, object> {
  return changeTags(deps, 'AddTags', (tags, given) => {
    requireTags(given);
    return added(tags, given);
  });
}

export function removeTags(deps: TagDeps): Operation<TagInput, object> {
  return changeTags(deps, 'RemoveTags', (tags, given) => {
    requireTags(given);
    return removed(tags, given);
  });
}

function changeTags(
  deps: TagDeps,
  name: 'AddTags' | 'RemoveTags',
  change: (tags: readonly Tag[], given: readonly Tag[]) => readonly Tag[],
): Operation<TagInput, object> {
  return {
    name,
    isReadOnly: false,
    access: (call, { ResourceId = '', TagsList = [] }) => [
      tagAccess(call, { action: `cloudtrail:${name}`, resource: ResourceId, given: TagsList }),
    ],
    decide: async (call, { ResourceId = '', TagsList = [] }) => {
      const trail = await findTagged(deps.catalog, call, ResourceId);
      await requireOwnerOrDelegate(deps.catalog, call, trail);
      change(await tagsOf(deps.catalog, trail), TagsList);
      return {
        output: {},
        resources: [{ type: 'AWS::CloudTrail::Trail', name: trailArn(trail), account: trail.account }],
        responseElements: null,
        apply: () => saveTags(deps, { call, event: name, trail }, (tags) => change(tags, TagsList)),
      };
    },
  };
}

/** Changes of a trail and of its tags come one after the other, so that no tags outlive their trail. */
async function saveTags(
  deps: TagDeps,
  { call, event, trail }: { readonly call: Call; readonly event: string; readonly trail: Trail },
  change: (tags: readonly Tag[]) => readonly Tag[],
): Promise<void> {
  await deps.turns.ofTrail(trail, async () => {
    await findTagged(deps.catalog, call, trailArn(trail));
    const before: CatalogDocument<TagDocument> | undefined = await deps.catalog.get(tagKey(trail));
    const tags = change(before?.value.tags ?? []);
    const after = tags.length === 0 ? undefined : { tags };
    const { account, homeRegion: region } = trail;
    const place = { resource: trailArn(trail), part: 'tags', account, region };
    await appendConfiguration(deps, { call, event }, { ...place, before: before?.value, after });
    try {
      await deps.catalog.commit([{ key: tagKey(trail), value: after, expected: before?.version ?? 0 }]);
    } catch (error) {
      if (!(error instanceof CatalogConflict)) throw error;
      throw new ApiError('ConflictException', `The tags of ${trailArn(trail)} are being changed by another call; try again.`);
    }
  });
}

export function listTags(deps: Pick<TagDeps, 'catalog'>): Operation<ListTagsInput, ListTagsOutput> {
  return {
    name: 'ListTags',
    isReadOnly: true,
    access: (call, { ResourceIdList = [] }) => {
      if (ResourceIdList.length > RESOURCES_MAX || ResourceIdList.length === 0)
        throw new ApiError('CloudTrailARNInvalidException', `ResourceIdList has 1 to ${RESOURCES_MAX} ARNs, not ${ResourceIdList.length}.`);
      return ResourceIdList.map((resource) => tagAccess(call, { action: 'cloudtrail:ListTags', resource, given: [] }));
    },
    decide: async (call, { ResourceIdList = [], NextToken = '' }) => {
      if (NextToken !== '') throw new ApiError('InvalidTokenException', 'The token is not valid: all tags are on the first page.');
      const ResourceTagList = await Promise.all(
        ResourceIdList.map(async (ResourceId) => {
          const trail = await findTagged(deps.catalog, call, ResourceId);
          return { ResourceId, TagsList: await tagsOf(deps.catalog, trail) };
        }),
      );
      return { output: { ResourceTagList } };
    },
  };
}

function tagAccess(
  call: Call,
  { action, resource, given }: { readonly action: string; readonly resource: string; readonly given: readonly Tag[] },
): AccessRequest {
  requireTagged(call, resource);
  return { action, resource, context: requestTagContext(given) };
}

/** @throws ApiError as `requireTagged`, and ResourceNotFoundException for what is not there or another account's. */
async function findTagged(catalog: Pick<Catalog, 'get' | 'list'>, call: Call, resource: string): Promise<Trail> {
  const kind = requireTagged(call, resource);
  if (kind === 'eventdatastore') throw new ApiError('EventDataStoreNotFoundException', `Unknown event data store: ${resource}`);
  // ListTags declares no exception for a channel.
  if (kind === 'channel') throw new ApiError('ResourceNotFoundException', `Unknown resource: ${resource}`);
  const trail = (await seenTrails(catalog, call.account)).find(({ value }) => trailArn(value) === resource);
  if (trail === undefined) throw new ApiError('ResourceNotFoundException', `Unknown resource: ${resource}`);
  return trail.value;
}

/**
 * The kind of resource that an ARN names.
 * @throws ApiError CloudTrailARNInvalidException, EventDataStoreARNInvalidException, ChannelARNInvalidException, ResourceTypeNotSupportedException
 */
function requireTagged(call: Call, resource: string): string {
  const [, kind = ''] = /^arn:aws:cloudtrail:[a-z0-9-]{1,32}:\d{12}:([a-z]+)\/./.exec(resource) ?? [];
  switch (kind) {
    case 'trail':
      parseTrailReference(resource);
      return kind;
    case 'eventdatastore':
      readUuidResource(kind, resource, call, 'EventDataStoreARNInvalidException');
      return kind;
    case 'channel':
      readUuidResource(kind, resource, call, 'ChannelARNInvalidException');
      return kind;
    case 'dashboard':
      return kind;
    case '': {
      const form = 'arn:aws:cloudtrail:us-east-2:123456789012:trail/MyTrail';
      throw new ApiError(
        'CloudTrailARNInvalidException',
        `\`${resource.slice(0, 256)}\` is not the ARN of a resource of CloudTrail: it has the form ${form}.`,
      );
    }
    default:
      throw new ApiError('ResourceTypeNotSupportedException', `A resource of the type ${kind} cannot have tags.`);
  }
}
