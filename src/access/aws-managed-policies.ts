/**
 * The managed policies of the service that matter here, by their ARNs.
 *
 * Written by us: they grant what their names promise of the services that this server has. Those of the service itself name
 * hundreds of others, and change.
 * Source: AWS Managed Policy Reference (names and purposes).
 */
import type { PolicyDocument } from './identity-documents.ts';

/** When the service first had the oldest of them. */
const CREATED_MS = Date.UTC(2015, 1, 6, 18, 39, 46);

interface Grant {
  readonly sid: string;
  readonly actions: string | readonly string[];
}

const READ_EVERYTHING: Grant = {
  sid: 'ReadOnly',
  actions: [
    'cloudtrail:Describe*',
    'cloudtrail:Get*',
    'cloudtrail:List*',
    'cloudtrail:LookupEvents',
    'iam:Generate*',
    'iam:Get*',
    'iam:List*',
    'iam:Simulate*',
    'kms:Describe*',
    'kms:Get*',
    'kms:List*',
    'logs:Describe*',
    'logs:FilterLogEvents',
    'logs:Get*',
    'organizations:Describe*',
    'organizations:List*',
    's3:Get*',
    's3:List*',
    'snowtrail:Get*',
    'snowtrail:List*',
    'snowtrail:SearchEvents',
    'sns:Check*',
    'sns:Get*',
    'sns:List*',
    'sts:GetAccessKeyInfo',
    'sts:GetCallerIdentity',
    'sts:GetSessionToken',
  ],
};

const READ_CLOUDTRAIL: Grant = {
  sid: 'CloudTrailReadOnly',
  actions: ['cloudtrail:Get*', 'cloudtrail:Describe*', 'cloudtrail:List*', 'cloudtrail:LookupEvents'],
};

const AUDIT: Grant = {
  sid: 'SecurityAudit',
  actions: [
    'cloudtrail:Describe*',
    'cloudtrail:Get*',
    'cloudtrail:List*',
    'cloudtrail:LookupEvents',
    'iam:Generate*',
    'iam:Get*',
    'iam:List*',
    'iam:Simulate*',
    'kms:Describe*',
    'kms:GetKey*',
    'kms:List*',
    'organizations:Describe*',
    'organizations:List*',
    's3:GetAccelerateConfiguration',
    's3:GetBucket*',
    's3:GetEncryptionConfiguration',
    's3:GetLifecycleConfiguration',
    's3:ListAllMyBuckets',
    'sns:GetTopicAttributes',
    'sns:List*',
  ],
};

/** Full access to trails, and to what a trail is set up with. */
const CLOUDTRAIL_FULL: readonly Grant[] = [
  { sid: 'CloudTrail', actions: 'cloudtrail:*' },
  {
    sid: 'Buckets',
    actions: [
      's3:CreateBucket',
      's3:PutBucketPolicy',
      's3:ListAllMyBuckets',
      's3:GetBucketLocation',
      's3:GetBucketPolicy',
      's3:PutBucketPublicAccessBlock',
    ],
  },
  {
    sid: 'Topics',
    actions: ['sns:AddPermission', 'sns:CreateTopic', 'sns:SetTopicAttributes', 'sns:GetTopicAttributes', 'sns:ListTopics'],
  },
  { sid: 'Logs', actions: ['logs:CreateLogGroup', 'logs:DescribeLogGroups'] },
  { sid: 'Roles', actions: ['iam:ListRoles', 'iam:GetRolePolicy', 'iam:GetUser', 'iam:PassRole'] },
  { sid: 'Keys', actions: ['kms:CreateKey', 'kms:CreateAlias', 'kms:ListKeys', 'kms:ListAliases'] },
];

export const AWS_MANAGED_POLICIES: ReadonlyMap<string, PolicyDocument> = new Map(
  [
    managed('AdministratorAccess', 'ANPAIWMBCKSKIEE64ZLYK', [{ sid: 'Everything', actions: '*' }]),
    managed('ReadOnlyAccess', 'ANPAILL3HVNFSB6DCOWYQ', [READ_EVERYTHING]),
    managed('SecurityAudit', 'ANPAIX2T3QCXHR2OGGCTO', [AUDIT]),
    managed('AWSCloudTrail_FullAccess', 'ANPAZKAPJZG4ONUUTYJZP', CLOUDTRAIL_FULL),
    managed('AWSCloudTrail_ReadOnlyAccess', 'ANPAZKAPJZG4MVFE7RZWE', [READ_CLOUDTRAIL]),
  ].map((policy) => [`arn:aws:iam::aws:policy/${policy.name}`, policy]),
);

function managed(name: string, id: string, grants: readonly Grant[]): PolicyDocument {
  const statements = grants.map(({ sid, actions }) => ({ Sid: sid, Effect: 'Allow', Action: actions, Resource: '*' }));
  return {
    account: 'aws',
    name,
    id,
    path: '/',
    createdAtMs: CREATED_MS,
    updatedAtMs: CREATED_MS,
    tags: [],
    versions: [{ id: 'v1', document: JSON.stringify({ Version: '2012-10-17', Statement: statements }), createdAtMs: CREATED_MS }],
    defaultVersionId: 'v1',
    nextVersion: 2,
  };
}
