/**
 * The contract of log groups, over memory and over the AWS SDK at moto; and what the latter asks for on the wire.
 */
import { CloudWatchLogsClient, CreateLogGroupCommand, GetLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { afterAll, describe, expect, test } from 'vitest';
import type { Region } from '../../src/event/types.ts';
import { createAwsLogGroups } from '../../src/store/aws/log-groups.ts';
import { createSystemClock } from '../../src/store/disk/clock.ts';
import { LogGroupsError } from '../../src/store/log-groups.ts';
import { createMemoryLogGroups } from '../../src/store/memory/log-groups.ts';
import { createMemoryOutbound, type OutboundHandler } from '../../src/store/memory/outbound.ts';
import { createOutbound } from '../../src/store/net/outbound.ts';
import { freePort, hasCommands, startTool, type Tool, untilAnswers } from '../support/start-tool.ts';
import { logGroupsContract } from './log-groups.contract.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const TARGET = { logGroupArn: 'arn:aws:logs:us-east-1:123456789012:log-group:audit:*', roleArn: 'arn:aws:iam::123456789012:role/logs' };
const CREDENTIALS = { accessKeyId: 'testing', secretAccessKey: 'testing-secret' };
const clock = createSystemClock({});

logGroupsContract('memory', async () => {
  const logGroups = createMemoryLogGroups({ clock, roles: new Set([TARGET.roleArn]) });
  logGroups.groups.set(TARGET.logGroupArn, new Map());
  const read = async (stream: string) => (logGroups.groups.get(TARGET.logGroupArn)!.get(stream) ?? []).map(({ message }) => message);
  return { logGroups, target: TARGET, read, nowMs: () => clock.nowMs() };
});

describe.skipIf(!hasCommands(['moto_server'], 'install `moto[server]` from PyPI to write to a CloudWatch Logs'))('at moto', () => {
  let moto: Tool;
  afterAll(async () => {
    await moto?.stop();
  });

  logGroupsContract('AWS', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    moto = startTool('moto_server', ['-H', '127.0.0.1', '-p', new URL(endpoint).port]);
    await untilAnswers(endpoint, moto);
    const client = new CloudWatchLogsClient({ endpoint, region: 'us-east-1', credentials: CREDENTIALS });
    await client.send(new CreateLogGroupCommand({ logGroupName: 'audit' }));
    const outbound = createOutbound({ clock, allow: ['127.0.0.1'] });
    const logGroups = createAwsLogGroups({ endpoint, credentials: CREDENTIALS, outbound, clock });
    const read = async (logStreamName: string) => {
      const { events = [] } = await client.send(new GetLogEventsCommand({ logGroupName: 'audit', logStreamName, startFromHead: true }));
      return events.map(({ message }) => message!);
    };
    return { logGroups, target: TARGET, read, nowMs: () => Date.now() };
  });
});

describe('log groups over the AWS SDK', () => {
  const ENDPOINT = 'https://logs.example.com';
  const asked: string[] = [];
  let answer: (what: string) => { readonly status: number; readonly body: string };

  const handler: OutboundHandler = async ({ headers = {}, body = new Uint8Array() }) => {
    const text = Buffer.from(body).toString();
    const target = Object.entries(headers).find(([name]) => name.toLowerCase() === 'x-amz-target')?.[1];
    const what = target?.split('.')[1] ?? new URLSearchParams(text).get('Action')!;
    asked.push(what);
    const { status, body: answered } = answer(what);
    return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(answered) };
  };
  const open = () =>
    createAwsLogGroups({
      endpoint: ENDPOINT,
      credentials: CREDENTIALS,
      clock,
      outbound: createMemoryOutbound({ clock, handlers: new Map([[ENDPOINT, handler]]) }),
    });

  const session = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
    <AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
    <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;

  test('EN5 asks for nothing but the role, a stream and its events, and for the role once', async () => {
    asked.length = 0;
    answer = (what) => ({ status: 200, body: what === 'AssumeRole' ? session : '{}' });
    const logGroups = open();
    await logGroups.createStream(TARGET, 'stream');
    await logGroups.putEvents(TARGET, 'stream', [{ timestampMs: 1, message: 'm' }]);
    expect(asked).toEqual(['AssumeRole', 'CreateLogStream', 'PutLogEvents']);
  });

  test('what the service did not keep is said: old ones end before an index, new ones begin at one', async () => {
    const rejectedLogEventsInfo = { tooOldLogEventEndIndex: 1, expiredLogEventEndIndex: 2, tooNewLogEventStartIndex: 3 };
    answer = (what) => ({ status: 200, body: what === 'AssumeRole' ? session : JSON.stringify({ rejectedLogEventsInfo }) });
    const events = [1, 2, 3, 4].map((timestampMs) => ({ timestampMs, message: 'm' }));
    expect(await open().putEvents(TARGET, 'stream', events)).toEqual({ tooOld: 2, tooNew: 1 });
  });

  test('a role that cannot be assumed is told apart, and is asked for again the next time', async () => {
    asked.length = 0;
    answer = () => ({
      status: 403,
      body: '<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>',
    });
    const logGroups = open();
    for (let attempt = 0; attempt < 2; attempt++)
      await expect(logGroups.createStream(TARGET, 'stream')).rejects.toMatchObject({ isRole: true, reason: 'AccessDenied' });
    expect(asked).toEqual(['AssumeRole', 'AssumeRole']);
  });

  test('a session that is over before its time is left, and nothing is retried by itself (F17)', async () => {
    asked.length = 0;
    answer = (what) =>
      what === 'AssumeRole' ? { status: 200, body: session } : { status: 400, body: '{"__type":"ExpiredTokenException","message":"over"}' };
    const logGroups = open();
    await expect(logGroups.createStream(TARGET, 'stream')).rejects.toMatchObject({ reason: 'ExpiredTokenException', isRole: false });
    await expect(logGroups.createStream(TARGET, 'stream')).rejects.toBeInstanceOf(LogGroupsError);
    expect(asked).toEqual(['AssumeRole', 'CreateLogStream', 'AssumeRole', 'CreateLogStream']);
  });

  test('where nobody answers, the reason is the code of the system', async () => {
    const logGroups = createAwsLogGroups({
      endpoint: ENDPOINT,
      credentials: CREDENTIALS,
      clock,
      outbound: createMemoryOutbound({ clock, handlers: new Map() }),
    });
    await expect(logGroups.createStream(TARGET, 'stream')).rejects.toMatchObject({ reason: 'ECONNREFUSED' });
  });

  test('a Region that is configured is the only one that is reached', () => {
    const base = { endpoint: ENDPOINT, credentials: CREDENTIALS, clock, outbound: createMemoryOutbound({ clock, handlers: new Map() }) };
    expect(createAwsLogGroups({ ...base, region: 'us-east-1' as Region }).reaches('eu-west-1' as Region)).toBe(false);
    expect(createAwsLogGroups(base).reaches('eu-west-1' as Region)).toBe(true);
  });
});
