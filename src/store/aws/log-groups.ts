/**
 * Log groups at an endpoint that speaks the API of CloudWatch Logs: AWS, or another that has it.
 *
 * The credentials of the configuration do one thing: they assume the trail's role at the STS beside it. Everything else is
 * done with what the role may do, so that its policies decide (features.md EN5).
 */
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { EpochMs, Region } from '../../event/types.ts';
import type { Clock } from '../clock.ts';
import { type LogGroups, LogGroupsError, type LogTarget, type RefusedLogEvents, readLogGroupArn } from '../log-groups.ts';
import type { Outbound } from '../outbound.ts';
import { readSdkError, sdkBasics, silenceSdk } from './outbound-handler.ts';

export interface AwsLogGroupsOptions {
  /** Where CloudWatch Logs is. Trusted: our operator's. */
  readonly endpoint: string;
  /** Where STS is; the same place when absent. */
  readonly stsEndpoint?: string | undefined;
  /** The only Region that is there; absent when all are, as requests are signed for. */
  readonly region?: Region | undefined;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string | undefined };
  readonly outbound: Outbound;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** Name of the role's session, as it stands in what the other side records. */
const SESSION_NAME = 'CloudTrail';
const SESSION_SECONDS = 3_600;
/** A session is not used any more when it ends that soon. */
const SESSION_REST_MS = 5 * 60_000;
/** Codes of a session that is over before its time. */
const SESSION_OVER: ReadonlySet<string> = new Set([
  'ExpiredTokenException',
  'ExpiredToken',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
]);

interface Session {
  readonly client: CloudWatchLogsClient;
  readonly endsAtMs: EpochMs;
}

/** Nothing is loaded or sent before it is needed. */
export function createAwsLogGroups(options: AwsLogGroupsOptions): LogGroups {
  const { endpoint, stsEndpoint = endpoint, outbound, clock } = options;
  // Sessions by Region and role; as many as there are trails with a log group.
  const sessions = new Map<string, Promise<Session>>();

  const assume = async (region: Region, roleArn: string): Promise<Session> => {
    silenceSdk();
    const [sts, logs] = await Promise.all([import('@aws-sdk/client-sts'), import('@aws-sdk/client-cloudwatch-logs')]);
    const credentials = { ...options.credentials, sessionToken: options.credentials.sessionToken! };
    const client = new sts.STSClient({ ...sdkBasics(outbound), endpoint: stsEndpoint, region, credentials });
    try {
      const command = new sts.AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: SESSION_NAME, DurationSeconds: SESSION_SECONDS });
      const { Credentials: given } = await client.send(command);
      if (given?.AccessKeyId === undefined || given.SecretAccessKey === undefined || given.SessionToken === undefined)
        throw new Error('the answer holds no credentials');
      const ofRole = { accessKeyId: given.AccessKeyId, secretAccessKey: given.SecretAccessKey, sessionToken: given.SessionToken };
      return {
        client: new logs.CloudWatchLogsClient({ ...sdkBasics(outbound), endpoint, region, credentials: ofRole }),
        endsAtMs: given.Expiration?.getTime() ?? clock.nowMs() + SESSION_SECONDS * 1000,
      };
    } catch (cause) {
      const { code, message } = readSdkError(cause);
      throw new LogGroupsError(code, `the role \`${roleArn}\` cannot be assumed: ${message}`, { isRole: true, cause });
    }
  };

  const withRole = async <T>(target: LogTarget, call: (client: CloudWatchLogsClient, group: string) => Promise<T>): Promise<T> => {
    const { region, group } = readLogGroupArn(target.logGroupArn)!;
    const key = `${region}/${target.roleArn}`;
    let session = await sessions.get(key);
    if (session === undefined || session.endsAtMs - clock.nowMs() < SESSION_REST_MS) {
      const assuming = assume(region, target.roleArn);
      sessions.set(key, assuming);
      session = await assuming.catch((error: unknown) => {
        sessions.delete(key);
        throw error;
      });
    }
    try {
      return await call(session.client, group);
    } catch (cause) {
      const { code, message } = readSdkError(cause);
      if (SESSION_OVER.has(code)) sessions.delete(key);
      throw new LogGroupsError(code, `\`${target.logGroupArn}\`: ${message}`, { cause });
    }
  };

  return {
    reaches: (region) => options.region === undefined || options.region === region,

    createStream: (target, stream) =>
      withRole(target, async (client, logGroupName) => {
        const { CreateLogStreamCommand } = await import('@aws-sdk/client-cloudwatch-logs');
        try {
          await client.send(new CreateLogStreamCommand({ logGroupName, logStreamName: stream }));
        } catch (error) {
          if (readSdkError(error).code !== 'ResourceAlreadyExistsException') throw error;
        }
      }),

    putEvents: (target, stream, events) =>
      withRole(target, async (client, logGroupName): Promise<RefusedLogEvents> => {
        const { PutLogEventsCommand } = await import('@aws-sdk/client-cloudwatch-logs');
        const logEvents = events.map(({ timestampMs, message }) => ({ timestamp: timestampMs, message }));
        const answer = await client.send(new PutLogEventsCommand({ logGroupName, logStreamName: stream, logEvents }));
        const {
          tooOldLogEventEndIndex = 0,
          expiredLogEventEndIndex = 0,
          tooNewLogEventStartIndex = events.length,
        } = answer.rejectedLogEventsInfo ?? {};
        return { tooOld: Math.max(tooOldLogEventEndIndex, expiredLogEventEndIndex), tooNew: events.length - tooNewLogEventStartIndex };
      }),

    async close() {
      for (const session of sessions.values()) (await session.catch(() => undefined))?.client.destroy();
    },
  };
}
