/**
 * Data keys of objects under keys of a KMS elsewhere, which the configuration names. A key that is here comes first.
 *
 * What that KMS says goes into the log; a caller and the record learn its code, for the text may name our credentials there.
 */
import { ApiError } from '../api/api-error.ts';
import type { AccountId } from '../event/types.ts';
import { type ForeignKeys, ForeignKeysError, type NewDataKey } from '../store/foreign-keys.ts';
import { type DataKey, ObjectsError } from '../store/objects.ts';
import type { EncryptionContext } from './ciphertext.ts';
import type { KeyName } from './find-key.ts';
import type { KmsDeps } from './kms-deps.ts';
import { aliasArn, kmsKeyArn } from './kms-key.ts';

export interface ForeignKey {
  readonly keys: ForeignKeys;
  readonly arn: string;
}

/** Where a name leads to that leads to no key here; `undefined` when nowhere, or to where the account may not go. */
export function foreignKeyOf({ foreignKeys }: Pick<KmsDeps, 'foreignKeys'>, name: KeyName, account: AccountId): ForeignKey | undefined {
  const arn = name.kind === 'key' ? kmsKeyArn(name) : aliasArn(name);
  return foreignKeys?.serves(arn, account) === true ? { keys: foreignKeys, arn } : undefined;
}

/** @throws ForeignKeysError */
export async function makeForeignDataKey(
  keys: ForeignKeys,
  arn: string,
  context: EncryptionContext,
  isBucketKey: boolean,
): Promise<DataKey> {
  return dataKeyOf(await keys.makeDataKey(arn, context), context, isBucketKey);
}

/** A new data key as objects keep it, whichever KMS wrapped it. */
export function dataKeyOf({ keyArn, plain, wrapped }: NewDataKey, context: EncryptionContext, isBucketKey: boolean): DataKey {
  const shown = { algorithm: 'aws:kms', keyArn, context, ...(isBucketKey ? { isBucketKey } : {}) } as const;
  return { plain, encryption: { ...shown, dataKey: Buffer.from(wrapped).toString('base64') } };
}

/** What a caller of S3 is told. */
export function toApiError(error: unknown, arn: string): unknown {
  if (!(error instanceof ForeignKeysError)) return error;
  const message = `The KMS that holds ${arn} answered ${error.reason}.`;
  // S3 names what KMS says; a system's code is none of its words.
  const code = /Exception$/.test(error.reason) ? error.reason : 'DependencyTimeoutException';
  return new ApiError(code, message, { cause: error });
}

/** What a delivery fails with. */
export function toObjectsError(error: ForeignKeysError): ObjectsError {
  const { reason, message } = error;
  if (/^AccessDenied/.test(reason)) return new ObjectsError('AccessDenied', message, { cause: error });
  return new ObjectsError(reason === 'timeout' ? 'RequestTimeout' : `KMS.${reason}`, message, { cause: error });
}
