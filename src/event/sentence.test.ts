import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sentenceFlaws } from '../../test/support/sentence-flaws.ts';
import { resolveActor } from './actor.ts';
import { parseEvent } from './parse-event.ts';
import { sentenceOf } from './sentence.ts';
import { sliceRecords } from './slice-records.ts';
import type { AccountId, Event, EventDefaults, JsonObject, Region } from './types.ts';

const defaults: EventDefaults = {
  account: '999999999999' as AccountId,
  region: 'eu-central-1' as Region,
  nowMs: Date.parse('2026-06-01T00:00:00Z'),
};
const tools = { sha256: (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest() };

function read(bytes: Uint8Array): Event {
  const outcome = parseEvent(bytes, defaults, tools);
  if (outcome.kind === 'refused') throw new Error(outcome.reason);
  return outcome.event;
}

const VERB_NAMES = [
  'Create',
  'Put',
  'Get',
  'Tag',
  'Decrypt',
  'Encrypt',
  'Sign',
  'Verify',
  'Publish',
  'Subscribe',
  'Add',
  'Head',
  'Generate',
  'Frobnicate',
];

/** The sentence of a record with ordinary members beside the given ones. */
function sentence(record: object): string {
  const ordinary = {
    eventTime: '2025-09-24T02:11:07Z',
    eventSource: 's3.amazonaws.com',
    eventName: 'ListBuckets',
    sourceIPAddress: '203.0.113.7',
    userAgent: 'aws-cli/2.15 Python/3.11',
  };
  return sentenceOf(read(new TextEncoder().encode(JSON.stringify({ ...ordinary, ...record }))));
}

/** Who, as the sentence has it. */
function who(userIdentity: object, more: object = {}): string {
  return sentence({ userIdentity, ...more }).split(' listed buckets')[0]!;
}

const session = (attributes: JsonObject, more: JsonObject = {}) => ({
  sessionIssuer: { type: 'Role', arn: 'arn:aws:iam::111111111111:role/Admin', accountId: '111111111111', userName: 'Admin' },
  attributes,
  ...more,
});

test('the sentence tells who, through what, did what, to what, when, from where, with what, and how it ended', () => {
  expect(
    sentence({
      userIdentity: { type: 'AssumedRole', principalId: 'AROAEXAMPLE:alice', sessionContext: session({ mfaAuthenticated: 'true' }) },
      eventName: 'DeleteBucket',
      errorCode: 'AccessDenied',
      requestParameters: { bucketName: 'snowy-pii' },
    }),
  ).toBe(
    'alice, through role Admin with MFA, deleted bucket snowy-pii at 2025-09-24 02:11:07 UTC from 203.0.113.7 with aws-cli/2.15 (denied: AccessDenied)',
  );
});

describe('real records of each identity type (test/golden/identity-types)', () => {
  const pieces = sliceRecords(readFileSync(new URL('../../test/golden/identity-types/records.jsonl', import.meta.url)));
  const events = pieces.map((piece) => read(piece.kind === 'record' ? piece.bytes : new Uint8Array()));

  test('give these sentences', () => {
    expect(events.map(sentenceOf)).toEqual([
      'the root user of account 111111111111 deleted account password policy at 2023-01-26 21:23:22 UTC from 23.93.193.7 (succeeded)',
      'i-e22f71295cdf5df4f, through role sampleuser223, updated instance information of instance i-e22f71295cdf5df4f at 2024-03-13 08:33:29 UTC from 203.0.113.89 with aws-sdk-go/1.44.260 (succeeded)',
      'a principal of account 123456789012 (AROC7E598EE6F3133789) signed with key ccdd8add-d995-5308-9d5f-8589ac91b3fc at 2024-03-13 08:33:30 UTC from 203.0.113.113 with aws-sdk-js/3.360.0 (succeeded)',
      'AWS service eks.amazonaws.com assumed role devuser206 as session 1710201459504877029 at 2024-03-13 08:33:38 UTC from 203.0.113.24 (succeeded)',
      'web identity user sampleuser175 of arn:aws:iam::123456789012:devuser49/sampleuser186/devuser11/5a958a82-5b50-5ee7-d780-7968104f6651 assumed role testuser199 with a web identity as session external-secrets-provider-aws at 2024-03-13 08:35:33 UTC from 203.0.113.94 with aws-sdk-go/1.44.322 (succeeded)',
      'AWS service secretsmanager.amazonaws.com reported SecretVersionDeletion at 2024-03-13 08:36:34 UTC from 203.0.113.140 (succeeded)',
      'stratus_red_team, federated by user stratus-red-team-user-federation-user, read caller identity at 2024-11-30 08:43:18 UTC from 255.090.254.5 with aws-sdk-go-v2/1.32.3 (succeeded)',
      'bert-jan created trail stratus-red-team-ctes-trail-qyxyekjbtk of bucket stratus-red-team-ctes-bucket-qyxyekjbtk at 2023-07-10 12:00:05 UTC from 192.168.10.20 with Terraform/1.1.2 (succeeded)',
      'bert-jan set bucket policy on bucket stratus-red-team-ctes-bucket-qyxyekjbtk at 2023-07-10 11:59:58 UTC from 192.168.10.20 with Terraform/1.1.2 (succeeded)',
    ]);
  });

  test('give these user names', () => {
    expect(events.map(({ username }) => username)).toEqual([
      'root',
      'i-e22f71295cdf5df4f',
      undefined,
      'eks.amazonaws.com',
      'sampleuser175',
      'secretsmanager.amazonaws.com',
      'stratus_red_team',
      'bert-jan',
      'bert-jan',
    ]);
  });
});

describe('identity types, built from the User Guide', () => {
  test.each([
    [{ type: 'Root', accountId: '111111111111', userName: 'the-alias' }, 'the root user of account 111111111111'],
    [{ type: 'IAMUser', userName: 'alice' }, 'alice'],
    [{ type: 'IAMUser', userName: 'alice', sessionContext: { attributes: { mfaAuthenticated: 'true' } } }, 'alice, with MFA,'],
    [{ type: 'IAMUser', userName: 'alice', invokedBy: 'cloudformation.amazonaws.com' }, 'alice, by way of cloudformation.amazonaws.com,'],
    [
      {
        type: 'AssumedRole',
        arn: 'arn:aws:sts::111111111111:assumed-role/Admin/alice',
        sessionContext: session({ mfaAuthenticated: 'false' }),
      },
      'alice, through role Admin,',
    ],
    [
      { type: 'AssumedRole', principalId: 'AROA:deploy-42', sessionContext: session({}, { sourceIdentity: 'alice' }) },
      'alice, through role Admin as session deploy-42,',
    ],
    [{ type: 'Role', userName: 'Admin' }, 'role Admin'],
    [
      { type: 'FederatedUser', principalId: '111111111111:erin', sessionContext: { sessionIssuer: { type: 'Root' } } },
      'erin, federated by the root user,',
    ],
    [{ type: 'Directory', userName: 'frank@example.com' }, 'directory user frank@example.com'],
    [{ type: 'Directory' }, 'a directory user'],
    [{ type: 'AWSAccount', accountId: '222222222222', principalId: 'AIDAEXAMPLE' }, 'a principal of account 222222222222 (AIDAEXAMPLE)'],
    [{ type: 'AWSService', invokedBy: 'ec2.amazonaws.com' }, 'AWS service ec2.amazonaws.com'],
    [{ type: 'AWSService', invokedBy: 'AWS Internal' }, 'AWS itself'],
    [{ accountId: '111111111111', invokedBy: 'AWS Internal/3' }, 'AWS itself'],
    [
      {
        type: 'IdentityCenterUser',
        accountId: '111111111111',
        onBehalfOf: { userId: '94d8e4a8-1', identityStoreArn: 'arn:aws:identitystore::111111111111:identitystore/d-1' },
      },
      'Identity Center user 94d8e4a8-1',
    ],
    [{ type: 'SAMLUser', userName: 'grace', identityProvider: 'https://idp.example.com' }, 'SAML user grace of https://idp.example.com'],
    [
      { type: 'WebIdentityUser', userName: 'heidi', identityProvider: 'accounts.google.com' },
      'web identity user heidi of accounts.google.com',
    ],
    [{ type: 'Unknown', userName: 'ivan' }, 'an unknown caller named ivan'],
    [{ type: 'Unknown', userName: 'HIDDEN_DUE_TO_SECURITY_REASONS' }, 'an unknown caller'],
    [{ type: 'IAMUser', userName: 'HIDDEN_DUE_TO_SECURITY_REASONS' }, 'a user whose name is hidden'],
    [{ type: 'IAMUser', userName: 'alice', invokedByDelegate: { accountId: '333333333333' } }, 'alice, delegated to account 333333333333,'],
    [{ accountId: '111111111111' }, 'an unnamed caller of account 111111111111'],
    [{ type: 'Novelty' }, 'an unnamed caller'],
    [{}, 'an unnamed caller'],
  ])('%j is %s', (userIdentity, expected) => {
    expect(who(userIdentity)).toBe(expected);
  });

  test('a record without identity has an unnamed caller', () => {
    expect(sentence({})).toMatch(/^an unnamed caller listed buckets/);
  });
});

describe('resolveActor', () => {
  test('keeps what one record tells of a role chain', () => {
    const record: JsonObject = {
      userIdentity: {
        type: 'AssumedRole',
        principalId: 'AROAEXAMPLE:deploy-42',
        arn: 'arn:aws:sts::111111111111:assumed-role/Admin/deploy-42',
        accountId: '111111111111',
        accessKeyId: 'ASIAEXAMPLE',
        invokedBy: 'cloudformation.amazonaws.com',
        inScopeOf: { sourceArn: 'arn:aws:lambda:us-east-1:111111111111:function:f', issuerType: 'AWS::Lambda::Function' },
        sessionContext: session({ mfaAuthenticated: 'true' }, { sourceIdentity: 'alice' }),
      },
    };
    expect(resolveActor(record)).toEqual({
      kind: 'role-session',
      name: 'alice',
      account: '111111111111',
      arn: 'arn:aws:sts::111111111111:assumed-role/Admin/deploy-42',
      accessKeyId: 'ASIAEXAMPLE',
      issuer: { kind: 'role', name: 'Admin', account: '111111111111' },
      session: 'deploy-42',
      sourceIdentity: 'alice',
      hasMfa: true,
      invokedBy: 'cloudformation.amazonaws.com',
      scopedTo: 'arn:aws:lambda:us-east-1:111111111111:function:f',
    });
  });

  test('says nothing of MFA where the record does not, and reads it from a console sign-in', () => {
    expect(resolveActor({ userIdentity: { type: 'Root' } })).toEqual({ kind: 'root' });
    expect(resolveActor({ userIdentity: { type: 'Root' }, additionalEventData: { MFAUsed: 'No' } })).toEqual({
      kind: 'root',
      hasMfa: false,
    });
    expect(resolveActor({ userIdentity: { type: 'Root' }, additionalEventData: { MFAUsed: 'Yes' } })).toEqual({
      kind: 'root',
      hasMfa: true,
    });
  });
});

describe('the action', () => {
  const TOPIC = { type: 'AWS::SNS::Topic', ARN: 'arn:aws:sns:us-east-1:111111111111:t' };
  const KEY = { type: 'AWS::KMS::Key', ARN: 'arn:aws:kms:us-east-1:111111111111:key/k-1' };

  const action = (record: object) =>
    /alice(?:, with MFA,)? (.*?) at 2025/.exec(sentence({ userIdentity: { type: 'IAMUser', userName: 'alice' }, ...record }))?.[1];

  test.each([
    [
      {
        eventSource: 'iam.amazonaws.com',
        eventName: 'CreateAccessKey',
        requestParameters: { userName: 'bob' },
        responseElements: { accessKey: { accessKeyId: 'AKIA1', userName: 'bob' } },
      },
      'created access key AKIA1 of user bob',
    ],
    [
      {
        eventSource: 'iam.amazonaws.com',
        eventName: 'AttachRolePolicy',
        requestParameters: { roleName: 'r', policyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' },
      },
      'attached role policy AdministratorAccess to role r',
    ],
    [
      {
        eventSource: 'iam.amazonaws.com',
        eventName: 'DetachUserPolicy',
        requestParameters: { userName: 'u', policyArn: 'arn:aws:iam::aws:policy/ReadOnly' },
      },
      'detached user policy ReadOnly from user u',
    ],
    [
      { eventSource: 's3.amazonaws.com', eventName: 'PutBucketPolicy', requestParameters: { bucketName: 'b' } },
      'set bucket policy on bucket b',
    ],
    [
      { eventSource: 's3.amazonaws.com', eventName: 'GetObject', requestParameters: { bucketName: 'b', key: 'k/x.csv' } },
      'read object k/x.csv of bucket b',
    ],
    [
      {
        eventSource: 'ec2.amazonaws.com',
        eventName: 'TerminateInstances',
        requestParameters: { instancesSet: { items: [1, 2, 3, 4, 5].map((n) => ({ instanceId: `i-${n}` })) } },
      },
      'terminated instances i-1, i-2, i-3 and 2 more',
    ],
    [
      { eventSource: 'ec2.amazonaws.com', eventName: 'AuthorizeSecurityGroupIngress', requestParameters: { groupId: 'sg-1' } },
      'authorized security group ingress on security group sg-1',
    ],
    [
      {
        eventSource: 'cloudtrail.amazonaws.com',
        eventName: 'StopLogging',
        requestParameters: { name: 'arn:aws:cloudtrail:us-east-1:111111111111:trail/main' },
      },
      'stopped logging of trail main',
    ],
    [{ eventSource: 'kms.amazonaws.com', eventName: 'Decrypt', resources: [KEY] }, 'decrypted with key k-1'],
    [
      { eventSource: 'lambda.amazonaws.com', eventName: 'UpdateFunctionCode20150331v2', requestParameters: { functionName: 'orders' } },
      'updated function code of function orders',
    ],
    [
      { eventSource: 'rds.amazonaws.com', eventName: 'DeleteDBInstance', requestParameters: { dBInstanceIdentifier: 'db-1' } },
      'deleted DB instance db-1',
    ],
    [
      {
        eventSource: 'sts.amazonaws.com',
        eventName: 'AssumeRole',
        requestParameters: { roleArn: 'arn:aws:iam::222222222222:role/x/Admin', roleSessionName: 's', sourceIdentity: 'alice' },
      },
      'assumed role Admin as session s for source identity alice',
    ],
    [
      {
        eventSource: 'sts.amazonaws.com',
        eventName: 'AssumeRoleWithSAML',
        requestParameters: { roleArn: 'arn:aws:iam::222222222222:role/Admin' },
      },
      'assumed role Admin with SAML',
    ],
    [{ eventSource: 'sts.amazonaws.com', eventName: 'GetCallerIdentity' }, 'read caller identity'],
    [
      {
        eventSource: 'signin.amazonaws.com',
        eventName: 'ConsoleLogin',
        responseElements: { ConsoleLogin: 'Success' },
        additionalEventData: { MFAUsed: 'Yes' },
      },
      'signed in to the console',
    ],
    [{ eventSource: 'signin.amazonaws.com', eventName: 'CheckMfa', responseElements: { CheckMfa: 'Success' } }, 'passed the MFA check'],
    [{ eventSource: 'signin.amazonaws.com', eventName: 'SwitchRole' }, 'switched role in the console'],
    [{ eventSource: 'kms.amazonaws.com', eventName: 'Decrypt' }, 'called Decrypt of kms.amazonaws.com'],
    [{ eventSource: 'sns.amazonaws.com', eventName: 'Publish' }, 'called Publish of sns.amazonaws.com'],
    [{ eventSource: 'sns.amazonaws.com', eventName: 'Publish', resources: [TOPIC] }, 'published to topic t'],
    [{ eventSource: 'sns.amazonaws.com', eventName: 'Subscribe', resources: [TOPIC] }, 'subscribed to topic t'],
    [{ eventSource: 'kms.amazonaws.com', eventName: 'GenerateDataKey', resources: [KEY] }, 'generated data key with key k-1'],
    [
      { eventSource: 'iam.amazonaws.com', eventName: 'AddUserToGroup', requestParameters: { userName: 'bob', groupName: 'Admin' } },
      'added user bob to group Admin',
    ],
    [{ eventSource: 'iam.amazonaws.com', eventName: 'AddUserToGroup' }, 'added user to group'],
    [
      { eventSource: 'iam.amazonaws.com', eventName: 'ListGroupsForUser', requestParameters: { userName: 'bob' } },
      'listed groups for user bob',
    ],
    [{ eventSource: 'kms.amazonaws.com', eventName: 'TagResource', resources: [KEY] }, 'tagged key k-1'],
    [{ eventSource: 'sns.amazonaws.com', eventName: 'ListTagsForResource', resources: [TOPIC] }, 'listed tags for topic t'],
    [{ eventName: 'PutObject', requestParameters: { bucketName: 'b', key: 'k/x.csv' } }, 'wrote object k/x.csv to bucket b'],
    [{ eventName: 'PutBucketAcl', requestParameters: { bucketName: 'b' } }, 'set bucket ACL on bucket b'],
    [{ eventName: 'GetObject', resources: [{ type: 'AWS::S3::Object', ARN: 'arn:aws:s3:::/' }] }, 'read object arn:aws:s3:::/'],
    // Something would have to follow.
    [{ eventName: 'ListResourcesFor' }, 'called ListResourcesFor of s3.amazonaws.com'],
    [{ eventSource: 'example.amazonaws.com', eventName: 'FrobnicateThings' }, 'called FrobnicateThings of example.amazonaws.com'],
    [{ eventSource: 'kms.amazonaws.com', eventName: 'KeyRotated', eventType: 'AwsServiceEvent' }, 'reported KeyRotated'],
    [{ eventName: '' }, 'did something that the record does not name'],
  ])('%j is told as: %s', (record, expected) => {
    expect(action(record)).toBe(expected);
  });
});

describe('the outcome', () => {
  const outcome = (record: object) => /\(([^()]*)\)$/.exec(sentence(record))?.[1];

  test.each([
    [{}, 'succeeded'],
    [{ errorCode: 'Client.UnauthorizedOperation' }, 'denied: Client.UnauthorizedOperation'],
    [{ errorCode: 'VpceAccessDenied' }, 'denied: VpceAccessDenied'],
    [{ errorCode: 'NoSuchBucket', errorMessage: 'x' }, 'failed: NoSuchBucket'],
    [
      { eventName: 'ConsoleLogin', errorMessage: 'Failed authentication', responseElements: { ConsoleLogin: 'Failure' } },
      'failed: "Failed authentication"',
    ],
    [{ eventName: 'ConsoleLogin', responseElements: { ConsoleLogin: 'Failure' } }, 'failed'],
  ])('of %j is %s', (record, expected) => {
    expect(outcome(record)).toBe(expected);
  });
});

describe('place and client', () => {
  const place = (record: object) => /UTC ?(.*?) ?\(succeeded\)$/.exec(sentence(record))?.[1];

  test.each([
    [{}, 'from 203.0.113.7 with aws-cli/2.15'],
    [{ userAgent: '[aws-cli/1.18.136 Python/3.8.5]' }, 'from 203.0.113.7 with aws-cli/1.18.136'],
    [{ userAgent: 'Mozilla/5.0 (X11; Linux x86_64)' }, 'from 203.0.113.7 with a browser'],
    [{ userAgent: '[S3Console/0.4, aws-internal/3 aws-sdk-java/1.11.1030]' }, 'from 203.0.113.7 with the console'],
    [{ userAgent: 'console.aws.amazon.com' }, 'from 203.0.113.7 with the console'],
    [{ userAgent: 'AWS CloudWatch Console' }, 'from 203.0.113.7 with the console'],
    [{ userAgent: 'console.ec2.amazonaws.com' }, 'from 203.0.113.7 with the console'],
    [{ userAgent: 'APN/1.0 HashiCorp/1.0 Terraform/1.1.2 (+https://www.terraform.io)' }, 'from 203.0.113.7 with Terraform/1.1.2'],
    [{ userAgent: undefined }, 'from 203.0.113.7'],
    [{ userAgent: 'AWS Internal', sourceIPAddress: 'AWS Internal' }, ''],
    [
      { userIdentity: { invokedBy: 'config.amazonaws.com' }, userAgent: 'config.amazonaws.com', sourceIPAddress: 'config.amazonaws.com' },
      '',
    ],
    [{ userAgent: 'x'.repeat(300) }, `from 203.0.113.7 with ${'x'.repeat(200)}…`],
  ])('%j gives: %s', (record, expected) => {
    expect(place(record)).toBe(expected);
  });
});

test('an insight is told as what CloudTrail noticed', () => {
  const insightDetails = {
    state: 'Start',
    eventSource: 'ec2.amazonaws.com',
    eventName: 'RunInstances',
    insightType: 'ApiErrorRateInsight',
    errorCode: 'Client.InstanceLimitExceeded',
  };
  expect(sentence({ eventName: undefined, eventSource: undefined, eventType: 'AwsCloudTrailInsight', insightDetails })).toBe(
    'CloudTrail Insights saw the start of an unusual rate of errors of RunInstances of ec2.amazonaws.com with Client.InstanceLimitExceeded at 2025-09-24 02:11:07 UTC',
  );
});

test('whatever members a record has, its sentence reads as English', () => {
  const text = fc.oneof(fc.constantFrom('', ' ', 'alice', 'arn:aws:iam::111111111111:role/x', 'arn:aws:s3:::/', '\u202e\n'), fc.string());
  const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
  const name = fc
    .tuple(
      fc.constantFrom(...VERB_NAMES),
      fc.array(fc.constantFrom('Bucket', 'Key', 'User', 'To', 'For', 'From', 'Resource', 'Resources', 'Data'), { maxLength: 4 }),
    )
    .map((words) => words.flat().join(''));
  const record = fc.record({
    userIdentity: maybe(
      fc.record({
        type: fc.constantFrom('Root', 'IAMUser', 'AWSAccount', 'AWSService', 'AssumedRole', ''),
        userName: maybe(text),
        invokedBy: maybe(text),
        accountId: maybe(fc.constant('111111111111')),
      }),
    ),
    eventName: fc.oneof(name, text),
    eventSource: maybe(text),
    sourceIPAddress: maybe(text),
    userAgent: maybe(text),
    errorCode: maybe(text),
    errorMessage: maybe(text),
    resources: maybe(
      fc.array(fc.record({ type: maybe(fc.constantFrom('AWS::KMS::Key', 'AWS::S3::Bucket', 'AWS::IAM::User', '')), ARN: text }), {
        maxLength: 5,
      }),
    ),
    requestParameters: maybe(fc.record({ userName: text, bucketName: text, key: text, roleArn: text, roleSessionName: text })),
  });
  fc.assert(
    fc.property(record, (each) => {
      // Words of a record that stand alone may be prepositions themselves.
      fc.pre(!/"(as|at|by|for|from|of|on|through|to|with|without|null|undefined|NaN)"/.test(JSON.stringify(each)));
      expect(sentenceFlaws(sentence(each))).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

describe('untrusted words (A50)', () => {
  test('cannot begin a line, turn the reading direction, or pass as ours', () => {
    const told = sentence({
      userIdentity: { type: 'IAMUser', userName: 'alice\nroot deleted everything' },
      eventName: 'DeleteBucket\u202e',
      requestParameters: { bucketName: 'b (succeeded)' },
      sourceIPAddress: '\u001b[31m',
      userAgent: 'a"b',
      errorCode: 'Denied\u2028',
    });
    expect(told).toBe(
      '"alice\\nroot deleted everything" called "DeleteBucket\\u202e" of s3.amazonaws.com on bucket "b (succeeded)" at 2025-09-24 02:11:07 UTC from "\\u001b[31m" with "a\\"b" (failed: "Denied\\u2028")',
    );
  });

  test('a time out of the calendar, a missing one, and members of any type make a sentence', () => {
    expect(sentence({ eventTime: '1969-12-31T23:59:59Z' })).toContain(' at an impossible time ');
    expect(sentence({ eventTime: null })).toContain(' at a time that the record does not tell ');
    expect(sentence({ userIdentity: [], requestParameters: 'x', responseElements: [1], userAgent: {}, eventName: 'ConsoleLogin' })).toMatch(
      /^an unnamed caller signed in/,
    );
  });
});
