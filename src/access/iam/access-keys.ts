/**
 * Access keys of users, and of the root for its own calls that name no user.
 *
 * A secret is in the answer that makes its key and nowhere else. A key that was deleted or switched off is refused at once (A10).
 * Source: IAM API Reference.
 */

import { ApiError } from '../../api/api-error.ts';
import { type Call, REPEATS_MS } from '../../api/operation.ts';
import { noSuchEntity } from '../identities.ts';
import { changed } from '../identity-changes.ts';
import { keyUseKey } from '../key-uses.ts';
import { entityAccess, type IamDeps, type IamOperation, limitExceeded, ownUserName } from './iam-deps.ts';
import { listPage, type PageInput } from './page.ts';
import { ownAccess } from './users.ts';

const KEYS_PER_USER_MAX = 2;

interface OwnInput {
  readonly UserName?: string;
}

/** True when the operation is about the keys of the account itself. */
function isRoots(call: Call, { UserName }: OwnInput): boolean {
  return UserName === undefined && call.principal.type === 'Root';
}

export function createAccessKey(deps: IamDeps): IamOperation<OwnInput> {
  const { accounts, identities, clock } = deps;
  return {
    name: 'CreateAccessKey',
    isReadOnly: false,
    refusesReplay: { afterMs: REPEATS_MS },
    access: (call, { UserName }) => ownAccess(deps, call, { action: 'CreateAccessKey', name: UserName }),
    decide: async (call, input) => {
      const { account } = call;
      const CreateDate = new Date(clock.nowMs());
      if (isRoots(call, input)) {
        const { newKey, save, changes } = await accounts.prepareKey(account);
        const shown = { AccessKeyId: newKey.accessKeyId, Status: 'Active', CreateDate };
        return {
          output: { AccessKey: { ...shown, SecretAccessKey: newKey.secretAccessKey } },
          responseElements: { accessKey: { accessKeyId: newKey.accessKeyId, status: 'Active' } },
          changes,
          apply: save,
        };
      }
      const user = await identities.need('User', account, input.UserName ?? ownUserName(call));
      const { name, id, path, accessKeyIds } = user.value;
      if (accessKeyIds.length >= KEYS_PER_USER_MAX) throw limitExceeded('AccessKeysPerUser', KEYS_PER_USER_MAX);
      const { newKey, change } = await accounts.prepareUserKey(account, { name, id, path });
      const { accessKeyId, secretAccessKey } = newKey;
      return {
        output: { AccessKey: { UserName: name, AccessKeyId: accessKeyId, Status: 'Active', SecretAccessKey: secretAccessKey, CreateDate } },
        responseElements: { accessKey: { userName: name, accessKeyId, status: 'Active' } },
        ...identities.save([change, changed(user, { accessKeyIds: [...accessKeyIds, accessKeyId] })], () =>
          accounts.forgetKeys([accessKeyId]),
        ),
      };
    },
  };
}

export function listAccessKeys(deps: IamDeps): IamOperation<OwnInput & PageInput> {
  const { accounts, identities } = deps;
  return {
    name: 'ListAccessKeys',
    isReadOnly: true,
    access: (call, { UserName }) => ownAccess(deps, call, { action: 'ListAccessKeys', name: UserName }),
    decide: async (call, input) => {
      const { account } = call;
      const user = isRoots(call, input) ? undefined : (await identities.need('User', account, input.UserName ?? ownUserName(call))).value;
      const keys =
        user === undefined
          ? await accounts.listKeys(account)
          : (await Promise.all(user.accessKeyIds.map((id) => accounts.findUserKey(account, id)))).filter((key) => key !== undefined);
      const { items, more } = await listPage(deps, { call, operation: 'ListAccessKeys', input }, keys, ({ accessKeyId }) => accessKeyId);
      const AccessKeyMetadata = items.map(({ accessKeyId, status, createdAtMs }) => ({
        ...(user === undefined ? {} : { UserName: user.name }),
        AccessKeyId: accessKeyId,
        Status: status,
        CreateDate: new Date(createdAtMs),
      }));
      return { output: { AccessKeyMetadata, ...more } };
    },
  };
}

interface KeyInput extends OwnInput {
  readonly AccessKeyId: string;
}

export function updateAccessKey(deps: IamDeps): IamOperation<KeyInput & { readonly Status: string }> {
  const { accounts, identities } = deps;
  return {
    name: 'UpdateAccessKey',
    isReadOnly: false,
    access: (call, { UserName }) => ownAccess(deps, call, { action: 'UpdateAccessKey', name: UserName }),
    decide: async (call, input) => {
      const { AccessKeyId, Status } = input;
      // The model has a third status, which the service sets itself and nobody else can.
      if (Status !== 'Active' && Status !== 'Inactive')
        throw new ApiError('InvalidInput', 'Status must be Active or Inactive.', { status: 400 });
      if (isRoots(call, input)) return { output: {}, ...(await changeRootKey(deps, call, AccessKeyId, Status)) };
      await needKey(deps, call, input);
      const changes = await accounts.changeUserKeys([AccessKeyId], { status: Status });
      return { output: {}, ...identities.save(changes, () => accounts.forgetKeys([AccessKeyId])) };
    },
  };
}

export function deleteAccessKey(deps: IamDeps): IamOperation<KeyInput> {
  const { accounts, identities, keyUses } = deps;
  return {
    name: 'DeleteAccessKey',
    isReadOnly: false,
    access: (call, { UserName }) => ownAccess(deps, call, { action: 'DeleteAccessKey', name: UserName }),
    decide: async (call, input) => {
      const { AccessKeyId } = input;
      if (isRoots(call, input)) return { output: {}, ...(await changeRootKey(deps, call, AccessKeyId, undefined)) };
      const user = await needKey(deps, call, input);
      const changes = await accounts.changeUserKeys([AccessKeyId], undefined);
      const accessKeyIds = user.value.accessKeyIds.filter((id) => id !== AccessKeyId);
      const use = { key: keyUseKey(call.account, AccessKeyId), value: undefined, expected: 'any' as const };
      const done = () => {
        accounts.forgetKeys([AccessKeyId]);
        keyUses.forget(AccessKeyId);
      };
      return { output: {}, ...identities.save([...changes, changed(user, { accessKeyIds }), use], done) };
    },
  };
}

/** As `snowtrail keys` changes it, in the words of IAM. */
async function changeRootKey({ accounts }: IamDeps, call: Call, id: string, status: 'Active' | 'Inactive' | undefined) {
  try {
    return await accounts.changeKey(call.account, id, status);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const code = { NoSuchEntityException: 'NoSuchEntity', ValidationException: 'ValidationError' }[error.code] ?? error.code;
    throw new ApiError(code, error.message, { status: error.status ?? 400, cause: error });
  }
}

/** The user that the key belongs to. @throws ApiError NoSuchEntity, also for a key of somebody else. */
async function needKey({ identities }: IamDeps, call: Call, { UserName, AccessKeyId }: KeyInput) {
  const user = await identities.need('User', call.account, UserName ?? ownUserName(call));
  if (user.value.accessKeyIds.includes(AccessKeyId)) return user;
  throw noSuchEntity(`The Access Key with id ${AccessKeyId} cannot be found.`);
}

export function getAccessKeyLastUsed(deps: IamDeps): IamOperation<{ readonly AccessKeyId: string }> {
  const { accounts, keyUses } = deps;
  return {
    name: 'GetAccessKeyLastUsed',
    isReadOnly: true,
    access: async (call, { AccessKeyId }) => {
      const key = await accounts.findUserKey(call.account, AccessKeyId);
      if (key === undefined) return [{ action: 'iam:GetAccessKeyLastUsed', resource: '*' }];
      return entityAccess(deps, call, { action: 'GetAccessKeyLastUsed', kind: 'User', name: key.user.name });
    },
    decide: async ({ account }, { AccessKeyId }) => {
      const key = await accounts.findUserKey(account, AccessKeyId);
      if (key === undefined) throw noSuchEntity(`The Access Key with id ${AccessKeyId} cannot be found.`);
      const use = await keyUses.last(account, AccessKeyId);
      const AccessKeyLastUsed =
        use === undefined
          ? { ServiceName: 'N/A', Region: 'N/A' }
          : { LastUsedDate: new Date(use.atMs), ServiceName: use.service, Region: use.region };
      return { output: { UserName: key.user.name, AccessKeyLastUsed } };
    },
  };
}
