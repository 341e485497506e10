/**
 * `CreateGroup`, `GetGroup`, `ListGroups`, `UpdateGroup`, `DeleteGroup`, and who is in one.
 *
 * A membership lies with the user, so that a user's document says all that decides its calls.
 * Source: IAM API Reference.
 */
import type { AccountId } from '../../event/types.ts';
import { added, changed, type DocumentChange, removed, unchanged } from '../identity-changes.ts';
import { entityArn, entityKey, type GroupDocument, type UserDocument } from '../identity-documents.ts';
import { alreadyExists, deleteConflict, entityAccess, type IamDeps, type IamOperation, limitExceeded, newId } from './iam-deps.ts';
import { type ListInput, listEntities } from './list-entities.ts';
import { groupOutput, userOutput } from './outputs.ts';
import { listPage, type PageInput } from './page.ts';

const GROUPS_MAX = 300;
const GROUPS_PER_USER_MAX = 10;

export function createGroup({ identities, clock, chance }: IamDeps): IamOperation<{ readonly GroupName: string; readonly Path?: string }> {
  return {
    name: 'CreateGroup',
    isReadOnly: false,
    access: (call, { GroupName: name, Path: path = '/' }) => [
      { action: 'iam:CreateGroup', resource: entityArn({ kind: 'Group', account: call.account, path, name }) },
    ],
    decide: async ({ account }, { GroupName: name, Path: path = '/' }) => {
      const key = entityKey('Group', account, name);
      if (await identities.isTaken(key)) throw alreadyExists(`Group with name ${name} already exists.`);
      if ((await identities.list('Group', account)).length >= GROUPS_MAX) throw limitExceeded('GroupsPerAccount', GROUPS_MAX);
      const createdAtMs = clock.nowMs();
      const group: GroupDocument = { kind: 'Group', account, name, id: newId(chance, 'AGPA'), path, createdAtMs, attached: [], inline: {} };
      return { output: { Group: groupOutput(group) }, ...identities.save([added(key, group)]) };
    },
  };
}

export function getGroup(deps: IamDeps): IamOperation<PageInput & { readonly GroupName: string }> {
  return {
    name: 'GetGroup',
    isReadOnly: true,
    access: (call, { GroupName }) => entityAccess(deps, call, { action: 'GetGroup', kind: 'Group', name: GroupName }),
    decide: async (call, input) => {
      const { value } = await deps.identities.need('Group', call.account, input.GroupName);
      const members = await membersOf(deps, call.account, value.name);
      const { items, more } = await listPage(deps, { call, operation: 'GetGroup', input }, members, ({ name }) => name);
      return { output: { Group: groupOutput(value), Users: items.map((user) => userOutput(user)), ...more } };
    },
  };
}

async function membersOf({ identities }: IamDeps, account: AccountId, group: string): Promise<readonly UserDocument[]> {
  return (await identities.list('User', account)).filter(({ groups }) => groups.includes(group));
}

export function listGroups(deps: IamDeps): IamOperation<ListInput> {
  return listEntities(deps, 'Group', (groups) => ({ Groups: groups.map(groupOutput) }));
}

interface UpdateGroupInput {
  readonly GroupName: string;
  readonly NewPath?: string;
  readonly NewGroupName?: string;
}

export function updateGroup(deps: IamDeps): IamOperation<UpdateGroupInput> {
  const { identities } = deps;
  return {
    name: 'UpdateGroup',
    isReadOnly: false,
    access: async (call, { GroupName, NewGroupName, NewPath }) => {
      const old = await entityAccess(deps, call, { action: 'UpdateGroup', kind: 'Group', name: GroupName });
      const found = await identities.find('Group', call.account, GroupName);
      const path = NewPath ?? found?.value.path ?? '/';
      const resource = entityArn({ kind: 'Group', account: call.account, path, name: NewGroupName ?? GroupName });
      return [...old, { action: 'iam:UpdateGroup', resource }];
    },
    decide: async ({ account }, { GroupName, NewPath, NewGroupName }) => {
      const found = await identities.need('Group', account, GroupName);
      const name = NewGroupName ?? GroupName;
      const key = entityKey('Group', account, name);
      const isSameKey = name.toLowerCase() === GroupName.toLowerCase();
      if (!isSameKey && (await identities.isTaken(key))) throw alreadyExists(`Group with name ${name} already exists.`);
      const value: GroupDocument = { ...found.value, name, path: NewPath ?? found.value.path };
      const own: DocumentChange[] = isSameKey ? [changed(found, value)] : [removed(found), added(key, value)];
      const members = name === GroupName ? [] : await memberChanges(deps, account, GroupName, name);
      return { output: {}, ...identities.save([...own, ...members]) };
    },
  };
}

async function memberChanges(deps: IamDeps, account: AccountId, from: string, to: string): Promise<readonly DocumentChange[]> {
  const members = await membersOf(deps, account, from);
  const found = await Promise.all(members.map(({ name }) => deps.identities.need('User', account, name)));
  return found.map((user) => changed(user, { groups: user.value.groups.map((group) => (group === from ? to : group)) }));
}

export function deleteGroup(deps: IamDeps): IamOperation<{ readonly GroupName: string }> {
  const { identities } = deps;
  return {
    name: 'DeleteGroup',
    isReadOnly: false,
    access: (call, { GroupName }) => entityAccess(deps, call, { action: 'DeleteGroup', kind: 'Group', name: GroupName }),
    decide: async ({ account }, { GroupName }) => {
      const found = await identities.need('Group', account, GroupName);
      const used = (
        [
          [Object.keys(found.value.inline).length, 'delete policies first.'],
          [found.value.attached.length, 'detach all policies first.'],
          [(await membersOf(deps, account, GroupName)).length, 'remove users from group first.'],
        ] as const
      ).find(([count]) => count > 0);
      if (used !== undefined) throw deleteConflict(`Cannot delete entity, must ${used[1]}`);
      return { output: {}, ...identities.save([removed(found)]) };
    },
  };
}

interface MembershipInput {
  readonly GroupName: string;
  readonly UserName: string;
}

export function addUserToGroup(deps: IamDeps): IamOperation<MembershipInput> {
  const { identities } = deps;
  return {
    name: 'AddUserToGroup',
    isReadOnly: false,
    access: (call, { GroupName }) => entityAccess(deps, call, { action: 'AddUserToGroup', kind: 'Group', name: GroupName }),
    decide: async ({ account }, { GroupName, UserName }) => {
      const group = await identities.need('Group', account, GroupName);
      const user = await identities.need('User', account, UserName);
      const { groups } = user.value;
      if (groups.includes(GroupName)) return { output: {}, apply: async () => {} };
      if (groups.length >= GROUPS_PER_USER_MAX) throw limitExceeded('GroupsPerUser', GROUPS_PER_USER_MAX);
      return { output: {}, ...identities.save([changed(user, { groups: [...groups, GroupName] }), unchanged(group)]) };
    },
  };
}

export function removeUserFromGroup(deps: IamDeps): IamOperation<MembershipInput> {
  const { identities } = deps;
  return {
    name: 'RemoveUserFromGroup',
    isReadOnly: false,
    access: (call, { GroupName }) => entityAccess(deps, call, { action: 'RemoveUserFromGroup', kind: 'Group', name: GroupName }),
    decide: async ({ account }, { GroupName, UserName }) => {
      await identities.need('Group', account, GroupName);
      const user = await identities.need('User', account, UserName);
      const groups = user.value.groups.filter((group) => group !== GroupName);
      return { output: {}, ...identities.save([changed(user, { groups })]) };
    },
  };
}

export function listGroupsForUser(deps: IamDeps): IamOperation<PageInput & { readonly UserName: string }> {
  const { identities } = deps;
  return {
    name: 'ListGroupsForUser',
    isReadOnly: true,
    access: (call, { UserName }) => entityAccess(deps, call, { action: 'ListGroupsForUser', kind: 'User', name: UserName }),
    decide: async (call, input) => {
      const { value } = await identities.need('User', call.account, input.UserName);
      const groups = await Promise.all(value.groups.map((name) => identities.need('Group', call.account, name)));
      const { items, more } = await listPage(deps, { call, operation: 'ListGroupsForUser', input }, groups, (group) => group.value.name);
      return { output: { Groups: items.map((group) => groupOutput(group.value)), ...more } };
    },
  };
}
