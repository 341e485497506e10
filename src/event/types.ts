/**
 * The words of the domain: branded strings, the CloudTrail record, and the event that Snowtrail keeps.
 *
 * A *record* is what a service wrote, as JSON. An *event* is a record that was read within limits: its bytes exactly
 * as received, and beside them what the rest of the code needs to know, with a documented default where a member is
 * missing. Nothing here is ever written back into the bytes.
 *
 * Source: CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail userIdentity element".
 */

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Twelve decimal digits. */
export type AccountId = Brand<string, 'AccountId'>;
/** A Region code such as `eu-central-1`; Regions are labels here, any code of letters, digits and hyphens is one. */
export type Region = Brand<string, 'Region'>;
/** The id that says which event this is, once per account. A GUID in CloudTrail; any text of 1 to 128 characters here. */
export type EventId = Brand<string, 'EventId'>;
/** The key of an object in a bucket: 1 to 1,024 bytes of UTF-8. */
export type ObjectKey = Brand<string, 'ObjectKey'>;
/** A bucket's name. */
export type BucketName = Brand<string, 'BucketName'>;
/** Milliseconds since 1970-01-01T00:00:00Z, a whole number. */
export type EpochMs = number;

/** Any JSON value as `JSON.parse` gives it. Untrusted: who wrote the record decides what is in it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [member: string]: Json | undefined;
}

/** How an event reached Snowtrail. It decides which followers count it as filtered (DESIGN §2). */
export type EventSourceKind =
  /** Submitted as a new event: by `snowtrail record` or the bulk endpoint. Goes everywhere. */
  | 'record'
  /** Read from a log file that CloudTrail delivered before. History, lake and tree only. */
  | 'import'
  /** A call to this server's own APIs. Goes everywhere. */
  | 'own-call';

/** The event categories of CloudTrail (User Guide, "eventCategory"). */
export type EventCategory =
  | 'Management'
  | 'Data'
  | 'NetworkActivity'
  | 'Insight'
  | 'Aggregated'
  | 'ConfigurationItem'
  | 'Evidence'
  | 'ActivityAuditLog';

/** What was missing or odd in a record. Kept beside the bytes, shown to people, never a reason to drop the event. */
export interface EventRemarks {
  /** Members that were absent and got a documented default: `eventID`, `account`, `awsRegion`, `eventTime`. */
  readonly defaulted: readonly ('eventID' | 'account' | 'awsRegion' | 'eventTime')[];
  /** An object in the record repeats a member name; readers disagree on which one counts (A48). */
  readonly hasDuplicateKeys: boolean;
  /** The event time lies more than 15 minutes after its receipt, or before 2000 (A55). */
  readonly isEventTimeSuspicious: boolean;
}

/** One resource that an event touched, as LookupEvents shows it. */
export interface EventResource {
  /** Such as `AWS::S3::Bucket`; absent when only a name is known. */
  readonly type?: string;
  /** An ARN or a name. */
  readonly name: string;
}

/**
 * One event: the received bytes, and what was read from them.
 *
 * INVARIANT: `bytes` is what the sender wrote, from the first `{` to the last `}`, byte for byte.
 */
export interface Event {
  readonly bytes: Uint8Array;
  /** `recipientAccountId`, else `userIdentity.accountId`, else the submitter's account. The event belongs to it. */
  readonly account: AccountId;
  /** `awsRegion`, else the Region that the submission was signed for. */
  readonly region: Region;
  /** `eventID`, else a UUID made from SHA-256(account ‖ bytes). */
  readonly eventId: EventId;
  /** `eventTime`, else the time of receipt. The record's own claim: never used for order. */
  readonly eventTimeMs: EpochMs;
  /** Empty text when absent. */
  readonly eventName: string;
  /** Empty text when absent. */
  readonly eventSource: string;
  readonly category: EventCategory;
  /** Absent when the record does not say: then neither value of the ReadOnly attribute matches. */
  readonly isReadOnly?: boolean;
  /** LookupEvents' `Username` (cloudtrail.md §6); absent where the service shows none. */
  readonly username?: string;
  readonly accessKeyId?: string;
  readonly sourceIpAddress?: string;
  readonly errorCode?: string;
  readonly resources: readonly EventResource[];
  readonly remarks: EventRemarks;
}

/** An event as its bytes are read again once they were accepted: nobody looks for repeated names then. */
export type KnownEvent = Omit<Event, 'remarks'> & { readonly remarks: Omit<EventRemarks, 'hasDuplicateKeys'> };

/** What the reader of a record takes for granted where the record is silent. */
export interface EventDefaults {
  readonly account: AccountId;
  readonly region: Region;
  /** The time of receipt. */
  readonly nowMs: EpochMs;
}

/** The outcome of reading one untrusted record. */
export type EventOutcome =
  | { readonly kind: 'event'; readonly event: Event }
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly reason: string };

/** Why a record was refused; the verdict of a bulk submission carries it. */
export type RefusalCode =
  | 'EmptyRecord'
  | 'RecordTooLarge'
  | 'InvalidUtf8'
  | 'InvalidJson'
  | 'NotAnObject'
  | 'NotARecord'
  | 'TooDeep'
  | 'TooManyMembers'
  | 'InvalidAccount'
  | 'UnknownAccount'
  | 'InvalidRegion'
  | 'InvalidEventId'
  | 'InvalidEventTime'
  | 'AccessDenied';
