/**
 * All operations of KMS: a line here, and a line of `read-input.ts`, for each.
 */
import type { Operation } from '../api/operation.ts';
import { createAlias, deleteAlias, listAliases, updateAlias } from './aliases.ts';
import { createKey } from './create-key.ts';
import { describeKey, listKeys, updateKeyDescription } from './describe-keys.ts';
import { decrypt, encrypt, generateDataKey, generateDataKeyWithoutPlaintext, reEncrypt } from './encrypt-decrypt.ts';
import { generateDataKeyPair, generateDataKeyPairWithoutPlaintext, generateRandom } from './generate.ts';
import { getKeyPolicy, listKeyPolicies, putKeyPolicy } from './key-policy.ts';
import { cancelKeyDeletion, disableKey, enableKey, scheduleKeyDeletion } from './key-state.ts';
import type { KmsDeps } from './kms-deps.ts';
import { disableKeyRotation, enableKeyRotation, getKeyRotationStatus, listKeyRotations, rotateKeyOnDemand } from './rotation.ts';
import { getPublicKey, signMessage, verifyMessage } from './sign-verify.ts';
import { listResourceTags, tagResource, untagResource } from './tags.ts';

export function kmsOperations(deps: KmsDeps): readonly Operation[] {
  return [
    createKey(deps),
    describeKey(deps),
    listKeys(deps),
    updateKeyDescription(deps),
    createAlias(deps),
    updateAlias(deps),
    deleteAlias(deps),
    listAliases(deps),
    getKeyPolicy(deps),
    putKeyPolicy(deps),
    listKeyPolicies(deps),
    encrypt(deps),
    decrypt(deps),
    reEncrypt(deps),
    generateDataKey(deps),
    generateDataKeyWithoutPlaintext(deps),
    generateDataKeyPair(deps),
    generateDataKeyPairWithoutPlaintext(deps),
    generateRandom(deps),
    enableKey(deps),
    disableKey(deps),
    scheduleKeyDeletion(deps),
    cancelKeyDeletion(deps),
    getKeyRotationStatus(deps),
    enableKeyRotation(deps),
    disableKeyRotation(deps),
    rotateKeyOnDemand(deps),
    listKeyRotations(deps),
    getPublicKey(deps),
    signMessage(deps),
    verifyMessage(deps),
    tagResource(deps),
    untagResource(deps),
    listResourceTags(deps),
  ] as readonly Operation[];
}

/** What KMS has besides, and is not built. */
export const UNBUILT_KMS_OPERATIONS: ReadonlySet<string> = new Set([
  'ConnectCustomKeyStore',
  'CreateCustomKeyStore',
  'CreateGrant',
  'DeleteCustomKeyStore',
  'DeleteImportedKeyMaterial',
  'DeriveSharedSecret',
  'DescribeCustomKeyStores',
  'DisconnectCustomKeyStore',
  'GenerateMac',
  'GetKeyLastUsage',
  'GetParametersForImport',
  'ImportKeyMaterial',
  'ListGrants',
  'ListRetirableGrants',
  'ReplicateKey',
  'RetireGrant',
  'RevokeGrant',
  'UpdateCustomKeyStore',
  'UpdatePrimaryRegion',
  'VerifyMac',
]);
