/**
 * Finds the key that a client names: by id, ARN, alias or alias ARN, in the Region of the call.
 *
 * A key whose deletion has come due is not there any more; it is removed with its aliases by whoever meets it first,
 * or by `tend-keys.ts`.
 * A name that leads to another account finds what is there; whether the caller may know of it is asked afterwards, and the refusal
 * is the same as for a key that does not exist.
 * Source: KMS Developer Guide, "Key identifiers (KeyId)".
 */
import { ApiError } from '../api/api-error.ts';
import type { AccountId, Region } from '../event/types.ts';
import { isAccountId } from '../event/values.ts';
import { CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import { JournalFull } from '../store/journal.ts';
import type { KmsDeps } from './kms-deps.ts';
import {
  aliasArn,
  aliasChange,
  aliasesKey,
  aliasKey,
  type KmsAlias,
  type KmsKey,
  keyChange,
  keyResource,
  kmsKeyArn,
  kmsKeyKey,
} from './kms-key.ts';

const KEY_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ALIAS_NAME = /^alias\/[a-zA-Z0-9/_-]{1,250}$/;

/** Where a name leads to. */
export type KeyName = { readonly account: AccountId; readonly region: Region } & (
  | { readonly kind: 'key'; readonly id: string }
  | { readonly kind: 'alias'; readonly name: string }
);

/**
 * Takes a name apart.
 * @param home Account and Region of the caller, for names that have none.
 * @throws ApiError InvalidArnException, NotFoundException for what names nothing, or another Region
 */
export function readKeyName(text: string, home: { readonly account: AccountId; readonly region: Region }): KeyName {
  if (KEY_ID.test(text)) return { kind: 'key', ...home, id: text };
  if (ALIAS_NAME.test(text)) return { kind: 'alias', ...home, name: text };
  if (!text.startsWith('arn:')) throw notFound(`Invalid keyId '${shown(text)}'`);
  const [, , service, region, account = '', ...rest] = text.split(':');
  const name = rest.join(':');
  if (service !== 'kms' || !isAccountId(account)) throw new ApiError('InvalidArnException', `Invalid ARN: ${shown(text)}`);
  if (region !== home.region) throw notFound(`Invalid arn ${shown(region ?? '')}`);
  if (ALIAS_NAME.test(name)) return { kind: 'alias', account, region: home.region, name };
  if (!name.startsWith('key/')) throw new ApiError('InvalidArnException', `Invalid ARN: ${shown(text)}`);
  return { kind: 'key', account, region: home.region, id: name.slice('key/'.length) };
}

/** The key that a name leads to; `undefined` when there is none. */
export async function findKey(deps: KmsDeps, name: KeyName): Promise<CatalogDocument<KmsKey> | undefined> {
  if (name.kind === 'key' && !KEY_ID.test(name.id)) return undefined;
  const id = name.kind === 'key' ? name.id : (await deps.catalog.get<KmsAlias>(aliasKey(name)))?.value.keyId;
  if (id === undefined) return undefined;
  const found = await deps.catalog.get<KmsKey>(kmsKeyKey({ account: name.account, region: name.region, id }));
  if (found === undefined || !isDue(deps, found.value)) return found;
  await removeKey(deps, found.value);
  return undefined;
}

/** @throws ApiError NotFoundException, in the service's words */
export function keyNotFound(name: KeyName): ApiError {
  return name.kind === 'alias'
    ? notFound(`Alias ${shown(aliasArn(name))} is not found.`)
    : notFound(`Key '${shown(kmsKeyArn(name))}' does not exist`);
}

/** Whether the time of a pending deletion has come. It takes away what nobody can make again, so it goes by the earliest time. */
export function isDue({ lockTime }: Pick<KmsDeps, 'lockTime'>, { deletionAtMs }: KmsKey): boolean {
  return deletionAtMs !== undefined && deletionAtMs <= lockTime.earliestMs();
}

/**
 * Removes a key for good, with the aliases that lead to it; the record of it is durable before. Who comes second finds nothing to do.
 * While nothing can be recorded it stays, and is as if it were not there all the same.
 */
export async function removeKey(deps: KmsDeps, due: KmsKey): Promise<void> {
  const { catalog, recordKeyEvent, removals } = deps;
  const { account, region } = due;
  const keyArn = kmsKeyArn(due);
  await removals.run(keyArn, async () => {
    const found = await catalog.get<KmsKey>(kmsKeyKey(due));
    if (found === undefined || !isDue(deps, found.value)) return;
    const aliases = (await catalog.list<KmsAlias>(aliasesKey(due))).filter(({ value }) => value.keyId === due.id);
    const changes = [keyChange(found.value, undefined), ...aliases.map(({ value }) => aliasChange(value, undefined))];
    try {
      await recordKeyEvent({
        ...{ account, region, eventName: 'DeleteKey', responseElements: { keyId: keyArn } },
        ...{ resources: [keyResource(due)], changes },
      });
      await catalog.commit([found, ...aliases].map(({ key, version }) => ({ key, value: undefined, expected: version })));
    } catch (error) {
      if (!(error instanceof CatalogConflict) && !(error instanceof JournalFull)) throw error;
    }
  });
}

function notFound(message: string): ApiError {
  return new ApiError('NotFoundException', message);
}

/** An untrusted text in a message. */
function shown(text: string): string {
  return text.slice(0, 256).replace(/[^\x20-\x7e]/g, '?');
}
