/**
 * Operations on accounts and their root keys (service `snowtrail`).
 *
 * Only the administrators' account sees and makes accounts; every other account manages its own keys. A foreign
 * account looks as if it were not there.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Decision, Operation } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import { isAccountId } from '../event/values.ts';
import type { AccessKeyInfo, AccountInfo, Accounts } from './accounts.ts';

export function accountOperations(accounts: Accounts): readonly Operation[] {
  return [
    createAccount(accounts),
    listAccounts(accounts),
    createAccessKey(accounts),
    listAccessKeys(accounts),
    updateAccessKey(accounts),
    deleteAccessKey(accounts),
  ] as readonly Operation[];
}

interface KeyOutput {
  readonly Account: string;
  readonly AccessKeyId: string;
  readonly Status: 'Active' | 'Inactive';
  /** ISO 8601. */
  readonly CreateDate: string;
}

interface NewKeyOutput {
  readonly Account: string;
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
}

function createAccount(accounts: Accounts): Operation<{ Account?: unknown; Name?: unknown }, { AccessKey: NewKeyOutput }> {
  return {
    name: 'CreateAccount',
    isReadOnly: false,
    decide: async (call, input) => {
      requireAdministrator(call);
      const account = accountOf(input.Account);
      const name = nameOf(input.Name ?? `account ${account}`);
      if (accounts.exists(account)) {
        const next = `\`snowtrail keys create --for ${account}\` makes a further key`;
        throw new ApiError('ConflictException', `account ${account} exists already; nothing was changed. ${next}`, { status: 409 });
      }
      const { newKey, save, changes } = await accounts.prepareAccount(account, name);
      const key = { Account: account, AccessKeyId: newKey.accessKeyId, SecretAccessKey: newKey.secretAccessKey };
      return {
        output: { AccessKey: key },
        changes,
        apply: async () => {
          // The record names a key that was not made: a refusal puts a second record beside it that says so.
          if ((await save()) === undefined)
            throw new ApiError('ConflictException', `account ${account} was made by another call meanwhile, with a key of its own`, {
              status: 409,
            });
        },
        requestParameters: { account, name },
        // As for CreateAccessKey: the id of the key, never its secret.
        responseElements: { accessKey: { account, accessKeyId: newKey.accessKeyId, status: 'Active' } },
      };
    },
  };
}

function listAccounts(
  accounts: Accounts,
): Operation<object, { Accounts: readonly { Account: string; Name: string; CreateDate: string }[] }> {
  return {
    name: 'ListAccounts',
    isReadOnly: true,
    decide: async (call) => {
      const visible = accounts.list().filter(({ account }) => call.principal.isAdministrator || account === call.account);
      return { output: { Accounts: visible.map(accountOutput) } };
    },
  };
}

function createAccessKey(accounts: Accounts): Operation<{ Account?: unknown }, { AccessKey: NewKeyOutput }> {
  return {
    name: 'CreateAccessKey',
    isReadOnly: false,
    refusesReplay: { afterMs: 0 },
    decide: async (call, input) => {
      requireRoot(call);
      const account = ownAccount(accounts, call, input.Account);
      const { newKey, save, changes } = await accounts.prepareKey(account);
      const key = { Account: account, AccessKeyId: newKey.accessKeyId, SecretAccessKey: newKey.secretAccessKey };
      return {
        output: { AccessKey: key },
        changes,
        apply: save,
        requestParameters: { account },
        // The secret is shown to the caller once and never recorded.
        responseElements: { accessKey: { account, accessKeyId: newKey.accessKeyId, status: 'Active' } },
      };
    },
  };
}

function listAccessKeys(accounts: Accounts): Operation<{ Account?: unknown }, { AccessKeys: readonly KeyOutput[] }> {
  return {
    name: 'ListAccessKeys',
    isReadOnly: true,
    decide: async (call, input) => {
      const keys = await accounts.listKeys(ownAccount(accounts, call, input.Account));
      return { output: { AccessKeys: keys.map(keyOutput) } };
    },
  };
}

interface KeyInput {
  readonly Account?: unknown;
  readonly AccessKeyId?: unknown;
  readonly Status?: unknown;
}

function updateAccessKey(accounts: Accounts): Operation<KeyInput, object> {
  return {
    name: 'UpdateAccessKey',
    isReadOnly: false,
    refusesReplay: { afterMs: 0 },
    decide: async (call, input): Promise<Decision<object>> => {
      requireRoot(call);
      const account = ownAccount(accounts, call, input.Account);
      if (input.Status !== 'Active' && input.Status !== 'Inactive') {
        throw new ApiError('ValidationException', `Status must be \`Active\` or \`Inactive\``);
      }
      const accessKeyId = keyIdOf(input.AccessKeyId);
      if (input.Status === 'Inactive') refuseOwnKey(call, accessKeyId);
      return {
        output: {},
        ...(await accounts.changeKey(account, accessKeyId, input.Status)),
        requestParameters: { account, accessKeyId, status: input.Status },
        responseElements: null,
      };
    },
  };
}

function deleteAccessKey(accounts: Accounts): Operation<KeyInput, object> {
  return {
    name: 'DeleteAccessKey',
    isReadOnly: false,
    refusesReplay: { afterMs: 0 },
    decide: async (call, input): Promise<Decision<object>> => {
      requireRoot(call);
      const account = ownAccount(accounts, call, input.Account);
      const accessKeyId = keyIdOf(input.AccessKeyId);
      refuseOwnKey(call, accessKeyId);
      return {
        output: {},
        ...(await accounts.changeKey(account, accessKeyId, undefined)),
        requestParameters: { account, accessKeyId },
        responseElements: null,
      };
    },
  };
}

/** The key that signs a call is in use: whoever switches it off has a mistaken key in hand, or locks itself out. */
function refuseOwnKey(call: Call, accessKeyId: string): void {
  if (accessKeyId !== call.principal.accessKeyId) return;
  throw new ApiError('ValidationException', 'a key cannot delete or deactivate itself; sign this call with another key of the account');
}

/**
 * A root is bound by no boundary, session policy or second factor that its account's policies demand: whoever they bind must not get
 * its key, and who wrote them for another service did not think of this one's actions.
 */
function requireRoot({ principal }: Call): void {
  if (principal.type === 'Root') return;
  const message = `${principal.arn} is no root; keys of a root are made, changed and deleted by a root alone`;
  throw new ApiError('AccessDeniedException', message, { status: 403 });
}

function requireAdministrator(call: Call): void {
  if (call.principal.isAdministrator) return;
  throw new ApiError(
    'AccessDeniedException',
    `account ${call.account} does not administer this installation; use a key of its first account`,
    {
      status: 403,
    },
  );
}

/** The account that a key operation is about: the caller's own, or any one for an administrator. */
function ownAccount(accounts: Accounts, call: Call, given: unknown): AccountId {
  if (given === undefined) return call.account;
  const account = accountOf(given);
  if (account === call.account) return account;
  requireAdministrator(call);
  if (!accounts.exists(account)) {
    throw new ApiError('NoSuchEntityException', `account ${account} does not exist; \`snowtrail accounts create ${account}\` makes it`, {
      status: 404,
    });
  }
  return account;
}

function accountOf(given: unknown): AccountId {
  if (typeof given === 'string' && isAccountId(given)) return given;
  throw new ApiError('ValidationException', 'Account must be twelve digits');
}

function nameOf(given: unknown): string {
  if (typeof given === 'string' && given.length >= 1 && given.length <= 128) return given;
  throw new ApiError('ValidationException', 'Name must be a text of 1 to 128 characters');
}

function keyIdOf(given: unknown): string {
  if (typeof given === 'string' && /^[A-Z0-9]{16,128}$/.test(given)) return given;
  throw new ApiError('ValidationException', 'AccessKeyId must be 16 to 128 capital letters and digits');
}

function accountOutput(info: AccountInfo): { Account: string; Name: string; CreateDate: string } {
  return { Account: info.account, Name: info.name, CreateDate: new Date(info.createdAtMs).toISOString() };
}

function keyOutput(key: AccessKeyInfo): KeyOutput {
  return { Account: key.account, AccessKeyId: key.accessKeyId, Status: key.status, CreateDate: new Date(key.createdAtMs).toISOString() };
}
