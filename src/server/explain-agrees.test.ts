/** What `ExplainAccess` says of a call and what becomes of the call are the same, whatever policies there are. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMINISTRATOR, OWNER } from '../../test/support/intake-rig.ts';
import { type Answer, type CallOptions, keysIn, WholeServer } from '../../test/support/whole-server.ts';

const REGION = 'eu-central-1';
const BUCKET = 'explained-bucket';
const TRAIL = `arn:aws:cloudtrail:${REGION}:${OWNER}:trail/main`;
const arnOf = (name: string, account: string = OWNER) => `arn:aws:iam::${account}:${name}`;
const BOUNDARY = arnOf('policy/boundary');
const ROLE = arnOf('role/deploy');
const SESSION = `arn:aws:sts::${OWNER}:assumed-role/deploy/session`;
const document = (Statement: readonly object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const FULL = [{ Effect: 'Allow', Action: '*', Resource: '*' }];

/** One call, and the request that it makes at the choke point. */
interface Case {
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
  readonly send: (options: CallOptions) => Promise<Answer>;
}

interface Caller {
  readonly arn: string;
  readonly options: CallOptions;
  readonly sessionPolicy?: string;
}

let whole: WholeServer;
/** Keys of users, by ARN. */
const users = new Map<string, CallOptions>();
let controlPolicy: string;

const expectOk = async (sent: Promise<Answer>): Promise<Answer> => {
  const answer = await sent;
  expect([answer.status < 300, answer.message]).toEqual([true, answer.status < 300 ? answer.message : '']);
  return answer;
};
const iam = (Action: string, input: Record<string, string>, account = OWNER) =>
  expectOk(whole.query('iam', { Action, Version: '2010-05-08', ...input }, { account, region: 'us-east-1' }));
const organizations = (name: string, input: object = {}) => expectOk(whole.organizations(name, input));

beforeAll(async () => {
  whole = await WholeServer.open();
  const declared = { accounts: [], identities: {}, organization: { accounts: [OWNER] } };
  await whole.server.applyDeclared(declared, async () => undefined);
  const { Roots } = (await organizations('ListRoots')).output;
  await organizations('EnablePolicyType', { RootId: Roots[0].Id, PolicyType: 'SERVICE_CONTROL_POLICY' });
  const made = await organizations('CreatePolicy', {
    ...{ Name: 'limits', Description: '', Type: 'SERVICE_CONTROL_POLICY', Content: document(FULL) },
  });
  controlPolicy = made.output.Policy.PolicySummary.Id;
  await organizations('AttachPolicy', { PolicyId: controlPolicy, TargetId: OWNER });
  await organizations('DetachPolicy', { PolicyId: 'p-FullAWSAccess', TargetId: OWNER });

  for (const [name, account] of [
    ['alice', OWNER],
    ['bob', OWNER],
    ['mallory', ADMINISTRATOR],
  ] as const) {
    await iam('CreateUser', { UserName: name, 'Tags.member.1.Key': 'team', 'Tags.member.1.Value': 'audit' }, account);
    const keys = keysIn((await iam('CreateAccessKey', { UserName: name }, account)).message);
    users.set(arnOf(`user/${name}`, account), { credentials: keys });
  }
  await iam('CreatePolicy', { PolicyName: 'boundary', PolicyDocument: document(FULL) });
  await iam('PutUserPermissionsBoundary', { UserName: 'bob', PermissionsBoundary: BOUNDARY });
  const trust = document([{ Effect: 'Allow', Principal: { AWS: OWNER }, Action: 'sts:AssumeRole' }]);
  await iam('CreateRole', { RoleName: 'deploy', AssumeRolePolicyDocument: trust });
  await whole.createBucket(BUCKET, { account: OWNER });
  await expectOk(whole.send('PUT', `/${BUCKET}/object`, { service: 's3', account: OWNER, body: 'text' }));
  const tagging = '<Tagging><TagSet><Tag><Key>team</Key><Value>audit</Value></Tag></TagSet></Tagging>';
  await expectOk(whole.send('PUT', `/${BUCKET}?tagging`, { service: 's3', account: OWNER, body: tagging }));
  const tags = [{ Key: 'team', Value: 'audit' }];
  await expectOk(whole.cloudtrail('CreateTrail', { Name: 'main', S3BucketName: BUCKET, TagsList: tags }, { account: OWNER }));
});

afterAll(() => whole.close());

const ACTIONS = [
  ...['s3:GetObject', 's3:ListBucket', 's3:Get*', 's3:ListAllMyBuckets', 's3:*', 'sns:GetTopicAttributes', 'sns:*', 'kms:DescribeKey'],
  ...['kms:GenerateDataKey', 'kms:*', 'cloudtrail:GetTrailStatus', 'iam:Get*', 'iam:PutUserPolicy', 'sts:*', 'snowtrail:*', '*'],
];
const CONDITIONS: readonly (object | undefined)[] = [
  undefined,
  undefined,
  { StringEquals: { 'aws:ResourceTag/team': 'audit' } },
  { StringNotEquals: { 'aws:ResourceTag/team': 'audit' } },
  { StringEquals: { 'aws:ResourceAccount': OWNER } },
  { StringEquals: { 'aws:PrincipalTag/team': 'audit' } },
  { Null: { 'aws:ResourceOrgID': 'false' } },
  { StringEquals: { 'kms:EncryptionContext:purpose': 'test' } },
  { StringEquals: { 'kms:CallerAccount': OWNER } },
  { ArnLike: { 'aws:PrincipalArn': '*alice' } },
];
const PRINCIPALS = [
  ...['*', OWNER, ADMINISTRATOR, arnOf('root'), arnOf('user/alice'), arnOf('user/bob'), ROLE],
  ...[arnOf('user/mallory', ADMINISTRATOR), SESSION],
];
const statement = fc
  .record({
    Effect: fc.constantFrom('Allow', 'Allow', 'Allow', 'Deny'),
    Action: fc.constantFrom(...ACTIONS),
    condition: fc.constantFrom(...CONDITIONS),
  })
  .map(({ condition, ...rest }) => ({ ...rest, Resource: '*', ...(condition === undefined ? {} : { Condition: condition }) }));
const identityPolicy = fc.array(statement, { minLength: 1, maxLength: 3 });
/** Most limits allow everything but what they deny. */
const limit = fc.array(statement, { minLength: 0, maxLength: 2 }).map((more) => [...FULL, ...more]);
const resourcePolicy = fc.array(fc.tuple(statement, fc.constantFrom(...PRINCIPALS)), { minLength: 1, maxLength: 3 });
const world = fc.record({
  identity: identityPolicy,
  boundary: fc.oneof(limit, identityPolicy),
  session: fc.oneof(limit, identityPolicy),
  serviceControl: fc.oneof(limit, limit, identityPolicy),
  trust: resourcePolicy,
  bucket: resourcePolicy,
  isBlocked: fc.boolean(),
  topic: resourcePolicy,
  key: resourcePolicy,
});
type World = typeof world extends fc.Arbitrary<infer Value> ? Value : never;

/** Statements of a resource's policy, with its own actions alone. */
function resourceStatements(service: string, given: World['bucket'], resource: readonly string[] | undefined): object[] {
  return given.map(([{ Resource: _, ...each }, AWS]) => ({
    ...each,
    Action: each.Action.startsWith(service) ? each.Action : `${service}:*`,
    Principal: { AWS },
    ...(resource === undefined ? {} : { Resource: resource }),
  }));
}

const allowAll = { Effect: 'Allow' as const, Action: '*', Resource: '*' };
const denyAll = { Effect: 'Deny' as const, Action: '*', Resource: '*' };

/** Every policy says the same, but for the organization's. */
function uniform(each: typeof allowAll | typeof denyAll): World {
  const own = [each];
  const ofResource: World['bucket'] = [[each, '*']];
  return {
    ...{ identity: own, boundary: own, session: own, serviceControl: FULL, isBlocked: false },
    ...{ trust: ofResource, bucket: ofResource, topic: ofResource, key: ofResource },
  };
}

let worlds = 0;

/** Makes the world, in an order that its own policies do not stand in the way of. */
async function build(given: World): Promise<{ readonly callers: readonly Caller[]; readonly cases: readonly Case[] }> {
  const name = `world-${++worlds}`;
  await organizations('UpdatePolicy', { PolicyId: controlPolicy, Content: document(FULL) });
  const trustAll = { Effect: 'Allow', Principal: { AWS: OWNER }, Action: 'sts:AssumeRole' };
  await iam('UpdateAssumeRolePolicy', { RoleName: 'deploy', PolicyDocument: document([trustAll]) });
  await iam('PutUserPolicy', { UserName: 'alice', PolicyName: 'own', PolicyDocument: document(FULL) });
  const sessionPolicy = document(given.session);
  const assume = (more: Record<string, string>) =>
    whole.query(
      'sts',
      { Action: 'AssumeRole', Version: '2011-06-15', RoleArn: ROLE, RoleSessionName: 'session', ...more },
      users.get(arnOf('user/alice'))!,
    );
  const wide = keysIn((await expectOk(assume({}))).message);
  const narrow = keysIn((await expectOk(assume({ Policy: sessionPolicy }))).message);

  const own = document(given.identity);
  for (const user of ['alice', 'bob']) await iam('PutUserPolicy', { UserName: user, PolicyName: 'own', PolicyDocument: own });
  await iam('PutUserPolicy', { UserName: 'mallory', PolicyName: 'own', PolicyDocument: own }, ADMINISTRATOR);
  await iam('PutRolePolicy', { RoleName: 'deploy', PolicyName: 'own', PolicyDocument: own });
  await iam('CreatePolicyVersion', { PolicyArn: BOUNDARY, PolicyDocument: document(given.boundary), SetAsDefault: 'true' });
  await iam('DeletePolicyVersion', { PolicyArn: BOUNDARY, VersionId: `v${worlds}` });
  const trust = given.trust.map(([{ Effect, Condition }, AWS]) => ({
    ...{ Effect, Principal: { AWS }, Action: 'sts:AssumeRole' },
    ...(Condition === undefined ? {} : { Condition }),
  }));
  await iam('UpdateAssumeRolePolicy', { RoleName: 'deploy', PolicyDocument: document(trust) });

  const s3 = (query: string, body: string) => expectOk(whole.send('PUT', `/${BUCKET}?${query}`, { service: 's3', account: OWNER, body }));
  const block = (isOn: boolean) =>
    s3(
      'publicAccessBlock',
      `<PublicAccessBlockConfiguration><RestrictPublicBuckets>${isOn}</RestrictPublicBuckets></PublicAccessBlockConfiguration>`,
    );
  await expectOk(whole.send('DELETE', `/${BUCKET}?policy`, { service: 's3', account: OWNER }));
  await block(given.isBlocked);
  const bucketArns = [`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`];
  await s3('policy', document(resourceStatements('s3', given.bucket, bucketArns)));
  const topic = `arn:aws:sns:${REGION}:${OWNER}:${name}`;
  await expectOk(
    whole.query(
      'sns',
      {
        ...{ Action: 'CreateTopic', Version: '2010-03-31', Name: name, 'Attributes.entry.1.key': 'Policy' },
        'Attributes.entry.1.value': document(resourceStatements('sns', given.topic, [topic])),
      },
      { account: OWNER },
    ),
  );
  const Policy = document(resourceStatements('kms', given.key, ['*']));
  const Tags = [{ TagKey: 'team', TagValue: 'audit' }];
  const input = { Policy, Tags, BypassPolicyLockoutSafetyCheck: true };
  const key: string = (await expectOk(whole.json('kms', 'TrentService.CreateKey', input, { account: OWNER }))).output.KeyMetadata.Arn;
  const alias = `arn:aws:kms:${REGION}:${OWNER}:alias/${name}`;
  const named = { key: ['kms-alias', OWNER, REGION, `alias/${name}`] as const, value: { name: `alias/${name}`, keyId: key.split('/')[1] } };
  await whole.rig.catalog.commit([{ ...named, expected: 0 }]);
  await organizations('UpdatePolicy', { PolicyId: controlPolicy, Content: document(given.serviceControl) });

  const callers: Caller[] = [
    { arn: arnOf('root'), options: { account: OWNER } },
    { arn: arnOf('root', ADMINISTRATOR), options: { account: ADMINISTRATOR } },
    ...[...users].map(([arn, options]) => ({ arn, options })),
    { arn: SESSION, options: { credentials: wide } },
    { arn: SESSION, options: { credentials: narrow }, sessionPolicy },
  ];
  const query = (service: string, Version: string, given: Record<string, string>) => (options: CallOptions) =>
    whole.query(service, { Version, ...given }, options);
  const kms = (operation: string, input: object) => (options: CallOptions) =>
    whole.json('kms', `TrentService.${operation}`, input, options);
  const s3Read = (path: string) => (options: CallOptions) => whole.send('GET', path, { service: 's3', ...options });
  const cases: Case[] = [
    { action: 's3:ListAllMyBuckets', resource: '*', send: s3Read('/') },
    { action: 's3:ListBucket', resource: bucketArns[0]!, send: s3Read(`/${BUCKET}`) },
    { action: 's3:GetObject', resource: `arn:aws:s3:::${BUCKET}/object`, send: s3Read(`/${BUCKET}/object`) },
    { action: 's3:GetBucketPolicy', resource: bucketArns[0]!, send: s3Read(`/${BUCKET}?policy`) },
    {
      ...{ action: 'sns:GetTopicAttributes', resource: topic },
      send: query('sns', '2010-03-31', { Action: 'GetTopicAttributes', TopicArn: topic }),
    },
    { action: 'kms:DescribeKey', resource: key, send: kms('DescribeKey', { KeyId: key }) },
    {
      ...{ action: 'kms:GenerateDataKey', resource: key, context: { 'kms:EncryptionContext:purpose': 'test' } },
      send: kms('GenerateDataKey', { KeyId: key, KeySpec: 'AES_256', EncryptionContext: { purpose: 'test' } }),
    },
    { action: 'kms:DescribeKey', resource: alias, send: kms('DescribeKey', { KeyId: alias }) },
    { action: 'kms:DescribeKey', resource: `${key.slice(0, -4)}0000`, send: kms('DescribeKey', { KeyId: `${key.slice(0, -4)}0000` }) },
    {
      ...{ action: 'sts:AssumeRole', resource: ROLE },
      send: query('sts', '2011-06-15', { Action: 'AssumeRole', RoleArn: ROLE, RoleSessionName: 'again' }),
    },
    { action: 'sts:GetCallerIdentity', resource: '*', send: query('sts', '2011-06-15', { Action: 'GetCallerIdentity' }) },
    {
      ...{ action: 'cloudtrail:GetTrailStatus', resource: TRAIL },
      send: (options) => whole.cloudtrail('GetTrailStatus', { Name: TRAIL }, options),
    },
  ];
  // What IAM is asked for lies in the caller's own account.
  const ofOwner: Case[] = [
    { action: 'iam:GetRole', resource: ROLE, send: query('iam', '2010-05-08', { Action: 'GetRole', RoleName: 'deploy' }) },
    {
      ...{ action: 'iam:GetUser', resource: arnOf('user/alice') },
      send: query('iam', '2010-05-08', { Action: 'GetUser', UserName: 'alice' }),
    },
  ];
  return { callers, cases: [...cases, ...ofOwner] };
}

const REFUSALS = new Set(['AccessDenied', 'AccessDeniedException', 'AuthorizationError']);

describe('what is explained', () => {
  test('is what becomes of the call, for each caller, action and resource under whatever policies', { timeout: 180_000 }, async () => {
    const seen = new Map<string, Set<string>>();
    await fc.assert(
      fc.asyncProperty(world, async (given) => {
        const { callers, cases } = await build(given);
        for (const { arn, options, sessionPolicy } of callers)
          for (const { action, resource, context, send } of cases) {
            if (action.startsWith('iam:') && !arn.includes(OWNER)) continue;
            const { code } = await send(options);
            // A bug of the server would count as let through.
            expect(code).not.toMatch(/^(?:InternalFailure|InternalError|ServiceUnavailable)/);
            const outcome = REFUSALS.has(code) ? 'refused' : 'allowed';
            const asked = await whole.snowtrail('ExplainAccess', {
              ...{ PrincipalArn: arn, Action: action, Resource: resource, Context: context },
              SessionPolicy: sessionPolicy,
            });
            expect(asked.message).toBe('');
            const { Outcome, Explanation } = asked.output;
            const explained = Outcome === 'allowed' ? 'allowed' : 'refused';
            expect({ arn, action, resource, outcome: explained, Explanation }).toEqual({ arn, action, resource, outcome, Explanation });
            seen.set(action, (seen.get(action) ?? new Set()).add(outcome));
          }
      }),
      { numRuns: 8, examples: [[uniform(allowAll)], [uniform(denyAll)]] },
    );
    // Each action was refused and let through, but for what is free.
    for (const [action, outcomes] of seen)
      expect([action, [...outcomes].sort()]).toEqual([action, action === 'sts:GetCallerIdentity' ? ['allowed'] : ['allowed', 'refused']]);
  });
});
