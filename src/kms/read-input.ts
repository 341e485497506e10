/**
 * Reads the untrusted input of a KMS operation: members that the operation has, each of its type and within its bounds.
 *
 * Unknown members are ignored, as the service does. A wrong type is a SerializationException, a bound that is broken a
 * ValidationException in the service's words.
 * Source: the service model of KMS, 2014-11-01.
 */
import { ApiError } from '../api/api-error.ts';
import { decodeBase64 } from '../api/base64.ts';
import type { Json, JsonObject } from '../event/types.ts';

/** Bounds of one member. */
type Member =
  | { readonly kind: 'text'; readonly min?: number; readonly max: number; readonly pattern?: RegExp; readonly values?: readonly string[] }
  | { readonly kind: 'whole'; readonly min: number; readonly max: number }
  | { readonly kind: 'bytes'; readonly max: number }
  | { readonly kind: 'flag' }
  | { readonly kind: 'context' }
  | { readonly kind: 'texts'; readonly max: number }
  | { readonly kind: 'tags' };

const keyId: Member = { kind: 'text', min: 1, max: 2048 };
const aliasName: Member = { kind: 'text', min: 1, max: 256, pattern: /^[a-zA-Z0-9:/_-]+$/ };
const limit: Member = { kind: 'whole', min: 1, max: 1000 };
const marker: Member = { kind: 'text', min: 1, max: 1024, pattern: /^[\x20-\xff]*$/ };
const ciphertext: Member = { kind: 'bytes', max: 6144 };
const plaintext: Member = { kind: 'bytes', max: 4096 };
const policyName: Member = { kind: 'text', min: 1, max: 128, pattern: /^\w+$/ };
const policy: Member = { kind: 'text', min: 1, max: 131_072 };
const description: Member = { kind: 'text', max: 8192 };
const grantTokens: Member = { kind: 'texts', max: 8192 };
const flag: Member = { kind: 'flag' };
const context: Member = { kind: 'context' };
const tags: Member = { kind: 'tags' };

function oneOf(...values: string[]): Member {
  return { kind: 'text', max: 128, values };
}

const specs = oneOf(
  ...['RSA_2048', 'RSA_3072', 'RSA_4096', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1', 'SYMMETRIC_DEFAULT'],
  ...['HMAC_224', 'HMAC_256', 'HMAC_384', 'HMAC_512', 'SM2', 'ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87', 'ECC_NIST_EDWARDS25519'],
);
const pairSpecs = oneOf(
  ...['RSA_2048', 'RSA_3072', 'RSA_4096', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1', 'SM2'],
  'ECC_NIST_EDWARDS25519',
);
const encryption = oneOf('SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE');
const signing = oneOf(
  ...['RSASSA_PSS_SHA_256', 'RSASSA_PSS_SHA_384', 'RSASSA_PSS_SHA_512', 'RSASSA_PKCS1_V1_5_SHA_256', 'RSASSA_PKCS1_V1_5_SHA_384'],
  ...['RSASSA_PKCS1_V1_5_SHA_512', 'ECDSA_SHA_256', 'ECDSA_SHA_384', 'ECDSA_SHA_512', 'SM2DSA', 'ML_DSA_SHAKE_256', 'ED25519_SHA_512'],
  'ED25519_PH_SHA_512',
);
const messageType = oneOf('RAW', 'DIGEST', 'EXTERNAL_MU');
/** A member that is looked at no closer than whether it is there. */
const anything: Member = { kind: 'text', max: Number.POSITIVE_INFINITY };

/** Members by operation; `!` after a name: it must be there. */
const INPUTS: Readonly<Record<string, Readonly<Record<string, Member>>>> = {
  CreateKey: {
    Policy: policy,
    Description: description,
    KeyUsage: oneOf('SIGN_VERIFY', 'ENCRYPT_DECRYPT', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT'),
    CustomerMasterKeySpec: specs,
    KeySpec: specs,
    Origin: oneOf('AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE'),
    CustomKeyStoreId: { kind: 'text', min: 1, max: 64 },
    XksKeyId: { kind: 'text', min: 1, max: 128 },
    BypassPolicyLockoutSafetyCheck: flag,
    Tags: tags,
    MultiRegion: flag,
  },
  DescribeKey: { 'KeyId!': keyId, GrantTokens: grantTokens },
  ListKeys: { Limit: limit, Marker: marker },
  CreateAlias: { 'AliasName!': aliasName, 'TargetKeyId!': keyId },
  UpdateAlias: { 'AliasName!': aliasName, 'TargetKeyId!': keyId },
  DeleteAlias: { 'AliasName!': aliasName },
  ListAliases: { KeyId: keyId, Limit: limit, Marker: marker },
  GetKeyPolicy: { 'KeyId!': keyId, PolicyName: policyName },
  PutKeyPolicy: { 'KeyId!': keyId, PolicyName: policyName, 'Policy!': policy, BypassPolicyLockoutSafetyCheck: flag },
  ListKeyPolicies: { 'KeyId!': keyId, Limit: limit, Marker: marker },
  Encrypt: {
    'KeyId!': keyId,
    'Plaintext!': plaintext,
    EncryptionContext: context,
    GrantTokens: grantTokens,
    EncryptionAlgorithm: encryption,
    DryRun: flag,
  },
  Decrypt: {
    'CiphertextBlob!': ciphertext,
    EncryptionContext: context,
    GrantTokens: grantTokens,
    KeyId: keyId,
    EncryptionAlgorithm: encryption,
    Recipient: anything,
    DryRun: flag,
  },
  ReEncrypt: {
    'CiphertextBlob!': ciphertext,
    SourceEncryptionContext: context,
    SourceKeyId: keyId,
    'DestinationKeyId!': keyId,
    DestinationEncryptionContext: context,
    SourceEncryptionAlgorithm: encryption,
    DestinationEncryptionAlgorithm: encryption,
    GrantTokens: grantTokens,
    DryRun: flag,
  },
  GenerateDataKey: {
    'KeyId!': keyId,
    EncryptionContext: context,
    NumberOfBytes: { kind: 'whole', min: 1, max: 1024 },
    KeySpec: oneOf('AES_256', 'AES_128'),
    GrantTokens: grantTokens,
    Recipient: anything,
    DryRun: flag,
  },
  GenerateDataKeyWithoutPlaintext: {
    'KeyId!': keyId,
    EncryptionContext: context,
    NumberOfBytes: { kind: 'whole', min: 1, max: 1024 },
    KeySpec: oneOf('AES_256', 'AES_128'),
    GrantTokens: grantTokens,
    DryRun: flag,
  },
  GenerateDataKeyPair: {
    'KeyId!': keyId,
    'KeyPairSpec!': pairSpecs,
    EncryptionContext: context,
    GrantTokens: grantTokens,
    Recipient: anything,
    DryRun: flag,
  },
  GenerateDataKeyPairWithoutPlaintext: {
    'KeyId!': keyId,
    'KeyPairSpec!': pairSpecs,
    EncryptionContext: context,
    GrantTokens: grantTokens,
    DryRun: flag,
  },
  GenerateRandom: {
    NumberOfBytes: { kind: 'whole', min: 1, max: 1024 },
    CustomKeyStoreId: { kind: 'text', min: 1, max: 64 },
    Recipient: anything,
  },
  EnableKey: { 'KeyId!': keyId },
  DisableKey: { 'KeyId!': keyId },
  ScheduleKeyDeletion: { 'KeyId!': keyId, PendingWindowInDays: { kind: 'whole', min: 1, max: 365 } },
  CancelKeyDeletion: { 'KeyId!': keyId },
  EnableKeyRotation: { 'KeyId!': keyId, RotationPeriodInDays: { kind: 'whole', min: 90, max: 2560 } },
  DisableKeyRotation: { 'KeyId!': keyId },
  RotateKeyOnDemand: { 'KeyId!': keyId },
  ListKeyRotations: {
    'KeyId!': keyId,
    IncludeKeyMaterial: oneOf('ALL_KEY_MATERIAL', 'ROTATIONS_ONLY'),
    Limit: limit,
    Marker: marker,
  },
  GetKeyRotationStatus: { 'KeyId!': keyId },
  GetPublicKey: { 'KeyId!': keyId, GrantTokens: grantTokens },
  Sign: {
    'KeyId!': keyId,
    'Message!': plaintext,
    MessageType: messageType,
    GrantTokens: grantTokens,
    'SigningAlgorithm!': signing,
    DryRun: flag,
  },
  Verify: {
    'KeyId!': keyId,
    'Message!': plaintext,
    MessageType: messageType,
    'Signature!': ciphertext,
    'SigningAlgorithm!': signing,
    GrantTokens: grantTokens,
    DryRun: flag,
  },
  TagResource: { 'KeyId!': keyId, 'Tags!': tags },
  UntagResource: { 'KeyId!': keyId, 'TagKeys!': { kind: 'texts', max: 128 } },
  ListResourceTags: { 'KeyId!': keyId, Limit: limit, Marker: marker },
  UpdateKeyDescription: { 'KeyId!': keyId, 'Description!': description },
};

/** Most bytes of an encryption context's names and values together. */
const CONTEXT_BYTES_MAX = 8192;
/** Most items of a list. */
const ITEMS_MAX = 50;

/** The members of the input, bytes decoded. @throws ApiError SerializationException, ValidationException, TagException */
export function readKmsInput(operation: string, json: Json): object {
  if (!isObject(json)) throw wrongType('the body', 'an object');
  const problems: string[] = [];
  const members: [string, unknown][] = [];
  for (const [written, member] of Object.entries(INPUTS[operation] ?? {})) {
    const name = written.replace('!', '');
    const value = Object.hasOwn(json, name) ? json[name] : undefined;
    if (value !== undefined && value !== null) members.push([name, readMember(name, member, value, problems)]);
    else if (written.endsWith('!'))
      problems.push(`Value null at '${lowerFirst(name)}' failed to satisfy constraint: Member must not be null`);
  }
  if (problems.length > 0) {
    const count = `${problems.length} validation error${problems.length === 1 ? '' : 's'} detected: `;
    throw new ApiError('ValidationException', count + problems.join('; '));
  }
  return Object.fromEntries(members);
}

function readMember(name: string, member: Member, value: Json, problems: string[]): unknown {
  const report = (shown: string, constraint: string) =>
    problems.push(`Value ${shown} at '${lowerFirst(name)}' failed to satisfy constraint: ${constraint}`);
  const checkSize = (size: number, min: number, max: number, what: string, shown: string) => {
    if (size < min) report(shown, `Member must have ${what} greater than or equal to ${min}`);
    else if (size > max) report(shown, `Member must have ${what} less than or equal to ${max}`);
  };
  switch (member.kind) {
    case 'flag':
      if (typeof value !== 'boolean') throw wrongType(name, 'true or false');
      return value;
    case 'whole':
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrongType(name, 'a whole number');
      checkSize(value, member.min, member.max, 'value', `'${value}'`);
      return value;
    case 'bytes': {
      const bytes = typeof value === 'string' ? decodeBase64(value) : undefined;
      if (bytes === undefined) throw wrongType(name, 'base64 text');
      // What is secret stays out of messages.
      checkSize(bytes.length, 1, member.max, 'length', '[bytes]');
      return bytes;
    }
    case 'text': {
      if (member === anything) return value;
      if (typeof value !== 'string') throw wrongType(name, 'a text');
      const shown = `'${shownText(value)}'`;
      checkSize(value.length, member.min ?? 0, member.max, 'length', shown);
      if (member.values !== undefined && !member.values.includes(value))
        report(shown, `Member must satisfy enum value set: [${member.values.join(', ')}]`);
      if (member.pattern !== undefined && !member.pattern.test(value))
        report(shown, `Member must satisfy regular expression pattern: ${member.pattern.source}`);
      return value;
    }
    case 'texts': {
      const list = readList(name, value);
      for (const item of list) checkSize(textOf(name, item).length, 1, member.max, 'length', `'${shownText(item as string)}'`);
      return list;
    }
    case 'tags':
      return readList(name, value).map((item) => readTag(name, item));
    case 'context':
      return readContext(name, value);
  }
}

function readList(name: string, value: Json): readonly Json[] {
  if (!Array.isArray(value)) throw wrongType(name, 'a list');
  const list = value as readonly Json[];
  if (list.length > ITEMS_MAX)
    throw new ApiError('ValidationException', `${name} has ${list.length} items; at most ${ITEMS_MAX} are allowed.`);
  return list;
}

function readTag(name: string, item: Json): { readonly key: string; readonly value: string } {
  if (!isObject(item)) throw wrongType(name, 'a list of tags');
  const key = textOf(`${name}.TagKey`, item['TagKey'] ?? '');
  const value = textOf(`${name}.TagValue`, item['TagValue'] ?? '');
  if (key.length < 1 || key.length > 128) throw new ApiError('TagException', 'A tag key has 1 to 128 characters.');
  if (value.length > 256) throw new ApiError('TagException', 'A tag value has at most 256 characters.');
  if (key.toLowerCase().startsWith('aws:')) throw new ApiError('TagException', `Tags beginning with aws: are reserved: ${shownText(key)}`);
  return { key, value };
}

function readContext(name: string, value: Json): Readonly<Record<string, string>> {
  if (!isObject(value)) throw wrongType(name, 'an object');
  const pairs = Object.entries(value).map(([key, text]) => [key, textOf(`${name}.${shownText(key)}`, text ?? null)] as const);
  const bytes = pairs.reduce((sum, [key, text]) => sum + Buffer.byteLength(key) + Buffer.byteLength(text), 0);
  if (bytes > CONTEXT_BYTES_MAX)
    throw new ApiError('ValidationException', `The encryption context has ${bytes} bytes; at most ${CONTEXT_BYTES_MAX} are allowed.`);
  return Object.fromEntries(pairs);
}

function textOf(name: string, value: Json): string {
  if (typeof value !== 'string') throw wrongType(name, 'a text');
  return value;
}

function isObject(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function wrongType(name: string, expected: string): ApiError {
  return new ApiError('SerializationException', `\`${name}\` is not ${expected}`);
}

function lowerFirst(name: string): string {
  return name.slice(0, 1).toLowerCase() + name.slice(1);
}

/** An untrusted text in a message. */
function shownText(text: string): string {
  return text.slice(0, 128).replace(/[\x00-\x1f\x7f]/g, ' ');
}
