/**
 * Data keys of objects, asked for in the name of a caller. KMS stands behind it, and the store's own key for `AES256`.
 *
 * Promises: a key is given to nobody whom the KMS key's policy does not let in, and each use is recorded in the caller's account.
 */
import type { Call } from '../api/operation.ts';
import type { Region } from '../event/types.ts';
import type { DataKey, Encryption } from './objects.ts';

/** What an object is to be encrypted with. */
export interface WantedKey {
  readonly algorithm: Encryption['algorithm'];
  /** Id, ARN or alias, in the bucket's Region; with `aws:kms` only. */
  readonly keyId?: string;
  /** The bucket's, which is the key's, too. */
  readonly region: Region;
  readonly context: Readonly<Record<string, string>>;
  readonly isBucketKey: boolean;
}

export interface ObjectKeys {
  /** @throws ApiError with KMS's own code, AccessDeniedException above all */
  make(call: Call, wanted: WantedKey): Promise<DataKey>;
  /** @throws ApiError as `make` */
  open(call: Call, encryption: Encryption & { readonly dataKey: string }): Promise<Uint8Array>;
}
