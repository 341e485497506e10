/**
 * The resources that an event touched, as LookupEvents shows them.
 *
 * First the record's own `resources[]`: each ARN, and the name at its end. Then what request and answer name, by the
 * table in `resource-members.ts`. Each pair of type and name once, in the order found. `resources[]` is copied by no
 * rule that the service publishes; this one is ours (cloudtrail.md §6 "Resources").
 */
import { resourceNameOf } from './arn.ts';
import { arrayMember, isJsonObject, objectMember, textMember } from './members.ts';
import { isParameterApi, resourceMembersOf } from './resource-members.ts';
import type { EventResource, Json, JsonObject } from './types.ts';

/** Most resources of one event. A call that names more is found by its first ones. */
const RESOURCES_MAX = 64;
/** Longest name kept: LookupEvents takes attribute values up to 2,000 characters. */
const NAME_LENGTH_MAX = 2000;
/** Members that are looked at in request and answer together; keeps one large record from costing more than its parsing. */
const VISITS_MAX = 2000;
/** Levels below request and answer that are looked at: `instancesSet.items[].instanceId` is the third. */
const DEPTH_MAX = 5;

/** Finds the resources of one untrusted record. Never fails. */
export function findResources(record: JsonObject): readonly EventResource[] {
  const found = new ResourceList();
  for (const item of arrayMember(record, 'resources') ?? []) if (isJsonObject(item)) addListed(found, item);

  const eventSource = textMember(record, 'eventSource') ?? '';
  const search: Search = {
    types: resourceMembersOf(eventSource),
    nameType:
      eventSource === 'ssm.amazonaws.com' && isParameterApi(textMember(record, 'eventName') ?? '') ? 'AWS::SSM::Parameter' : undefined,
    found,
    visitsLeft: VISITS_MAX,
  };
  // Some published records spell the two members with a capital letter.
  const request = objectMember(record, 'requestParameters') ?? objectMember(record, 'RequestParameters');
  const response = objectMember(record, 'responseElements') ?? objectMember(record, 'ResponseElements');
  if (request !== undefined) searchMembers(request, 1, search);
  if (response !== undefined) searchMembers(response, 1, search);
  return found.items;
}

/** One element of `resources[]`: `{ARN, accountId, type}` or `{ARNPrefix, type}`. */
function addListed(found: ResourceList, item: JsonObject): void {
  const arn = textMember(item, 'ARN') ?? textMember(item, 'arn') ?? textMember(item, 'ARNPrefix');
  if (arn === undefined) return;
  const type = textMember(item, 'type');
  found.add(arn, type);
  found.add(resourceNameOf(arn), type);
}

interface Search {
  readonly types: ReadonlyMap<string, string>;
  /** Type of the member `name`, where the API decides it. */
  readonly nameType: string | undefined;
  readonly found: ResourceList;
  visitsLeft: number;
}

function searchMembers(value: JsonObject | readonly Json[], depth: number, search: Search): void {
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[])
      if (typeof item === 'object' && item !== null && search.visitsLeft > 0) searchMembers(item, depth + 1, search);
    return;
  }
  for (const name in value as JsonObject) {
    if (search.visitsLeft-- <= 0) return;
    const member = (value as JsonObject)[name];
    if (typeof member === 'string') {
      const type = name === 'name' && search.nameType !== undefined ? search.nameType : search.types.get(name);
      if (type !== undefined) search.found.add(member, type);
    } else if (typeof member === 'object' && member !== null && depth < DEPTH_MAX) {
      searchMembers(member, depth + 1, search);
    }
  }
}

/** Resources in the order found, each pair of type and name once. */
class ResourceList {
  readonly items: EventResource[] = [];

  add(name: string, type: string | undefined): void {
    if (name === '' || name.length > NAME_LENGTH_MAX || this.items.length >= RESOURCES_MAX) return;
    for (const item of this.items) if (item.name === name && item.type === type) return;
    this.items.push(type === undefined ? { name } : { type, name });
  }
}
