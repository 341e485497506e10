/**
 * `GetTrailStatus`: whether the trail logs, and how its deliveries go.
 *
 * The six legacy members are texts, empty where nothing happened; the service still returns them. Times without an event
 * behind them are left out. The refusal of an unknown name says the ARN that it means, as the service's does.
 * Source: cloudtrail.md §7.5.
 */
import type { Operation } from '../api/operation.ts';
import { formatEventTime } from '../event/times.ts';
import type { EpochMs } from '../event/types.ts';
import type { OperationDeps } from './change-trail.ts';
import { findTrail } from './find-trail.ts';
import { type LogsState, logsStateKey } from './logs/logs-state.ts';
import { type NoticeStatus, noticeStatusKey } from './notices/notice.ts';
import type { Trail } from './trail.ts';
import { trailAccess } from './trail-access.ts';
import { stateKey, type TrailState } from './trail-state.ts';

interface GetTrailStatusOutput {
  readonly IsLogging: boolean;
  readonly LatestDeliveryError?: string;
  readonly LatestDeliveryTime?: Date;
  readonly LatestNotificationError?: string;
  readonly LatestNotificationTime?: Date;
  readonly StartLoggingTime?: Date;
  readonly StopLoggingTime?: Date;
  readonly LatestCloudWatchLogsDeliveryError?: string;
  readonly LatestCloudWatchLogsDeliveryTime?: Date;
  readonly LatestDigestDeliveryTime?: Date;
  readonly LatestDigestDeliveryError?: string;
  readonly LatestDeliveryAttemptTime: string;
  readonly LatestNotificationAttemptTime: string;
  readonly LatestNotificationAttemptSucceeded: string;
  readonly LatestDeliveryAttemptSucceeded: string;
  readonly TimeLoggingStarted: string;
  readonly TimeLoggingStopped: string;
}

export function getTrailStatus(deps: Pick<OperationDeps, 'catalog'>): Operation<{ readonly Name?: string }, GetTrailStatusOutput> {
  return {
    name: 'GetTrailStatus',
    isReadOnly: true,
    access: (call, input) => trailAccess(deps.catalog, call, { action: 'cloudtrail:GetTrailStatus', nameOrArn: input.Name }),
    decide: async (call, input) => {
      const { value: trail } = await findTrail(deps.catalog, call, input.Name ?? '', 'arn');
      const state = await deps.catalog.get<TrailState>(stateKey(trail));
      const logs = await deps.catalog.get<LogsState>(logsStateKey(trail));
      // What an earlier trail of the name left is none of this one's.
      const notices = ownStatus(trail, (await deps.catalog.get<NoticeStatus>(noticeStatusKey(trail)))?.value);
      const { delivery = {}, digest = {} } = state?.value.phase === 'deleted' ? {} : (state?.value ?? {});
      return {
        output: {
          IsLogging: trail.isLogging,
          ...text('LatestDeliveryError', delivery.error),
          ...time('LatestDeliveryTime', delivery.succeededAtMs),
          ...text('LatestNotificationError', notices.error),
          ...time('LatestNotificationTime', notices.succeededAtMs),
          ...time('StartLoggingTime', trail.startLoggingAtMs),
          ...time('StopLoggingTime', trail.stopLoggingAtMs),
          ...text('LatestCloudWatchLogsDeliveryError', logs?.value.error),
          ...time('LatestCloudWatchLogsDeliveryTime', logs?.value.succeededAtMs),
          ...time('LatestDigestDeliveryTime', digest.succeededAtMs),
          ...text('LatestDigestDeliveryError', digest.error),
          LatestDeliveryAttemptTime: legacyTime(delivery.attemptedAtMs),
          LatestNotificationAttemptTime: legacyTime(notices.attemptedAtMs),
          LatestNotificationAttemptSucceeded: legacyTime(notices.succeededAtMs),
          LatestDeliveryAttemptSucceeded: legacyTime(delivery.succeededAtMs),
          TimeLoggingStarted: legacyTime(trail.startLoggingAtMs),
          TimeLoggingStopped: legacyTime(trail.stopLoggingAtMs),
        },
      };
    },
  };
}

function ownStatus({ createdAtMs }: Trail, status: NoticeStatus | undefined): Partial<NoticeStatus> {
  return status?.attemptedAtMs !== undefined && status.attemptedAtMs >= createdAtMs ? status : {};
}

function time<Name extends string>(name: Name, timeMs: EpochMs | undefined): { readonly [N in Name]?: Date } {
  return (timeMs === undefined ? {} : { [name]: new Date(timeMs) }) as { [N in Name]?: Date };
}

function text<Name extends string>(name: Name, value: string | undefined): { readonly [N in Name]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { [N in Name]?: string };
}

function legacyTime(timeMs: EpochMs | undefined): string {
  return timeMs === undefined ? '' : formatEventTime(timeMs);
}
