/**
 * What a caller must be allowed to use a key.
 *
 * Unlike elsewhere, a right that only the caller's own policies give is none: the key's policy must name the caller, or the caller's
 * account, which then decides with its own policies (KMS Developer Guide, "Default key policy").
 */
import type { AccessRequest } from '../api/access.ts';
import { ApiError } from '../api/api-error.ts';
import type { FindResource } from '../api/find-resource.ts';
import { requestTagContext, resourceTagContext } from '../api/tags.ts';
import type { Region } from '../event/types.ts';
import type { EncryptionContext } from './ciphertext.ts';
import { findKey, type KeyName, readKeyName } from './find-key.ts';
import { foreignKeyOf } from './foreign-data-keys.ts';
import type { KmsDeps } from './kms-deps.ts';
import { aliasArn, type KeyTag, type KmsKey, keyUsage, kmsKeyArn } from './kms-key.ts';

/** What is to be done with a key. */
export interface KeyUse {
  /** Such as `kms:Decrypt`. */
  readonly action: string;
  /** Absent where the operation has none. */
  readonly encryptionContext?: EncryptionContext;
  /** The service that uses the key for the caller, such as `s3.eu-central-1.amazonaws.com`. */
  readonly viaService?: string;
}

/** A use of the key that a name leads to. */
export function keyRequest(name: KeyName, { action, ...use }: KeyUse): AccessRequest {
  return { action, resource: name.kind === 'key' ? kmsKeyArn(name) : aliasArn(name), context: new Map(useContext(use)) };
}

/** Condition keys of a call that gives tags. */
export function tagRequestContext(tags: readonly KeyTag[]): ReadonlyMap<string, readonly string[]> {
  return requestTagContext(tags.map(({ key: Key, value: Value }) => ({ Key, Value })));
}

/** Actions that are about the alias that they name, and not about its key. */
const OF_ALIASES = /^kms:(?:Create|Update|Delete)Alias$/i;

/**
 * What an account may do with a key of another one, where that key's policy lets it. All else is for the key's own account, whatever the
 * policy says. Source: KMS API Reference, "Cross-account use" of each action.
 */
const ACROSS_ACCOUNTS =
  /^kms:(?:(?:Retire|Revoke|Create)Grant|Decrypt|DeriveSharedSecret|DescribeKey|Encrypt|Generate(?:DataKey(?:Pair)?(?:WithoutPlaintext)?|Mac)|Get(?:KeyRotationStatus|PublicKey)|ListGrants|ReEncrypt(?:From|To)|Sign|Verify(?:Mac)?)$/i;

/** What a key decides itself. Of a name that leads to none the caller's own rights decide whether to be told so. */
export function keyAccess(deps: KmsDeps): FindResource {
  return async ({ call: { account }, action, resource }) => {
    const name = readKeyArn(resource);
    if (name === undefined || (name.kind === 'alias' && OF_ALIASES.test(action))) return undefined;
    if (name.account !== account && !ACROSS_ACCOUNTS.test(action)) return { owner: name.account };
    const key = (await findKey(deps, name))?.value;
    // The policy of a key elsewhere is asked there, of our own credentials: here it is left to the account.
    if (key === undefined) return { owner: foreignKeyOf(deps, name, account) === undefined ? name.account : account };
    const tags = resourceTagContext(key.tags.map(({ key: Key, value: Value }) => ({ Key, Value })));
    return {
      arn: kmsKeyArn(key),
      owner: key.account,
      policy: key.policy,
      isPolicyRequired: true,
      context: new Map([...keyContext(key), ...tags, ['kms:calleraccount', [account]]]),
    };
  };
}

/** `undefined` for what is the name of no key. */
function readKeyArn(arn: string): KeyName | undefined {
  if (!arn.startsWith('arn:')) return undefined;
  try {
    return readKeyName(arn, { account: '' as KeyName['account'], region: (arn.split(':')[3] ?? '') as Region });
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

type Keys = readonly (readonly [key: string, values: readonly string[]])[];

/** Condition keys of a use of the key. */
export function contextOf(key: KmsKey, use: Pick<KeyUse, 'encryptionContext' | 'viaService'>): Keys {
  return [...keyContext(key), ...useContext(use)];
}

function keyContext(key: KmsKey): Keys {
  return [
    ['kms:keyspec', [key.spec]],
    ['kms:keyusage', [keyUsage(key)]],
    ['kms:keyorigin', ['AWS_KMS']],
  ];
}

function useContext({ encryptionContext = {}, viaService }: Pick<KeyUse, 'encryptionContext' | 'viaService'>): Keys {
  const names = Object.keys(encryptionContext);
  return [
    ...names.map((name) => [`kms:encryptioncontext:${name.toLowerCase()}`, [encryptionContext[name]!]] as const),
    ...(names.length === 0 ? [] : [['kms:encryptioncontextkeys', names] as const]),
    ...(viaService === undefined ? [] : [['kms:viaservice', [viaService]] as const]),
  ];
}
