/**
 * What a trail's owner knows of it: when it logged, and what it took then, by the requests that changed it.
 */
import type { AccountId, BucketName, Region } from '../../src/event/types.ts';
import type { SelectionName } from './selection.ts';

/** A span of the journal in which the trail delivers. */
export interface LoggingWindow {
  /** Request after whose change it begins; what lies up to the change is not taken. */
  readonly from: string;
  /** Request whose change ends it; absent while it is open. */
  to?: string;
  readonly isMultiRegion: boolean;
  readonly selection: SelectionName;
  readonly aggregates: boolean;
}

/** The settings as the server shows them. `undefined`: there is no such trail. */
export type TrailFace =
  | {
      readonly isLogging: boolean;
      readonly isMultiRegion: boolean;
      readonly validates: boolean;
      readonly selection: SelectionName;
      /** It counts its data events, where it takes any. */
      readonly aggregates: boolean;
    }
  | undefined;

export class TrailModel {
  readonly account: AccountId;
  readonly region: Region;
  readonly name: string;
  readonly bucket: BucketName;
  readonly windows: LoggingWindow[] = [];
  /** What is known to hold. */
  face: TrailFace;
  /** The bucket's policy does not let the trail in. */
  isDenied = false;
  /** It delivered without digests at some time. */
  wasWithoutDigests = false;
  /** A change whose outcome nobody knows yet. */
  pending: { readonly requestId: string; readonly after: TrailFace } | undefined;

  constructor(of: { account: AccountId; region: Region; name: string; bucket: BucketName }) {
    this.account = of.account;
    this.region = of.region;
    this.name = of.name;
    this.bucket = of.bucket;
  }

  /** A change took effect. */
  becomes(after: TrailFace, requestId: string): void {
    const before = this.face;
    if (isSameFace(before, after)) return;
    const open = this.windows.at(-1);
    if (before?.isLogging && open !== undefined) open.to = requestId;
    if (after?.isLogging) {
      const { isMultiRegion, selection, aggregates } = after;
      this.windows.push({ from: requestId, isMultiRegion, selection, aggregates });
    }
    if (after?.isLogging && !after.validates) this.wasWithoutDigests = true;
    this.face = after;
  }
}

export function isSameFace(one: TrailFace, other: TrailFace): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
