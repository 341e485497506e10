/**
 * `CreateAlias`, `UpdateAlias`, `DeleteAlias`, `ListAliases`: names of keys, within one account and Region.
 */
import { ApiError } from '../api/api-error.ts';
import { type Call, type Decision, type Operation, REPEATS_MS } from '../api/operation.ts';
import { CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import { findKey, readKeyName } from './find-key.ts';
import { keyRequest } from './key-access.ts';
import type { KmsDeps } from './kms-deps.ts';
import { aliasArn, aliasChange, aliasesKey, aliasKey, type KmsAlias, keyResource, keyUsage } from './kms-key.ts';
import { NOT_PENDING, recordOf, requireKey, requireKeyName } from './on-key.ts';
import { listPage, type PageInput } from './page.ts';

/** Most names of one account in one Region. */
const ALIASES_MAX = 2_000;

interface AliasInput {
  readonly AliasName?: string;
  readonly TargetKeyId?: string;
}

type AliasId = Pick<KmsAlias, 'account' | 'region' | 'name'>;

export function createAlias(deps: KmsDeps): Operation<AliasInput, object> {
  return {
    name: 'CreateAlias',
    isReadOnly: false,
    refusesReplay: { afterMs: REPEATS_MS },
    access: (call, input) => requestsOf(call, 'kms:CreateAlias', input),
    decide: async (call, input) => {
      const alias = requireAliasName(call, input.AliasName ?? '');
      const { value: key } = await requireKey(deps, requireKeyName(call, input.TargetKeyId ?? '', false), { states: NOT_PENDING });
      if ((await deps.catalog.get(aliasKey(alias))) !== undefined) throw alreadyExists(alias);
      if ((await deps.catalog.list(aliasesKey(call), { limit: ALIASES_MAX })).length >= ALIASES_MAX)
        throw new ApiError('LimitExceededException', `Account ${call.account} has ${ALIASES_MAX} aliases in ${call.region} already.`);
      const nowMs = deps.clock.nowMs();
      const value: KmsAlias = { ...alias, keyId: key.id, createdAtMs: nowMs, updatedAtMs: nowMs };
      return {
        ...recordOf(input, false, { output: {} }),
        resources: [keyResource(key), aliasResource(alias)],
        ...save(deps, undefined, value),
      };
    },
  };
}

export function updateAlias(deps: KmsDeps): Operation<AliasInput, object> {
  return {
    name: 'UpdateAlias',
    isReadOnly: false,
    refusesReplay: { afterMs: REPEATS_MS },
    access: async (call, input) => {
      const before = await deps.catalog.get<KmsAlias>(aliasKey(aliasIdOf(call, input.AliasName ?? '')));
      const old = before === undefined ? [] : requestsOf(call, 'kms:UpdateAlias', { ...input, TargetKeyId: before.value.keyId });
      return [...requestsOf(call, 'kms:UpdateAlias', input), ...old];
    },
    decide: async (call, input) => {
      const alias = requireAliasName(call, input.AliasName ?? '');
      const before = await requireAlias(deps, alias);
      const { value: key } = await requireKey(deps, requireKeyName(call, input.TargetKeyId ?? '', false), { states: NOT_PENDING });
      const old = await findKey(deps, { kind: 'key', ...alias, id: before.value.keyId });
      if (old !== undefined && keyUsage(old.value) !== keyUsage(key))
        throw new ApiError(
          'ValidationException',
          `Alias ${alias.name} cannot be changed from a key usage of ${keyUsage(old.value)} to ${keyUsage(key)}`,
        );
      const value: KmsAlias = { ...before.value, keyId: key.id, updatedAtMs: deps.clock.nowMs() };
      return {
        ...recordOf(input, false, { output: {} }),
        resources: [...(old === undefined ? [] : [keyResource(old.value)]), keyResource(key), aliasResource(alias)],
        ...save(deps, before, value),
      };
    },
  };
}

export function deleteAlias(deps: KmsDeps): Operation<AliasInput, object> {
  return {
    name: 'DeleteAlias',
    isReadOnly: false,
    refusesReplay: { afterMs: REPEATS_MS },
    access: async (call, input) => {
      const before = await deps.catalog.get<KmsAlias>(aliasKey(aliasIdOf(call, input.AliasName ?? '')));
      return requestsOf(call, 'kms:DeleteAlias', {
        ...input,
        ...(before === undefined ? {} : { TargetKeyId: before.value.keyId }),
      });
    },
    decide: async (call, input) => {
      const alias = requireAliasName(call, input.AliasName ?? '');
      const before = await requireAlias(deps, alias);
      const key = await findKey(deps, { kind: 'key', ...alias, id: before.value.keyId });
      return {
        ...recordOf(input, false, { output: {} }),
        resources: [...(key === undefined ? [] : [keyResource(key.value)]), aliasResource(alias)],
        ...save(deps, before, undefined),
      };
    },
  };
}

export function listAliases(deps: KmsDeps): Operation<PageInput & { readonly KeyId?: string }, object> {
  return {
    name: 'ListAliases',
    isReadOnly: true,
    decide: async (call, input) => {
      const name = input.KeyId === undefined ? undefined : requireKeyName(call, input.KeyId, false);
      if (name !== undefined && name.account !== call.account)
        throw new ApiError('NotFoundException', `Key '${input.KeyId}' does not exist`);
      const key = name && (await requireKey(deps, name)).value;
      const all = (await deps.catalog.list<KmsAlias>(aliasesKey(call))).map(({ value }) => value);
      const found = key === undefined ? all : all.filter(({ keyId }) => keyId === key.id);
      const { items, ...page } = await listPage(deps, { call, operation: 'ListAliases', input }, found, {
        nameOf: (alias) => alias.name,
        sizeDefault: 50,
      });
      return recordOf(input, true, { output: { Aliases: items.map(aliasOutput), ...page } });
    },
  };
}

function aliasOutput(alias: KmsAlias) {
  return {
    AliasName: alias.name,
    AliasArn: aliasArn(alias),
    TargetKeyId: alias.keyId,
    CreationDate: new Date(alias.createdAtMs),
    LastUpdatedDate: new Date(alias.updatedAtMs),
  };
}

/** The right on the alias, and the same on the key that it leads to. */
function requestsOf(call: Call, action: string, { AliasName = '', TargetKeyId }: AliasInput) {
  const alias = { action, resource: aliasArn(aliasIdOf(call, AliasName)) };
  return TargetKeyId === undefined ? [alias] : [alias, keyRequest(readKeyName(TargetKeyId, call), { action })];
}

/** @throws ApiError ValidationException */
function aliasIdOf(call: Call, name: string): AliasId {
  if (!/^alias\/[a-zA-Z0-9/_-]{1,250}$/.test(name))
    throw new ApiError('ValidationException', `Alias must start with the prefix "alias/": ${name}`);
  return { account: call.account, region: call.region, name };
}

/** @throws ApiError ValidationException, NotAuthorizedException for names of the services' own keys */
function requireAliasName(call: Call, name: string): AliasId {
  const alias = aliasIdOf(call, name);
  if (name.startsWith('alias/aws/')) throw new ApiError('NotAuthorizedException', 'Aliases that begin with alias/aws/ are reserved.');
  return alias;
}

async function requireAlias({ catalog }: KmsDeps, alias: AliasId): Promise<CatalogDocument<KmsAlias>> {
  const found = await catalog.get<KmsAlias>(aliasKey(alias));
  if (found === undefined) throw new ApiError('NotFoundException', `Alias ${aliasArn(alias)} is not found.`);
  return found;
}

function save(
  { catalog }: KmsDeps,
  before: CatalogDocument<KmsAlias> | undefined,
  value: KmsAlias | undefined,
): Required<Pick<Decision<object>, 'apply' | 'changes'>> {
  const alias = (value ?? before?.value)!;
  return {
    changes: [aliasChange(before?.value, value)],
    apply: async () => {
      try {
        await catalog.commit([{ key: aliasKey(alias), value, expected: before?.version ?? 0 }]);
      } catch (error) {
        if (!(error instanceof CatalogConflict)) throw error;
        throw alreadyExists(alias);
      }
    },
  };
}

function alreadyExists(alias: AliasId): ApiError {
  return new ApiError('AlreadyExistsException', `An alias with the name ${aliasArn(alias)} already exists`);
}

function aliasResource(alias: AliasId) {
  return { type: 'AWS::KMS::Key', name: aliasArn(alias), account: alias.account };
}
