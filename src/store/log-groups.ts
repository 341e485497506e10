/**
 * Log groups of a foreign CloudWatch Logs, written to with the rights of a role that the trail's owner gave.
 *
 * Promises, for every implementation (`test/stores/log-groups.contract.ts`):
 * - `putEvents` returns when the service has taken the events. After an error it may have taken them or not: whoever
 *   repeats a call may have its events there twice.
 * - What the service took and will not keep, since it is too old or too far in the future, is said and is no error.
 */
import type { EpochMs, Region } from '../event/types.ts';

/** Where events go, and with whose rights. */
export interface LogTarget {
  /** Ends in `:*`, as CloudTrail has it. */
  readonly logGroupArn: string;
  /** Assumed for each call; its policies decide. */
  readonly roleArn: string;
}

export interface LogEvent {
  readonly timestampMs: EpochMs;
  readonly message: string;
}

/** Events of a call that the service did not keep. */
export interface RefusedLogEvents {
  /** More than 14 days old, or older than the group keeps. */
  readonly tooOld: number;
  /** More than two hours in the future. */
  readonly tooNew: number;
}

export interface LogGroups {
  /** Whether groups of this Region can be reached. */
  reaches(region: Region): boolean;
  /**
   * Makes a stream; one that is there is fine.
   * @throws LogGroupsError
   */
  createStream(target: LogTarget, stream: string): Promise<void>;
  /**
   * @param events 1 to 10,000 in the order of their times, within 24 hours; 1 MiB with 26 bytes for each.
   * @throws LogGroupsError `ResourceNotFoundException` when there is no such group or stream.
   */
  putEvents(target: LogTarget, stream: string, events: readonly LogEvent[]): Promise<RefusedLogEvents>;
  close(): Promise<void>;
}

/** No answer, or a refusal. */
export class LogGroupsError extends Error {
  override readonly name = 'LogGroupsError';
  /** The service's code such as `AccessDeniedException`; the system's, or `timeout`, where no answer came. */
  readonly reason: string;
  /** The role could not be assumed: nothing was asked of CloudWatch Logs. */
  readonly isRole: boolean;

  constructor(reason: string, message: string, options: { readonly isRole?: boolean; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.reason = reason;
    this.isRole = options.isRole ?? false;
  }
}

/** An ARN of a log group in CloudTrail's form, taken apart; `undefined` when it is none. */
export function readLogGroupArn(arn: string): { readonly region: Region; readonly account: string; readonly group: string } | undefined {
  const match = /^arn:aws[a-z-]*:logs:([a-z0-9-]+):([0-9]{12}):log-group:([A-Za-z0-9_./#-]{1,512}):\*$/.exec(arn);
  return match === null ? undefined : { region: match[1] as Region, account: match[2]!, group: match[3]! };
}
