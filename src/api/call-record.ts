/**
 * The record of a call to this server's own APIs, before it is turned into a CloudTrail record.
 *
 * `http/` fills it in for every authenticated call; `intake/record-call.ts` writes the record and makes it durable.
 */
import type { AccountId, EventResource, JsonObject } from '../event/types.ts';
import type { ConfigurationChange } from './configuration-change.ts';
import type { Call } from './operation.ts';

export interface CallRecord {
  readonly call: Call;
  /** Such as `cloudtrail.amazonaws.com`, `s3.amazonaws.com`, `sts.amazonaws.com`, `snowtrail.amazonaws.com`. */
  readonly eventSource: string;
  readonly eventName: string;
  /** Such as `2013-11-01`; absent where the service writes none. */
  readonly apiVersion?: string;
  readonly isReadOnly: boolean;
  /** A read that hands out keys: like a change, it is refused when it cannot be recorded. */
  readonly isRecordRequired?: boolean;
  /** `Data` for S3 object calls, else `Management`. */
  readonly category: 'Management' | 'Data';
  readonly requestParameters: JsonObject | null;
  readonly responseElements: JsonObject | null;
  readonly additionalEventData?: JsonObject;
  readonly resources?: readonly (EventResource & { readonly account?: AccountId })[];
  /** Other accounts that get a copy of their own, which names the caller by its account alone. The caller's own is passed over. */
  readonly copyTo?: readonly AccountId[];
  /** The service that made the call for the caller, such as `AWS Internal`. */
  readonly invokedBy?: string;
  /** What the call changes of the configuration, once this is durable: a fact of each is durable with it. */
  readonly changes?: readonly ConfigurationChange[];
  readonly error?: { readonly code: string; readonly message: string };
}

/**
 * Makes the record of a call durable. Resolves when it is; the call may take effect only then.
 * @throws Error when it cannot be made durable within 2 seconds: a mutating call is then refused (F37).
 */
export type RecordCall = (record: CallRecord) => Promise<void>;
