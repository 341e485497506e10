/**
 * Records as clients send them: good ones of several accounts, Regions and categories, and such as must be refused.
 *
 * Each good record states its category, and holds no member that would let a reader guess otherwise, so that the oracle
 * can select without the server's rules.
 */
import type { AccountId, Region } from '../../src/event/types.ts';
import { CHOSEN_PREFIX } from './selection.ts';
import type { World } from './world.ts';

export const REGIONS = ['eu-central-1', 'us-east-1', 'us-west-2'] as Region[];

/** What data events are about. */
const OBJECTS = [`${CHOSEN_PREFIX}a`, `${CHOSEN_PREFIX}sub/b`, 'arn:aws:s3:::simulated/other', 'arn:aws:s3:::simulated2/chosen/a'];

/** A record to send, and what must become of it. */
export interface SentRecord {
  readonly text: string;
  /** Account that it must be kept under; the one of the caller where the record names none. */
  readonly account: AccountId | undefined;
  /** Absent where the server invents one. */
  readonly eventId: string | undefined;
  /** Set for what must be refused: one of these codes. */
  readonly refusal?: string;
}

export function goodRecord(world: World, account: AccountId): SentRecord {
  const eventId = world.isLucky(0.05) ? undefined : world.chance.uuid();
  const isSilent = world.isLucky(0.05);
  const isManagement = world.isLucky(0.7);
  const record = {
    eventVersion: '1.10',
    userIdentity: { type: 'IAMUser', accountId: account, userName: world.choose(['alice', 'bob', 'carol']) },
    eventTime: new Date(world.nowMs() - world.pick(0, 3_600_000)).toISOString(),
    eventSource: world.choose(['ec2.amazonaws.com', 'iam.amazonaws.com', 'kms.amazonaws.com']),
    eventName: world.choose(['RunInstances', 'CreateUser', 'Decrypt']),
    ...(isSilent ? {} : { awsRegion: world.choose(REGIONS) }),
    requestParameters: { padding: 'x'.repeat(world.isLucky(0.1) ? world.pick(500, 3_000) : world.pick(0, 120)) },
    ...(eventId === undefined ? {} : { eventID: eventId }),
    readOnly: world.isLucky(0.5),
    eventType: 'AwsApiCall',
    managementEvent: isManagement,
    eventCategory: isManagement ? 'Management' : 'Data',
    ...(isManagement ? {} : { resources: [{ type: 'AWS::S3::Object', ARN: world.choose(OBJECTS) }] }),
    recipientAccountId: account,
  };
  return { text: JSON.stringify(record), account, eventId };
}

/** The same id with other bytes: kept as a second entry that is marked. */
export function conflictingRecord(world: World, original: SentRecord): SentRecord {
  const changed = { ...(JSON.parse(original.text) as object), errorMessage: `again ${world.pick(0, 2)}` };
  return { ...original, text: JSON.stringify(changed) };
}

export function badRecord(world: World): SentRecord {
  const [text, refusal] = world.choose([
    ['{"eventName":"Cut', 'InvalidJson'],
    ['{}', 'EmptyRecord'],
    ['[1,2]', 'NotAnObject'],
    ['"text"', 'NotAnObject'],
    ['{"recipientAccountId":"12"}', 'InvalidAccount'],
    ['{"awsRegion":"no region!"}', 'InvalidRegion'],
    ['{"eventTime":"yesterday"}', 'InvalidEventTime'],
    [`{"a":${'['.repeat(400)}${']'.repeat(400)}}`, 'TooDeep'],
  ] as const);
  return { text, account: undefined, eventId: undefined, refusal };
}
