/** What resources bring to the choke point: their tags, their account and its organization, under policies that ask for them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMINISTRATOR, OWNER, STRANGER } from '../../test/support/intake-rig.ts';
import { type Answer, type CallOptions, keysIn, WholeServer } from '../../test/support/whole-server.ts';

const REGION = 'eu-central-1';
const BUCKET = 'tagged-bucket';
const tags = [{ Key: 'team', Value: 'audit' }];
const member = { 'Tags.member.1.Key': 'team', 'Tags.member.1.Value': 'audit' };

let whole: WholeServer;
let alice: CallOptions;
let organizationId: string;
let key: string;

const iam = async (Action: string, input: Record<string, string>, options: CallOptions = { account: OWNER }) =>
  whole.query('iam', { Action, Version: '2010-05-08', ...input }, { region: 'us-east-1', ...options });
const sns = (Action: string, input: Record<string, string>, options: CallOptions) =>
  whole.query('sns', { Action, Version: '2010-03-31', ...input }, options);

beforeAll(async () => {
  whole = await WholeServer.open();
  const declared = { accounts: [], identities: {}, organization: { accounts: [OWNER] } };
  await whole.server.applyDeclared(declared, async () => undefined);
  const { output } = await whole.organizations('DescribeOrganization');
  organizationId = output.Organization.Id;
  await iam('CreateUser', { UserName: 'alice', ...member });
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: 'sts:AssumeRole' }] });
  await iam('CreateRole', { RoleName: 'deploy', AssumeRolePolicyDocument: trust, ...member });
  const { message } = await iam('CreateAccessKey', { UserName: 'alice' });
  alice = { credentials: keysIn(message) };
  await whole.createBucket(BUCKET, { account: OWNER });
  const body = '<Tagging><TagSet><Tag><Key>team</Key><Value>audit</Value></Tag></TagSet></Tagging>';
  await whole.send('PUT', `/${BUCKET}?tagging`, { service: 's3', account: OWNER, body });
  await whole.cloudtrail('CreateTrail', { Name: 'main', S3BucketName: BUCKET, TagsList: tags }, { account: OWNER });
  const made = await whole.json('kms', 'TrentService.CreateKey', { Tags: [{ TagKey: 'team', TagValue: 'audit' }] }, { account: OWNER });
  key = made.output.KeyMetadata.KeyId;
  await sns('CreateTopic', { Name: 'topic', ...member }, { account: OWNER });
});

afterAll(() => whole.close());

/** Calls of alice, each on one kind of resource. */
const CALLS: Readonly<Record<string, () => Promise<Answer>>> = {
  trail: () => whole.cloudtrail('GetTrail', { Name: 'main' }, alice),
  key: () => whole.json('kms', 'TrentService.DescribeKey', { KeyId: key }, alice),
  bucket: () => whole.send('GET', `/${BUCKET}`, { service: 's3', ...alice }),
  user: () => iam('GetUser', { UserName: 'alice' }, alice),
  role: () => iam('GetRole', { RoleName: 'deploy' }, alice),
  topic: () => sns('GetTopicAttributes', { TopicArn: `arn:aws:sns:${REGION}:${OWNER}:topic` }, alice),
};

/** The kinds that alice may read under a policy with this condition. */
async function allowedBy(Condition: object): Promise<readonly string[]> {
  const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*', Condition }] });
  expect((await iam('PutUserPolicy', { UserName: 'alice', PolicyName: 'own', PolicyDocument })).code).toBe('OK');
  const answers = await Promise.all(Object.entries(CALLS).map(async ([kind, send]) => ({ kind, code: (await send()).code })));
  return answers.filter(({ code }) => code === 'OK').map(({ kind }) => kind);
}

describe('a condition on the resource', () => {
  test('is met by its tags, whatever the operation', async () => {
    expect(await allowedBy({ StringEquals: { 'aws:ResourceTag/team': 'audit' } })).toEqual(Object.keys(CALLS));
    expect(await allowedBy({ StringEquals: { 'aws:ResourceTag/Team': 'sales' } })).toEqual([]);
    expect(await allowedBy({ Null: { 'aws:ResourceTag/team': 'true' } })).toEqual([]);
  });

  test('is met by its account and the organization of that account', async () => {
    expect(await allowedBy({ StringEquals: { 'aws:ResourceAccount': OWNER } })).toEqual(Object.keys(CALLS));
    expect(await allowedBy({ StringEquals: { 'aws:ResourceOrgID': organizationId } })).toEqual(Object.keys(CALLS));
    expect(await allowedBy({ StringLike: { 'aws:ResourceOrgPaths': `${organizationId}/*` } })).toEqual(Object.keys(CALLS));
    expect(await allowedBy({ StringEquals: { 'aws:ResourceOrgID': 'o-other' } })).toEqual([]);
  });
});

describe('an explanation about the bucket of another account', () => {
  const from = (address: string, condition: object) => ({
    Version: '2012-10-17',
    Statement: [
      {
        ...{ Effect: 'Allow', Principal: { AWS: STRANGER }, Action: 's3:ListBucket', Resource: `arn:aws:s3:::${BUCKET}` },
        Condition: { IpAddress: { 'aws:SourceIp': address }, ...condition },
      },
    ],
  });
  const explained = async (Context: object) => {
    const input = { PrincipalArn: `arn:aws:iam::${STRANGER}:root`, Action: 's3:ListBucket', Resource: `arn:aws:s3:::${BUCKET}`, Context };
    return (await whole.snowtrail('ExplainAccess', input, { credentials })).output.Outcome;
  };
  let credentials: NonNullable<CallOptions['credentials']>;
  beforeAll(async () => {
    const { output } = await whole.snowtrail('CreateAccount', { Account: STRANGER }, { account: ADMINISTRATOR });
    credentials = { accessKeyId: output.AccessKey.AccessKeyId, secretAccessKey: output.AccessKey.SecretAccessKey };
  });
  const policy = (document: object) =>
    whole.send('PUT', `/${BUCKET}?policy`, { service: 's3', account: OWNER, body: JSON.stringify(document) });

  test('does not tell for which addresses its policy opens; what a call sends is taken as it is said', async () => {
    expect((await policy(from('198.51.100.0/24', {}))).code).toBe('OK');
    expect(await explained({ 'aws:SourceIp': '198.51.100.7' })).toBe('not-allowed');
    expect((await policy(from('127.0.0.0/8', { StringEquals: { 's3:prefix': 'logs/' } }))).code).toBe('OK');
    expect(await explained({ 's3:prefix': 'logs/' })).toBe('allowed');
    expect(await explained({ 's3:prefix': 'other/' })).toBe('not-allowed');
  });
});
