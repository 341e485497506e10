/**
 * Data keys of S3's objects, asked for in the name of a caller: KMS keys under their policies, or the store's own key (`AES256`).
 *
 * What S3 asks of KMS for a caller is a call of that caller, allowed by the key's policy and recorded as KMS records it.
 * Source: S3 User Guide, "Using server-side encryption with AWS KMS keys"; KMS Developer Guide, "How Amazon S3 uses AWS KMS".
 */
import { ApiError } from '../api/api-error.ts';
import type { CallRecord, RecordCall } from '../api/call-record.ts';
import type { Authorize, Call } from '../api/operation.ts';
import type { Region } from '../event/types.ts';
import type { ForeignKeys } from '../store/foreign-keys.ts';
import type { ObjectKeys, WantedKey } from '../store/object-keys.ts';
import type { DataKey, Encryption } from '../store/objects.ts';
import type { EncryptionContext } from './ciphertext.ts';
import { decryptWith, encryptWith, materialShown } from './encrypt-decrypt.ts';
import { findKey, type KeyName, readKeyName } from './find-key.ts';
import { dataKeyOf, foreignKeyOf, makeForeignDataKey, toApiError } from './foreign-data-keys.ts';
import { keyRequest } from './key-access.ts';
import type { KmsDeps } from './kms-deps.ts';
import { type KmsKey, keyResource, kmsKeyArn } from './kms-key.ts';
import { ENABLED, requireKey } from './on-key.ts';

/** What the store's own key wraps data keys under. */
const OWN_CONTEXT = 'object-data-key';
const USE = { states: ENABLED, usage: 'ENCRYPT_DECRYPT' } as const;

export interface ObjectKeysDeps extends KmsDeps {
  readonly authorize: Authorize;
  readonly recordCall: RecordCall;
  /** Told when the use of a key could not be recorded; what it is for has a record of its own, which decides. */
  readonly reportUnrecorded: (record: CallRecord, error: unknown) => void;
}

export function createObjectKeys(deps: ObjectKeysDeps): ObjectKeys {
  return {
    make: (call, wanted) => (wanted.algorithm === 'AES256' ? makeOwn(deps) : makeWithKms(deps, call, wanted)),
    open: (call, encryption) =>
      encryption.algorithm === 'AES256'
        ? deps.keys.unwrap(Buffer.from(encryption.dataKey, 'base64'), OWN_CONTEXT)
        : openWithKms(deps, call, encryption),
  };
}

/** A data key under the store's own key. */
export async function makeOwn({ keys, chance }: KmsDeps): Promise<DataKey> {
  const plain = chance.bytes(32);
  const dataKey = Buffer.from(await keys.wrap(plain, OWN_CONTEXT)).toString('base64');
  return { plain, encryption: { algorithm: 'AES256', dataKey } };
}

async function makeWithKms(deps: ObjectKeysDeps, call: Call, wanted: WantedKey): Promise<DataKey> {
  const { context, isBucketKey, region } = wanted;
  const name = readKeyName(wanted.keyId ?? '', { account: call.account, region });
  const shown = { keySpec: 'AES_256', encryptionContext: context };
  return recorded(
    deps,
    call,
    { name, eventName: 'GenerateDataKey', context, shown },
    {
      here: async (key) => {
        const { dataKey, materialId } = await makeDataKey(deps, key, context, isBucketKey);
        return { result: dataKey, materialId };
      },
      elsewhere: (keys, arn) => makeForeignDataKey(keys, arn, context, isBucketKey),
    },
  );
}

/** A data key under a key that may be used. */
export async function makeDataKey(
  deps: KmsDeps,
  key: KmsKey,
  context: EncryptionContext,
  isBucketKey: boolean,
): Promise<{ readonly dataKey: DataKey; readonly materialId: string }> {
  const plain = deps.chance.bytes(32);
  const { blob: wrapped, materialId } = await encryptWith(deps, key, plain, context);
  return { dataKey: dataKeyOf({ keyArn: kmsKeyArn(key), plain, wrapped }, context, isBucketKey), materialId };
}

function openWithKms(deps: ObjectKeysDeps, call: Call, encryption: Encryption & { readonly dataKey: string }): Promise<Uint8Array> {
  const { keyArn = '', context = {}, dataKey } = encryption;
  const region = (keyArn.split(':')[3] ?? '') as Region;
  const name = readKeyName(keyArn, { account: call.account, region });
  const shown = { encryptionContext: context, encryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
  const blob = Buffer.from(dataKey, 'base64');
  return recorded(
    deps,
    call,
    { name, eventName: 'Decrypt', context, shown },
    {
      here: async (key) => {
        const { plaintext, materialId } = await decryptWith(deps, key, blob, context);
        return { result: plaintext, materialId };
      },
      elsewhere: (keys, arn) => keys.openDataKey(arn, blob, context),
    },
  );
}

interface UseForCaller {
  readonly name: KeyName;
  readonly eventName: 'GenerateDataKey' | 'Decrypt';
  readonly context: EncryptionContext;
  /** What the event shows besides the key. */
  readonly shown: { readonly [member: string]: string | EncryptionContext };
}

/** How a key is used, wherever it is. */
interface Uses<Result> {
  readonly here: (key: KmsKey) => Promise<{ readonly result: Result; readonly materialId: string }>;
  readonly elsewhere: (keys: ForeignKeys, arn: string) => Promise<Result>;
}

/** Uses a key in the caller's name, with an event of KMS whether it is allowed or not. */
async function recorded<Result>(
  deps: ObjectKeysDeps,
  call: Call,
  { name, eventName, context, shown }: UseForCaller,
  { here, elsewhere }: Uses<Result>,
): Promise<Result> {
  const internal: Call = {
    ...call,
    region: name.region,
    requestId: deps.chance.uuid(),
    sourceIpAddress: 'AWS Internal',
    userAgent: 'AWS Internal',
  };
  const base: CallRecord = {
    ...{ call: internal, invokedBy: 'AWS Internal', eventSource: 'kms.amazonaws.com', eventName },
    ...{ isReadOnly: true, category: 'Management', responseElements: null },
    requestParameters: { ...shown, ...(name.kind === 'key' ? { keyId: kmsKeyArn(name) } : { keyId: name.name }) },
  };
  const record = async (more: Partial<CallRecord>) => {
    const whole = { ...base, ...more };
    await deps.recordCall(whole).catch((error: unknown) => deps.reportUnrecorded(whole, error));
  };
  try {
    const found = await findKey(deps, name);
    const foreign = found === undefined ? foreignKeyOf(deps, name, call.account) : undefined;
    const viaService = `s3.${name.region}.amazonaws.com`;
    // A call of its own, so that what decided is not taken for what decided about S3's.
    await deps.authorize({ ...call }, [keyRequest(name, { action: `kms:${eventName}`, encryptionContext: context, viaService })]);
    if (foreign !== undefined) {
      const result = await elsewhere(foreign.keys, foreign.arn).catch((error: unknown) => {
        throw toApiError(error, foreign.arn);
      });
      await record({ resources: [{ type: 'AWS::KMS::Key', name: foreign.arn, account: name.account }] });
      return result;
    }
    const { value: key } = await requireKey(deps, name, USE);
    const { result, materialId } = await here(key);
    await record({ resources: [keyResource(key)], copyTo: [key.account], ...materialShown(materialId) });
    return result;
  } catch (error) {
    if (error instanceof ApiError) await record({ error: { code: error.code, message: error.message } });
    throw error;
  }
}
