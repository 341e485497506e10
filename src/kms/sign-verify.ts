/**
 * `GetPublicKey`, `Sign` and `Verify` with the private half of a pair, which never leaves.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import { publicKeyOf, type Signed, signWithKey, verifyWithKey } from './key-material.ts';
import type { KmsDeps } from './kms-deps.ts';
import { type KmsKey, keyUsage, kmsKeyArn, signingAlgorithms } from './kms-key.ts';
import { ENABLED, type KeyInput, onKey, refuseGrants } from './on-key.ts';

interface SignInput extends KeyInput {
  readonly Message?: Uint8Array;
  readonly MessageType?: string;
  readonly SigningAlgorithm?: string;
  readonly Signature?: Uint8Array;
}

export function getPublicKey(deps: KmsDeps): Operation<KeyInput, object> {
  return onKey<KeyInput, object>(deps, {
    name: 'GetPublicKey',
    isReadOnly: true,
    isUse: true,
    states: ENABLED,
    decide: async (_call, { value }, input) => {
      refuseGrants(input);
      if (keyUsage(value) !== 'SIGN_VERIFY')
        throw new ApiError('UnsupportedOperationException', `${kmsKeyArn(value)} is symmetric: it has no public key.`);
      return {
        output: {
          KeyId: kmsKeyArn(value),
          PublicKey: await publicKeyOf(deps, value),
          CustomerMasterKeySpec: value.spec,
          KeySpec: value.spec,
          KeyUsage: keyUsage(value),
          SigningAlgorithms: signingAlgorithms(value),
        },
      };
    },
  });
}

export function signMessage(deps: KmsDeps): Operation<SignInput, object> {
  return onKey<SignInput, object>(deps, {
    name: 'Sign',
    isReadOnly: true,
    isUse: true,
    states: ENABLED,
    usage: 'SIGN_VERIFY',
    decide: async (_call, { value }, input) => {
      const signed = signedOf(value, input);
      return {
        output: { KeyId: kmsKeyArn(value), Signature: await signWithKey(deps, value, signed), SigningAlgorithm: signed.algorithm },
      };
    },
  });
}

export function verifyMessage(deps: KmsDeps): Operation<SignInput, object> {
  return onKey<SignInput, object>(deps, {
    name: 'Verify',
    isReadOnly: true,
    isUse: true,
    states: ENABLED,
    usage: 'SIGN_VERIFY',
    decide: async (_call, { value }, input) => {
      const signed = signedOf(value, input);
      if (!(await verifyWithKey(deps, value, signed, input.Signature ?? new Uint8Array())))
        throw new ApiError('KMSInvalidSignatureException', 'The signature is not valid.');
      return { output: { KeyId: kmsKeyArn(value), SignatureValid: true, SigningAlgorithm: signed.algorithm } };
    },
  });
}

/** @throws ApiError InvalidKeyUsageException, UnsupportedOperationException */
function signedOf(
  key: KmsKey,
  { Message: message = new Uint8Array(), MessageType: type = 'RAW', SigningAlgorithm = '' }: SignInput,
): Signed {
  if (!signingAlgorithms(key).includes(SigningAlgorithm))
    throw new ApiError('InvalidKeyUsageException', `Algorithm ${SigningAlgorithm} and key spec ${key.spec} are incompatible.`);
  if (type === 'EXTERNAL_MU') throw new ApiError('ValidationException', `MessageType ${type} is for ML-DSA keys only.`);
  return { message, isDigest: type === 'DIGEST', algorithm: SigningAlgorithm };
}
