/**
 * KMS keys that lie at a KMS elsewhere, for what is encrypted here.
 *
 * Promises: no data key is kept. Each use asks that KMS, so that its key policy and the state of its key decide each time, and a key
 * that is switched off there opens nothing here from then on.
 */
import type { AccountId, Region } from '../event/types.ts';

/** Texts by name that must be given again to decrypt. */
type EncryptionContext = Readonly<Record<string, string>>;

/** A new data key of 32 bytes, in the clear and wrapped. */
export interface NewDataKey {
  /** The key itself, also where an alias was named. */
  readonly keyArn: string;
  readonly plain: Uint8Array;
  readonly wrapped: Uint8Array;
}

export interface ForeignKeys {
  /** Whether a KMS is configured for the key or alias of this ARN, and the account may use it. */
  serves(arn: string, account: AccountId): boolean;
  /** @throws ForeignKeysError */
  makeDataKey(arn: string, context: EncryptionContext): Promise<NewDataKey>;
  /** @throws ForeignKeysError */
  openDataKey(arn: string, wrapped: Uint8Array, context: EncryptionContext): Promise<Uint8Array>;
}

/** No answer, or a refusal. */
export class ForeignKeysError extends Error {
  override readonly name = 'ForeignKeysError';
  /** The service's code such as `DisabledException`; the system's, or `timeout`, where no answer came. */
  readonly reason: string;

  constructor(reason: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

/** ARN of a key or an alias, taken apart; `undefined` when it is none. */
export function readKeyArn(arn: string): { readonly region: Region; readonly account: AccountId } | undefined {
  const match = /^arn:aws:kms:([a-z0-9-]+):([0-9]{12}):(?:key|alias)\/[A-Za-z0-9:/_-]{1,256}$/.exec(arn);
  return match === null ? undefined : { region: match[1] as Region, account: match[2] as AccountId };
}
