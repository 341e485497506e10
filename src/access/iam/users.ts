/**
 * `CreateUser`, `GetUser`, `ListUsers`, `UpdateUser`, `DeleteUser`.
 *
 * Source: IAM API Reference.
 */
import type { Call } from '../../api/operation.ts';
import { requestTagContext } from '../../api/tags.ts';
import type { CatalogDocument } from '../../store/catalog.ts';
import { added, changed, type DocumentChange, removed } from '../identity-changes.ts';
import { entityArn, entityKey, type Tag, type UserDocument } from '../identity-documents.ts';
import { type MfaDevice, mfaKey } from '../mfa-device.ts';
import { policyGuard } from './check-policy.ts';
import {
  alreadyExists,
  boundaryContext,
  checkTags,
  deleteConflict,
  entityAccess,
  type IamDeps,
  type IamOperation,
  limitExceeded,
  newId,
  ownUserName,
} from './iam-deps.ts';
import { type ListInput, listEntities } from './list-entities.ts';
import { userOutput } from './outputs.ts';

const USERS_MAX = 5_000;

interface CreateUserInput {
  readonly UserName: string;
  readonly Path?: string;
  readonly PermissionsBoundary?: string;
  readonly Tags?: readonly Tag[];
}

export function createUser(deps: IamDeps): IamOperation<CreateUserInput> {
  const { identities, clock, chance } = deps;
  return {
    name: 'CreateUser',
    isReadOnly: false,
    access: (call, { UserName: name, Path: path = '/', PermissionsBoundary, Tags }) => [
      {
        action: 'iam:CreateUser',
        resource: entityArn({ kind: 'User', account: call.account, path, name }),
        context: new Map([...requestTagContext(Tags), ...boundaryContext(PermissionsBoundary)]),
      },
    ],
    decide: async ({ account }, { UserName: name, Path: path = '/', PermissionsBoundary: boundary, Tags: tags = [] }) => {
      checkTags(tags);
      const key = entityKey('User', account, name);
      if (await identities.isTaken(key)) throw alreadyExists(`User with name ${name} already exists.`);
      const guards = boundary === undefined ? [] : await policyGuard(identities, account, boundary);
      if ((await identities.list('User', account)).length >= USERS_MAX) throw limitExceeded('UsersPerAccount', USERS_MAX);
      const user: UserDocument = {
        kind: 'User',
        account,
        name,
        id: newId(chance, 'AIDA'),
        path,
        createdAtMs: clock.nowMs(),
        attached: [],
        inline: {},
        tags,
        ...(boundary === undefined ? {} : { boundary }),
        groups: [],
        accessKeyIds: [],
        mfaSerials: [],
      };
      return {
        output: { User: userOutput(user, true) },
        ...identities.save([added(key, user), ...guards]),
      };
    },
  };
}

export function getUser(deps: IamDeps): IamOperation<{ readonly UserName?: string }> {
  const { identities, accounts } = deps;
  return {
    name: 'GetUser',
    isReadOnly: true,
    access: (call, { UserName }) => ownAccess(deps, call, { action: 'GetUser', name: UserName }),
    decide: async (call, { UserName }) => {
      if (UserName === undefined && call.principal.type === 'Root') {
        const { createdAtMs } = accounts.list().find(({ account }) => account === call.account)!;
        return {
          output: { User: { Path: '/', UserId: call.account, Arn: call.principal.arn, CreateDate: new Date(createdAtMs) } },
        };
      }
      const { value } = await identities.need('User', call.account, UserName ?? ownUserName(call));
      return { output: { User: userOutput(value, true) } };
    },
  };
}

/** What is needed for an operation whose user is the caller when none is named. */
export async function ownAccess(
  deps: Pick<IamDeps, 'identities'>,
  call: Call,
  { action, name }: { readonly action: string; readonly name: string | undefined },
) {
  if (name === undefined && call.principal.type === 'Root') return [{ action: `iam:${action}`, resource: call.principal.arn }];
  return entityAccess(deps, call, { action, kind: 'User', name: name ?? ownUserName(call) });
}

export function listUsers(deps: IamDeps): IamOperation<ListInput> {
  return listEntities(deps, 'User', (users) => ({ Users: users.map((user) => userOutput(user)) }));
}

interface UpdateUserInput {
  readonly UserName: string;
  readonly NewPath?: string;
  readonly NewUserName?: string;
}

export function updateUser(deps: IamDeps): IamOperation<UpdateUserInput> {
  const { identities } = deps;
  return {
    name: 'UpdateUser',
    isReadOnly: false,
    // Who renames needs it for the old and the new name.
    access: async (call, { UserName, NewUserName, NewPath }) => {
      const old = await entityAccess(deps, call, { action: 'UpdateUser', kind: 'User', name: UserName });
      const found = await identities.find('User', call.account, UserName);
      const path = NewPath ?? found?.value.path ?? '/';
      const resource = entityArn({ kind: 'User', account: call.account, path, name: NewUserName ?? UserName });
      return [...old, { action: 'iam:UpdateUser', resource }];
    },
    decide: async ({ account }, { UserName, NewPath, NewUserName }) => {
      const found = await identities.need('User', account, UserName);
      const name = NewUserName ?? UserName;
      const key = entityKey('User', account, name);
      const isSameKey = name.toLowerCase() === UserName.toLowerCase();
      if (!isSameKey && (await identities.isTaken(key))) throw alreadyExists(`User with name ${name} already exists.`);
      const value: UserDocument = { ...found.value, name, path: NewPath ?? found.value.path };
      const changes: DocumentChange[] = isSameKey ? [changed(found, value)] : [removed(found), added(key, value)];
      const devices = await Promise.all(found.value.mfaSerials.map((serial) => identities.get<MfaDevice>(mfaKey(account, serial))));
      const { accessKeyIds, id } = found.value;
      const keys = await deps.accounts.changeUserKeys(accessKeyIds, { user: { name, id, path: value.path } });
      const renamed = devices.flatMap((device) => (device === undefined ? [] : [changed(device, { userName: name })]));
      return {
        output: {},
        ...identities.save([...changes, ...keys, ...renamed], () => deps.accounts.forgetKeys(accessKeyIds)),
      };
    },
  };
}

export function deleteUser(deps: IamDeps): IamOperation<{ readonly UserName: string }> {
  const { identities } = deps;
  return {
    name: 'DeleteUser',
    isReadOnly: false,
    access: (call, { UserName }) => entityAccess(deps, call, { action: 'DeleteUser', kind: 'User', name: UserName }),
    decide: async (call, { UserName }) => {
      const found = await identities.need('User', call.account, UserName);
      refuseUsed(found);
      return { output: {}, ...identities.save([removed(found)]) };
    },
  };
}

/** @throws ApiError DeleteConflict */
function refuseUsed({ value: user }: CatalogDocument<UserDocument>): void {
  const used = (
    [
      [user.accessKeyIds.length, 'delete access keys first.'],
      [Object.keys(user.inline).length, 'delete policies first.'],
      [user.attached.length, 'detach all policies first.'],
      [user.groups.length, 'remove users from group first.'],
      [user.mfaSerials.length, 'delete MFA device first.'],
    ] as const
  ).find(([count]) => count > 0);
  if (used !== undefined) throw deleteConflict(`Cannot delete entity, must ${used[1]}`);
}
