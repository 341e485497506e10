/**
 * One event as Snowtrail's own operations answer it.
 */

/** Members that an event doesn't have are left out. Times are ISO 8601 with milliseconds. */
export interface EventView {
  /** Decimal digits: the order of acceptance. */
  readonly Sequence: string;
  readonly ReceivedAt: string;
  readonly AccountId: string;
  readonly Region: string;
  readonly EventId: string;
  /** The record's own. */
  readonly EventTime: string;
  readonly EventName: string;
  readonly EventSource: string;
  /** `management`, `data`, `network` or `insight`. */
  readonly Category: string;
  readonly ReadOnly?: boolean;
  readonly Username?: string;
  readonly AccessKeyId?: string;
  readonly SourceIpAddress?: string;
  readonly ErrorCode?: string;
  readonly Resources: readonly { readonly ResourceType?: string; readonly ResourceName: string }[];
  /** How it came in: `record`, `import` or `own-call`. */
  readonly Source: string;
  /** It came in more than 15 minutes after its own time. */
  readonly IsLate: boolean;
  /** Its own time is more than 15 minutes ahead of its receipt, or before 2000: history sorts it by its receipt. */
  readonly IsEventTimeSuspicious: boolean;
  /** Who did what, from where, in one sentence. */
  readonly Sentence: string;
  /** The record's bytes as text. */
  readonly Record: string;
}
