/**
 * `GenerateRandom`, `GenerateDataKeyPair` and `GenerateDataKeyPairWithoutPlaintext`: what KMS makes and keeps nothing of.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { ApiError, unsupported } from '../api/api-error.ts';
import { type Operation, REPEATS_MS } from '../api/operation.ts';
import { encryptWith, materialShown, refuseRecipient } from './encrypt-decrypt.ts';
import { isPairSpec, makePrivateKey } from './key-material.ts';
import type { KmsDeps } from './kms-deps.ts';
import { kmsKeyArn } from './kms-key.ts';
import { ENABLED, type KeyInput, onKey } from './on-key.ts';

interface RandomInput {
  readonly NumberOfBytes?: number;
  readonly CustomKeyStoreId?: string;
  readonly Recipient?: unknown;
}

export function generateRandom({ chance }: KmsDeps): Operation<RandomInput, object> {
  return {
    name: 'GenerateRandom',
    isReadOnly: true,
    refusesReplay: { afterMs: REPEATS_MS },
    decide: async (_call, input) => {
      refuseRecipient(input);
      if (input.CustomKeyStoreId !== undefined)
        throw new ApiError('CustomKeyStoreNotFoundException', `Custom key store ${input.CustomKeyStoreId} does not exist.`);
      if (input.NumberOfBytes === undefined) throw new ApiError('ValidationException', 'NumberOfBytes is required.');
      return { output: { Plaintext: chance.bytes(input.NumberOfBytes) } };
    },
  };
}

interface PairInput extends KeyInput {
  readonly KeyPairSpec?: string;
  readonly Recipient?: unknown;
}

export function generateDataKeyPair(deps: KmsDeps): Operation<PairInput, object> {
  return pairOperation(deps, 'GenerateDataKeyPair', true);
}

export function generateDataKeyPairWithoutPlaintext(deps: KmsDeps): Operation<PairInput, object> {
  return pairOperation(deps, 'GenerateDataKeyPairWithoutPlaintext', false);
}

function pairOperation(deps: KmsDeps, name: string, hasPlaintext: boolean): Operation<PairInput, object> {
  return onKey<PairInput, object>(deps, {
    name,
    isReadOnly: true,
    isUse: true,
    isSecret: hasPlaintext,
    states: ENABLED,
    usage: 'ENCRYPT_DECRYPT',
    decide: async (_call, { value: key }, input) => {
      refuseRecipient(input);
      const { KeyPairSpec: spec = '' } = input;
      if (!isPairSpec(spec)) throw unsupported(`KeyPairSpec ${spec}`);
      const pair = await makePrivateKey(spec);
      const { blob, materialId } = await encryptWith(deps, key, pair, input.EncryptionContext ?? {});
      const publicKey = createPublicKey(createPrivateKey({ key: Buffer.from(pair), type: 'pkcs8', format: 'der' }));
      return {
        output: {
          PrivateKeyCiphertextBlob: blob,
          ...(hasPlaintext ? { PrivateKeyPlaintext: pair } : {}),
          PublicKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
          KeyId: kmsKeyArn(key),
          KeyPairSpec: spec,
          KeyMaterialId: materialId,
        },
        ...materialShown(materialId),
      };
    },
  });
}
