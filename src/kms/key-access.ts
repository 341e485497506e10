/**
 * What a caller must be allowed to use a key.
 *
 * Unlike elsewhere, a right that only the caller's own policies give is none: the key's policy must name the caller, or the caller's
 * account, which then decides with its own policies (KMS Developer Guide, "Default key policy").
 */
import type { AccessRequest } from '../api/access.ts';
import type { EncryptionContext } from './ciphertext.ts';
import type { KeyName } from './find-key.ts';
import { aliasArn, type KmsKey, keyUsage, kmsKeyArn } from './kms-key.ts';

/** What is to be done with a key. */
export interface KeyUse {
  /** Such as `kms:Decrypt`. */
  readonly action: string;
  /** The caller's account. */
  readonly caller: string;
  /** Absent where the operation has none. */
  readonly encryptionContext?: EncryptionContext;
  /** The service that uses the key for the caller, such as `s3.eu-central-1.amazonaws.com`. */
  readonly viaService?: string;
}

/** @param key Absent where the name leads to none: then the caller's own rights decide whether to be told so. */
export function keyRequest(name: KeyName, key: KmsKey | undefined, use: KeyUse): AccessRequest {
  const { action, caller } = use;
  if (key === undefined) return { action, resource: name.kind === 'key' ? kmsKeyArn(name) : aliasArn(name), owner: name.account };
  const context = new Map([...contextOf(key, use), ['kms:calleraccount', [caller]] as const]);
  return { action, resource: kmsKeyArn(key), owner: key.account, resourcePolicy: key.policy, isPolicyRequired: true, context };
}

/** Condition keys of a use. */
export function contextOf(
  key: KmsKey,
  { encryptionContext = {}, viaService }: Pick<KeyUse, 'encryptionContext' | 'viaService'>,
): readonly (readonly [key: string, values: readonly string[]])[] {
  const names = Object.keys(encryptionContext);
  return [
    ['kms:keyspec', [key.spec]],
    ['kms:keyusage', [keyUsage(key)]],
    ['kms:keyorigin', ['AWS_KMS']],
    ...names.map((name) => [`kms:encryptioncontext:${name.toLowerCase()}`, [encryptionContext[name]!]] as const),
    ...(names.length === 0 ? [] : [['kms:encryptioncontextkeys', names] as const]),
    ...(viaService === undefined ? [] : [['kms:viaservice', [viaService]] as const]),
  ];
}
