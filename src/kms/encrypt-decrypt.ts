/**
 * `Encrypt`, `Decrypt`, `ReEncrypt`, `GenerateDataKey` and `GenerateDataKeyWithoutPlaintext`.
 *
 * Reads all of them: they change nothing, and their events never hold what they encrypt (cloudtrail.md §1.10, §4.3).
 */
import type { AccessRequest } from '../api/access.ts';
import { ApiError, unsupported } from '../api/api-error.ts';
import { type Call, type Operation, REPEATS_MS } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import { type EncryptionContext, openBlob, readBlob, sealBlob } from './ciphertext.ts';
import { findKey, type KeyName } from './find-key.ts';
import { keyRequest } from './key-access.ts';
import { openMaterial } from './key-material.ts';
import type { KmsDeps } from './kms-deps.ts';
import { currentMaterial, type KmsKey, keyResource, kmsKeyArn } from './kms-key.ts';
import { dryRun, ENABLED, type KeyInput, onKey, recordOf, refuseGrants, requireKey, requireKeyName } from './on-key.ts';

const ALGORITHM = 'SYMMETRIC_DEFAULT';
const USE = { states: ENABLED, usage: 'ENCRYPT_DECRYPT' } as const;

export interface Encrypted {
  readonly blob: Uint8Array;
  /** The material that it was made with. */
  readonly materialId: string;
}

/** Encrypts under a key that may be used, with its newest material. */
export async function encryptWith(deps: KmsDeps, key: KmsKey, plaintext: Uint8Array, context: EncryptionContext): Promise<Encrypted> {
  const used = currentMaterial(key);
  const material = await openMaterial(deps, key, used);
  const materialIndex = key.materials.length - 1;
  return { blob: sealBlob({ ...key, material, materialIndex }, plaintext, context, deps.chance), materialId: used.id };
}

export interface Decrypted {
  readonly plaintext: Uint8Array;
  /** The material that it was encrypted with. */
  readonly materialId: string;
}

/** Decrypts with the material that the blob names. @throws ApiError InvalidCiphertextException */
export async function decryptWith(deps: KmsDeps, key: KmsKey, blob: Uint8Array, context: EncryptionContext): Promise<Decrypted> {
  const used = key.materials[readBlob(blob)?.materialIndex ?? 0];
  const plaintext = used && openBlob(await openMaterial(deps, key, used), blob, context);
  if (used === undefined || plaintext === undefined) throw invalidCiphertext();
  return { plaintext, materialId: used.id };
}

/** What the event of a use shows of the material. */
export function materialShown(keyMaterialId: string): { readonly additionalEventData: JsonObject } {
  return { additionalEventData: { keyMaterialId } };
}

export function encrypt(
  deps: KmsDeps,
): Operation<KeyInput & { readonly Plaintext?: Uint8Array; readonly EncryptionAlgorithm?: string }, object> {
  return onKey<KeyInput & { readonly Plaintext?: Uint8Array; readonly EncryptionAlgorithm?: string }, object>(deps, {
    name: 'Encrypt',
    isReadOnly: true,
    isUse: true,
    ...USE,
    decide: async (_call, { value }, input) => {
      requireAlgorithm(input.EncryptionAlgorithm, value);
      const { blob, materialId } = await encryptWith(deps, value, input.Plaintext ?? new Uint8Array(), input.EncryptionContext ?? {});
      return {
        output: { CiphertextBlob: blob, KeyId: kmsKeyArn(value), EncryptionAlgorithm: ALGORITHM },
        ...materialShown(materialId),
      };
    },
  });
}

interface DecryptInput extends KeyInput {
  readonly CiphertextBlob?: Uint8Array;
  readonly EncryptionAlgorithm?: string;
  readonly Recipient?: unknown;
}

export function decrypt(deps: KmsDeps): Operation<DecryptInput, object> {
  return {
    name: 'Decrypt',
    isReadOnly: true,
    refusesReplay: { afterMs: REPEATS_MS },
    access: (call, input) => [openingRequest(call, 'kms:Decrypt', blobOf(input), input.EncryptionContext ?? {})],
    decide: async (call, input) => {
      const blob = blobOf(input);
      refuseRecipient(input);
      refuseGrants(input);
      const { value } = await requireKey(deps, nameInBlob(call, blob), USE);
      requireAlgorithm(input.EncryptionAlgorithm, value);
      await requireNamed(deps, call, value, input.KeyId);
      const { plaintext, materialId } = await decryptWith(deps, value, blob, input.EncryptionContext ?? {});
      if (input.DryRun === true) throw dryRun();
      const shown = { encryptionAlgorithm: ALGORITHM, ...recordOf(input, true, { output: {} }).requestParameters };
      return {
        output: { KeyId: kmsKeyArn(value), Plaintext: plaintext, EncryptionAlgorithm: ALGORITHM, KeyMaterialId: materialId },
        requestParameters: shown,
        ...materialShown(materialId),
        resources: [keyResource(value)],
        copyTo: [value.account],
      };
    },
  };
}

interface ReEncryptInput {
  readonly CiphertextBlob?: Uint8Array;
  readonly SourceEncryptionContext?: EncryptionContext;
  readonly SourceKeyId?: string;
  readonly DestinationKeyId?: string;
  readonly DestinationEncryptionContext?: EncryptionContext;
  readonly SourceEncryptionAlgorithm?: string;
  readonly DestinationEncryptionAlgorithm?: string;
  readonly GrantTokens?: readonly string[];
  readonly DryRun?: boolean;
}

export function reEncrypt(deps: KmsDeps): Operation<ReEncryptInput, object> {
  const destinationOf = (call: Call, input: ReEncryptInput) => requireKeyName(call, input.DestinationKeyId ?? '', true);
  return {
    name: 'ReEncrypt',
    isReadOnly: true,
    access: (call, input) => [
      openingRequest(call, 'kms:ReEncryptFrom', blobOf(input), input.SourceEncryptionContext ?? {}),
      keyRequest(destinationOf(call, input), {
        action: 'kms:ReEncryptTo',
        encryptionContext: input.DestinationEncryptionContext ?? {},
      }),
    ],
    decide: async (call, input) => {
      const blob = blobOf(input);
      refuseGrants(input);
      const { value: from } = await requireKey(deps, nameInBlob(call, blob), USE);
      const { value: to } = await requireKey(deps, destinationOf(call, input), USE);
      requireAlgorithm(input.SourceEncryptionAlgorithm, from);
      requireAlgorithm(input.DestinationEncryptionAlgorithm, to);
      await requireNamed(deps, call, from, input.SourceKeyId);
      const opened = await decryptWith(deps, from, blob, input.SourceEncryptionContext ?? {});
      const sealed = await encryptWith(deps, to, opened.plaintext, input.DestinationEncryptionContext ?? {});
      if (input.DryRun === true) throw dryRun();
      return {
        ...recordOf(input, true, {
          output: {
            CiphertextBlob: sealed.blob,
            SourceKeyId: kmsKeyArn(from),
            KeyId: kmsKeyArn(to),
            SourceEncryptionAlgorithm: ALGORITHM,
            DestinationEncryptionAlgorithm: ALGORITHM,
            SourceKeyMaterialId: opened.materialId,
            DestinationKeyMaterialId: sealed.materialId,
          },
        }),
        additionalEventData: { sourceKeyMaterialId: opened.materialId, destinationKeyMaterialId: sealed.materialId },
        resources: [keyResource(from), keyResource(to)],
        copyTo: [from.account, to.account],
      };
    },
  };
}

interface DataKeyInput extends KeyInput {
  readonly NumberOfBytes?: number;
  readonly KeySpec?: string;
  readonly Recipient?: unknown;
}

export function generateDataKey(deps: KmsDeps): Operation<DataKeyInput, object> {
  return dataKeyOperation(deps, 'GenerateDataKey', true);
}

export function generateDataKeyWithoutPlaintext(deps: KmsDeps): Operation<DataKeyInput, object> {
  return dataKeyOperation(deps, 'GenerateDataKeyWithoutPlaintext', false);
}

function dataKeyOperation(deps: KmsDeps, name: string, hasPlaintext: boolean): Operation<DataKeyInput, object> {
  return onKey<DataKeyInput, object>(deps, {
    name,
    isReadOnly: true,
    isUse: true,
    isSecret: hasPlaintext,
    ...USE,
    decide: async (_call, { value }, input) => {
      refuseRecipient(input);
      const plaintext = deps.chance.bytes(dataKeyBytes(input));
      const { blob, materialId } = await encryptWith(deps, value, plaintext, input.EncryptionContext ?? {});
      return {
        output: {
          CiphertextBlob: blob,
          ...(hasPlaintext ? { Plaintext: plaintext } : {}),
          KeyId: kmsKeyArn(value),
          KeyMaterialId: materialId,
        },
        ...materialShown(materialId),
      };
    },
  });
}

/** @throws ApiError ValidationException */
function dataKeyBytes({ NumberOfBytes: bytes, KeySpec: spec }: DataKeyInput): number {
  if ((bytes === undefined) === (spec === undefined))
    throw new ApiError('ValidationException', 'Please specify either number of bytes or key spec.');
  return bytes ?? (spec === 'AES_128' ? 16 : 32);
}

/** @throws ApiError InvalidCiphertextException, also for a blob that cannot be one of ours */
function blobOf({ CiphertextBlob: blob }: { readonly CiphertextBlob?: Uint8Array }): Uint8Array {
  if (blob === undefined || readBlob(blob) === undefined) throw invalidCiphertext();
  return blob;
}

function nameInBlob({ region }: Call, blob: Uint8Array): KeyName {
  const { account, keyId } = readBlob(blob)!;
  return { kind: 'key', account, region, id: keyId };
}

/** What opening a blob needs. A key of another account that is not there is refused in the same words as one that says no. */
function openingRequest(call: Call, action: string, blob: Uint8Array, encryptionContext: EncryptionContext): AccessRequest {
  return keyRequest(nameInBlob(call, blob), { action, encryptionContext });
}

/** The key that the caller expects is the blob's. @throws ApiError IncorrectKeyException, NotFoundException */
async function requireNamed(deps: KmsDeps, call: Call, key: KmsKey, given: string | undefined): Promise<void> {
  if (given === undefined) return;
  const name = requireKeyName(call, given, true);
  // What another account's names lead to is nobody's business; a wrong one is just wrong.
  const found = name.account === call.account ? await requireKey(deps, name) : await findKey(deps, name);
  if (found === undefined || kmsKeyArn(found.value) !== kmsKeyArn(key))
    throw new ApiError('IncorrectKeyException', 'The key ID in the request does not identify a CMK that can perform this operation.');
}

/** @throws ApiError InvalidKeyUsageException */
function requireAlgorithm(algorithm: string | undefined, key: KmsKey): void {
  if (algorithm !== undefined && algorithm !== ALGORITHM)
    throw new ApiError('InvalidKeyUsageException', `Algorithm ${algorithm} and key spec ${key.spec} are incompatible.`);
}

/** Answers for enclaves are not built. @throws ApiError UnsupportedOperationException */
export function refuseRecipient({ Recipient: recipient }: { readonly Recipient?: unknown }): void {
  if (recipient !== undefined) throw unsupported('Recipient');
}

function invalidCiphertext(): ApiError {
  return new ApiError('InvalidCiphertextException', 'The ciphertext is invalid: it was changed, or made with another encryption context.');
}
