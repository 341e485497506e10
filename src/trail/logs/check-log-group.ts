/**
 * Checks the log group and the role that a trail is given, before they are accepted.
 *
 * Both or neither; both of the trail's own account, so that nobody writes with another account's role, or into its group (A18).
 * Then what a delivery does first is tried: the role is assumed, and it makes the trail's log stream.
 * Source: cloudtrail.md §7.2, §10.1, §13; features.md EN5.
 */
import type { AccessRequest } from '../../api/access.ts';
import { ApiError } from '../../api/api-error.ts';
import { type LogGroups, LogGroupsError, type LogTarget, readLogGroupArn } from '../../store/log-groups.ts';
import { CORRECTED } from '../corrected-policy.ts';
import type { Trail } from '../trail.ts';
import { logStreamName } from './stream-name.ts';

/** Members of CreateTrail and UpdateTrail. */
export interface LogGroupMembers {
  readonly CloudWatchLogsLogGroupArn?: string;
  readonly CloudWatchLogsRoleArn?: string;
}

const ROLE_ARN = /^arn:aws[a-z-]*:iam::([0-9]{12}):role\/[\u0021-\u007e]{1,512}$/;

/**
 * What the trail has after the call: an absent member stays, an empty one goes.
 * @throws ApiError when one of the two is missing
 */
export function cloudWatchLogsOf(input: LogGroupMembers, before?: Trail): { readonly cloudWatchLogs?: LogTarget } {
  const logGroupArn = input.CloudWatchLogsLogGroupArn ?? before?.cloudWatchLogs?.logGroupArn ?? '';
  const roleArn = input.CloudWatchLogsRoleArn ?? before?.cloudWatchLogs?.roleArn ?? '';
  if (logGroupArn === '' && roleArn === '') return {};
  if (logGroupArn === '') throw groupRefused('CloudWatchLogsRoleArn is given without CloudWatchLogsLogGroupArn; give both, or neither.');
  if (roleArn === '') throw roleRefused('CloudWatchLogsLogGroupArn is given without CloudWatchLogsRoleArn; give both, or neither.');
  return { cloudWatchLogs: { logGroupArn, roleArn } };
}

/** A role is handed over only by who may pass it to CloudTrail (A18). */
export function passRoleAccess({ CloudWatchLogsRoleArn: resource = '' }: LogGroupMembers): readonly AccessRequest[] {
  if (resource === '') return [];
  return [{ action: 'iam:PassRole', resource, context: new Map([['iam:passedtoservice', ['cloudtrail.amazonaws.com']]]) }];
}

/**
 * Checks the log group and the role of a trail, and that events can be written there.
 * @param logGroups Absent where no CloudWatch Logs is configured.
 * @throws ApiError
 */
export async function requireLogGroup(logGroups: LogGroups | undefined, trail: Trail): Promise<void> {
  const { cloudWatchLogs: target } = trail;
  if (target === undefined) return;
  requireOwn(trail, target);
  if (logGroups === undefined)
    throw new ApiError(
      'CloudWatchLogsDeliveryUnavailableException',
      'This server delivers to no CloudWatch Logs: set `delivery.logs` in its configuration.',
    );
  if (!logGroups.reaches(trail.homeRegion))
    throw new ApiError(
      'CloudWatchLogsDeliveryUnavailableException',
      `This server delivers to no CloudWatch Logs in ${trail.homeRegion}: \`delivery.logs.region\` of its configuration is another one.`,
    );
  try {
    await logGroups.createStream(target, logStreamName(trail));
  } catch (error) {
    if (!(error instanceof LogGroupsError)) throw error;
    throw refused(trail, target, error);
  }
}

function requireOwn(trail: Trail, { logGroupArn, roleArn }: LogTarget): void {
  const group = readLogGroupArn(logGroupArn);
  if (group === undefined)
    throw groupRefused(`${shown(logGroupArn)} is not the ARN of a log group: arn:aws:logs:REGION:ACCOUNT:log-group:NAME:* is.`);
  if (group.account !== trail.account || group.region !== trail.homeRegion)
    throw groupRefused(
      `${shown(logGroupArn)} is not a log group of account ${trail.account} in ${trail.homeRegion}, the home Region of the trail.`,
    );
  if (ROLE_ARN.exec(roleArn)?.[1] !== trail.account)
    throw roleRefused(`${shown(roleArn)} is not the ARN of a role of account ${trail.account}.`);
}

/** The service's code and, where something is missing, the policy that has it. */
function refused(trail: Trail, target: LogTarget, error: LogGroupsError): ApiError {
  const { roleArn, logGroupArn } = target;
  const said = `${error.reason}: ${error.message}.`;
  if (error.isRole)
    return roleRefused(
      `${said} The role ${roleArn} must trust cloudtrail.amazonaws.com, and the credentials of \`delivery.logs\` be allowed to assume it.${CORRECTED}${TRUST}`,
    );
  if (error.reason === 'ResourceNotFoundException') return groupRefused(`The log group ${logGroupArn} does not exist.`);
  if (/^AccessDenied/.test(error.reason))
    return groupRefused(`Access denied: ${said} Give the role ${roleArn} this policy.${CORRECTED}${rolePolicy(trail, target)}`);
  return groupRefused(`The log group ${logGroupArn} cannot be written to. ${said}`);
}

const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'cloudtrail.amazonaws.com' }, Action: 'sts:AssumeRole' }],
});

/** What the role needs and no more: to make the trail's streams and to write to them. */
export function rolePolicy(trail: Trail, { logGroupArn }: LogTarget): string {
  const own = logStreamName({ account: trail.account, homeRegion: trail.homeRegion });
  const streams = trail.organizationId === undefined ? [own] : [own, `${trail.organizationId}_`];
  const Resource = streams.map((stream) => `${logGroupArn.slice(0, -1)}log-stream:${stream}*`);
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Sid: 'AWSCloudTrailCreateLogStream', Effect: 'Allow', Action: ['logs:CreateLogStream'], Resource },
      { Sid: 'AWSCloudTrailPutLogEvents', Effect: 'Allow', Action: ['logs:PutLogEvents'], Resource },
    ],
  });
}

function groupRefused(message: string): ApiError {
  return new ApiError('InvalidCloudWatchLogsLogGroupArnException', message);
}

function roleRefused(message: string): ApiError {
  return new ApiError('InvalidCloudWatchLogsRoleArnException', message);
}

function shown(arn: string): string {
  return arn.slice(0, 300);
}
