/**
 * A seeded sample: ordinary work in three accounts over 90 days, and one incident in it.
 *
 * The incident: alice signs in, assumes the deploy role, from there the production role, and makes the bucket
 * `blizzard-exports` public; an address that was never seen before reads from it. Every name and number is made up.
 */
import { hash } from 'node:crypto';
import type { AccountId, EpochMs, JsonObject } from '../../event/types.ts';

export const DEMO_ACCOUNTS: readonly AccountId[] = ['111111111111', '222222222222', '333333333333'].map((digits) => digits as AccountId);

/** One event of the sample. */
export interface SampleEvent {
  readonly timeMs: EpochMs;
  readonly account: AccountId;
  readonly record: JsonObject;
}

export interface SampleOptions {
  readonly seed: string;
  readonly count: number;
  /** End of the 90 days. */
  readonly nowMs: EpochMs;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HISTORY_DAYS = 89;
/** Work begins at this hour of each day, in UTC, and lasts so many. */
const WORK_FROM_HOUR = 8;
const WORK_HOURS = 10;
/** How long before the end the incident begins. */
const INCIDENT_BEFORE_MS = 26 * 3_600_000;

const REGIONS = ['us-east-1', 'us-east-1', 'us-east-1', 'eu-central-1'] as const;
const PEOPLE = ['alice', 'bob', 'carol', 'dmitri', 'erin'] as const;
const AGENTS = [
  'aws-cli/2.15.30 Python/3.11.8 Linux/6.1',
  'Boto3/1.34.51 Python/3.11',
  'console.amazonaws.com',
  'APN/1.0 HashiCorp/1.0 Terraform/1.11.4',
] as const;

interface Work {
  readonly weight: number;
  readonly source: string;
  readonly name: string;
  readonly isReadOnly: boolean;
  readonly parameters: (pick: Pick) => JsonObject | null;
  readonly resource?: (parameters: JsonObject | null) => { readonly ARN: string; readonly type: string };
}

const WORK: readonly Work[] = [
  read(14, 'ec2', 'DescribeInstances', () => ({ instancesSet: {}, filterSet: {} })),
  read(9, 'sts', 'GetCallerIdentity', () => null),
  read(8, 's3', 'GetBucketAcl', (pick) => ({ bucketName: bucketOf(pick) })),
  read(8, 'kms', 'Decrypt', () => ({ encryptionContext: {} })),
  read(7, 'iam', 'GetUser', (pick) => ({ userName: pick(PEOPLE) })),
  read(6, 'ssm', 'GetParameter', (pick) => ({ name: `/winterday/${pick(['db', 'queue', 'flags'])}/url`, withDecryption: true })),
  read(6, 'lambda', 'GetFunction20150331v2', (pick) => ({ functionName: functionOf(pick) })),
  read(5, 'logs', 'DescribeLogGroups', () => ({})),
  read(5, 'secretsmanager', 'GetSecretValue', (pick) => ({ secretId: `winterday/${pick(['db', 'mail'])}` })),
  read(4, 's3', 'ListBuckets', () => null),
  write(4, 'ec2', 'RunInstances', (pick) => ({ instanceType: pick(['t3.micro', 'm6i.large']), minCount: 1, maxCount: 1 })),
  write(3, 'lambda', 'UpdateFunctionConfiguration20150331v2', (pick) => ({ functionName: functionOf(pick), memorySize: 512 })),
  write(3, 'logs', 'CreateLogStream', (pick) => ({
    logGroupName: `/aws/lambda/${functionOf(pick)}`,
    logStreamName: pick(['a', 'b', 'c']),
  })),
  write(2, 's3', 'PutBucketTagging', (pick) => ({ bucketName: bucketOf(pick), tagging: '' })),
  write(2, 'iam', 'UpdateAccessKey', (pick) => ({ userName: pick(PEOPLE), status: 'Inactive' })),
  write(1, 'ec2', 'AuthorizeSecurityGroupIngress', () => ({ groupId: 'sg-0a1b2c3d4e5f60718', ipPermissions: { items: [] } })),
];

type Pick = <T>(from: readonly T[]) => T;

function read(weight: number, service: string, name: string, parameters: Work['parameters']): Work {
  return { weight, source: `${service}.amazonaws.com`, name, isReadOnly: true, parameters };
}

function write(weight: number, service: string, name: string, parameters: Work['parameters']): Work {
  return { weight, source: `${service}.amazonaws.com`, name, isReadOnly: false, parameters };
}

/** The first account works in one Region, so that its trail has one chain of digests to look at. */
function regionOf(account: AccountId, pick: Pick): string {
  return account === DEMO_ACCOUNTS[0] ? 'us-east-1' : pick(REGIONS);
}

function bucketOf(pick: Pick): string {
  return pick(['winterday-assets', 'winterday-logs', 'blizzard-exports', 'snowy-pii']);
}

function functionOf(pick: Pick): string {
  return pick(['winterday-checkout', 'winterday-mail', 'blizzard-report']);
}

/** The whole sample, oldest first. The same seed, count and end give the same events. */
export function sampleEvents({ seed, count, nowMs }: SampleOptions): readonly SampleEvent[] {
  const chance = seededFraction(seed);
  const pick: Pick = (from) => from[Math.floor(chance() * from.length)]!;
  const total = WORK.reduce((sum, { weight }) => sum + weight, 0);
  const events: SampleEvent[] = [];
  for (let index = 0; index < count; index += 1) {
    const timeMs = timeOfWork(nowMs, chance);
    let place = chance() * total;
    const work = WORK.find(({ weight }) => {
      place -= weight;
      return place < 0;
    })!;
    const account = pick(DEMO_ACCOUNTS);
    events.push({ timeMs, account, record: ordinaryRecord({ work, account, timeMs, pick, chance, id: uuidOf(`${seed}/${index}`) }) });
  }
  return [...events, ...incident(seed, nowMs)].sort((a, b) => a.timeMs - b.timeMs);
}

/** A second within the hours of work, before `nowMs` and at most the days of history back. */
function timeOfWork(nowMs: EpochMs, chance: () => number): EpochMs {
  const dayMs = Math.floor((nowMs - chance() * HISTORY_DAYS * DAY_MS) / DAY_MS) * DAY_MS;
  const timeMs = wholeSecond(dayMs + (WORK_FROM_HOUR + chance() * WORK_HOURS) * HOUR_MS);
  // Today's hours may be to come: then it is yesterday's work.
  return timeMs < nowMs ? timeMs : timeMs - DAY_MS;
}

interface OrdinaryInput {
  readonly work: Work;
  readonly account: AccountId;
  readonly timeMs: EpochMs;
  readonly pick: Pick;
  readonly chance: () => number;
  readonly id: string;
}

function ordinaryRecord({ work, account, timeMs, pick, chance, id }: OrdinaryInput): JsonObject {
  const person = pick(PEOPLE);
  const isDenied = chance() < 0.02;
  const parameters = work.parameters(pick);
  const bucket = parameters?.['bucketName'];
  return record({
    account,
    timeMs,
    id,
    source: work.source,
    name: work.name,
    isReadOnly: work.isReadOnly,
    identity: chance() < 0.6 ? roleSession(account, pick(['Developer', 'Deploy', 'ReadOnly']), person, timeMs) : iamUser(account, person),
    address: `203.0.113.${1 + Math.floor(chance() * 40)}`,
    agent: pick(AGENTS),
    region: work.source === 'iam.amazonaws.com' || work.source === 'sts.amazonaws.com' ? 'us-east-1' : regionOf(account, pick),
    parameters,
    ...(isDenied ? { error: ['AccessDenied', `User is not authorized to perform ${work.name}`] as const } : {}),
    ...(typeof bucket === 'string' ? { resources: [{ accountId: account, type: 'AWS::S3::Bucket', ARN: `arn:aws:s3:::${bucket}` }] } : {}),
  });
}

/** Eight steps, a few minutes apart. */
function incident(seed: string, nowMs: EpochMs): SampleEvent[] {
  const [management, , production] = DEMO_ACCOUNTS as [AccountId, AccountId, AccountId];
  const startMs = wholeSecond(nowMs - INCIDENT_BEFORE_MS);
  const bucket = 'blizzard-exports';
  const resources = [{ accountId: production, type: 'AWS::S3::Bucket', ARN: `arn:aws:s3:::${bucket}` }];
  const human = iamUser(management, 'alice');
  const deploy = roleSession(management, 'Snowy-Deploy', 'alice', startMs, 'alice');
  const prod = roleSession(production, 'Blizzard-Prod-Admin', 'alice', startMs, 'alice');
  const from = { address: '198.51.100.23', agent: AGENTS[0] };
  const steps: readonly (Omit<RecordInput, 'timeMs' | 'id' | 'address' | 'agent' | 'region'> & Partial<Pick2>)[] = [
    { account: management, source: 'signin.amazonaws.com', name: 'ConsoleLogin', isReadOnly: false, identity: human, parameters: null },
    assume(management, human, management, 'Snowy-Deploy'),
    assume(management, deploy, production, 'Blizzard-Prod-Admin'),
    {
      account: production,
      source: 's3.amazonaws.com',
      name: 'GetBucketPublicAccessBlock',
      isReadOnly: true,
      identity: prod,
      parameters: { bucketName: bucket },
      resources,
    },
    {
      account: production,
      source: 's3.amazonaws.com',
      name: 'DeleteBucketPublicAccessBlock',
      isReadOnly: false,
      identity: prod,
      parameters: { bucketName: bucket },
      resources,
    },
    {
      account: production,
      source: 's3.amazonaws.com',
      name: 'PutBucketPolicy',
      isReadOnly: false,
      identity: prod,
      parameters: {
        bucketName: bucket,
        policy: '',
        bucketPolicy: {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/*` }],
        },
      },
      resources,
    },
    {
      account: production,
      source: 's3.amazonaws.com',
      name: 'ListObjects',
      isReadOnly: true,
      identity: { type: 'AWSAccount', principalId: '', accountId: 'anonymous' },
      parameters: { bucketName: bucket },
      resources,
      address: '192.0.2.77',
      agent: 'curl/8.5.0',
    },
    {
      account: production,
      source: 'cloudtrail.amazonaws.com',
      name: 'StopLogging',
      isReadOnly: false,
      identity: prod,
      parameters: { name: 'main' },
      error: ['AccessDenied', 'not authorized to perform: cloudtrail:StopLogging with an explicit deny'],
    },
  ];
  return steps.map((step, index) => {
    const timeMs = startMs + index * 150_000;
    const account = step.account;
    return { timeMs, account, record: record({ ...from, region: 'us-east-1', ...step, timeMs, id: uuidOf(`${seed}/incident/${index}`) }) };
  });
}

type Pick2 = { readonly address: string; readonly agent: string };

function assume(caller: AccountId, identity: JsonObject, owner: AccountId, role: string) {
  const arn = `arn:aws:iam::${owner}:role/${role}`;
  return {
    account: caller,
    source: 'sts.amazonaws.com',
    name: 'AssumeRole',
    isReadOnly: true,
    identity,
    parameters: { roleArn: arn, roleSessionName: 'alice', sourceIdentity: 'alice' },
    response: { sourceIdentity: 'alice', assumedRoleUser: { arn: `arn:aws:sts::${owner}:assumed-role/${role}/alice` } },
    resources: [{ accountId: owner, type: 'AWS::IAM::Role', ARN: arn }],
  };
}

interface RecordInput {
  readonly account: AccountId;
  readonly timeMs: EpochMs;
  readonly id: string;
  readonly source: string;
  readonly name: string;
  readonly isReadOnly: boolean;
  readonly identity: JsonObject;
  readonly address: string;
  readonly agent: string;
  readonly region: string;
  readonly parameters: JsonObject | null;
  readonly response?: JsonObject;
  readonly error?: readonly [code: string, message: string];
  readonly resources?: readonly JsonObject[];
}

function record(input: RecordInput): JsonObject {
  const isSignIn = input.name === 'ConsoleLogin';
  return {
    eventVersion: '1.09',
    userIdentity: input.identity,
    eventTime: isoSecond(input.timeMs),
    eventSource: input.source,
    eventName: input.name,
    awsRegion: input.region,
    sourceIPAddress: input.address,
    userAgent: input.agent,
    ...(input.error === undefined ? {} : { errorCode: input.error[0], errorMessage: input.error[1] }),
    requestParameters: input.parameters,
    responseElements: isSignIn ? { ConsoleLogin: 'Success' } : (input.response ?? null),
    ...(isSignIn ? { additionalEventData: { LoginTo: 'https://console.example.com/', MobileVersion: 'No', MFAUsed: 'Yes' } } : {}),
    requestID: uuidOf(`request/${input.id}`),
    eventID: input.id,
    readOnly: input.isReadOnly,
    ...(input.resources === undefined ? {} : { resources: input.resources }),
    eventType: isSignIn ? 'AwsConsoleSignIn' : 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: input.account,
    eventCategory: 'Management',
  };
}

function iamUser(account: AccountId, name: string): JsonObject {
  return {
    type: 'IAMUser',
    principalId: `AIDA${idOf(name)}`,
    arn: `arn:aws:iam::${account}:user/${name}`,
    accountId: account,
    accessKeyId: `AKIA${idOf(`${account}${name}`)}`,
    userName: name,
  };
}

function roleSession(account: AccountId, role: string, session: string, timeMs: EpochMs, sourceIdentity?: string): JsonObject {
  const roleId = `AROA${idOf(role)}`;
  return {
    type: 'AssumedRole',
    principalId: `${roleId}:${session}`,
    arn: `arn:aws:sts::${account}:assumed-role/${role}/${session}`,
    accountId: account,
    accessKeyId: `ASIA${idOf(`${role}${session}`)}`,
    sessionContext: {
      sessionIssuer: { type: 'Role', principalId: roleId, arn: `arn:aws:iam::${account}:role/${role}`, accountId: account, userName: role },
      attributes: { creationDate: isoSecond(timeMs - 600_000), mfaAuthenticated: 'true' },
      ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
    },
  };
}

/** Ids that were made already: there are few people and roles. */
const ids = new Map<string, string>();

function idOf(text: string): string {
  let id = ids.get(text);
  if (id === undefined) {
    id = hash('sha256', text).slice(0, 16).toUpperCase();
    ids.set(text, id);
  }
  return id;
}

function uuidOf(text: string): string {
  const hex = hash('sha256', text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function isoSecond(ms: EpochMs): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function wholeSecond(ms: EpochMs): EpochMs {
  return Math.floor(ms / 1_000) * 1_000;
}

/** Fractions that a seed decides (a 32-bit mixing generator; quality enough for a sample). */
function seededFraction(seed: string): () => number {
  let state = hash('sha256', seed, 'buffer').readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
