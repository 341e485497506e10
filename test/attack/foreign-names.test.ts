/**
 * Rows A12 and A13 of the attack matrix for IAM, STS, KMS, SNS, Organizations and S3, against the built server.
 *
 * Every operation of their tables that names something is called by an administrator of another account: about a thing that exists, and
 * about one that does not. Both answers must be the same but for the name. An operation that is new in a table has no place here yet,
 * and fails the first test of its service. The operations of S3 are found by asking which sub-resources it looks for.
 */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IamDeps } from '../../src/access/iam/iam-deps.ts';
import { iamOperations } from '../../src/access/iam/operations.ts';
import type { StsDeps } from '../../src/access/sts/issue-keys.ts';
import { stsOperations } from '../../src/access/sts/operations.ts';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { findOperation } from '../../src/http/s3/find-operation.ts';
import type { S3Call } from '../../src/http/s3/s3-call.ts';
import type { KmsDeps } from '../../src/kms/kms-deps.ts';
import { kmsOperations } from '../../src/kms/operations.ts';
import type { OrganizationsDeps } from '../../src/organizations/operation-kinds.ts';
import { organizationsOperations } from '../../src/organizations/operations.ts';
import { snsOperations } from '../../src/sns/operations.ts';
import type { SnsDeps } from '../../src/sns/sns-deps.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { putTrailBucket } from '../support/trail-bucket.ts';

const ADMINISTRATOR = '111111111111';
const VICTIM = '222222222222';
const STRANGER = '333333333333';
/** Account of the victim's organization, and one of the stranger's. */
const MEMBER = '444444444444';
const OWN_MEMBER = '555555555555';
/** It was invited by the victim. */
const GUEST = '666666666666';
const REGION = 'us-east-1';
/** In whatever of the victim's has a text: no answer to the stranger may hold it. */
const SECRET = 'victims-own-words';

const BUCKET = 'victims-bucket';
const OWN_BUCKET = 'strangers-bucket';

type Service = 'iam' | 'sts' | 'kms' | 'sns' | 'organizations';
type Input = Readonly<Record<string, unknown>>;
interface Answer {
  readonly status: number;
  readonly text: string;
}

let server: StartedServer;
let victim: Client;
let stranger: Client;
/** Id of an upload that the victim has begun, of the object `there`. */
let upload: string;
/** What the victim has, and what it would be called if it were not there: as long as each other. */
const things = new Map<string, readonly [theirs: string, nothing: string]>();
/** What the stranger has. */
const own = new Map<string, string>();

function target(service: 'kms' | 'organizations', operation: string): string {
  return `${service === 'kms' ? 'TrentService' : 'AWSOrganizationsV20161128'}.${operation}`;
}

const VERSIONS = { iam: '2010-05-08', sts: '2011-06-15', sns: '2010-03-31' } as const;

async function call(client: Client, service: Service, operation: string, input: Input = {}): Promise<Answer> {
  const isQuery = service !== 'kms' && service !== 'organizations';
  const form = () => new URLSearchParams({ Action: operation, Version: VERSIONS[service as 'iam'], ...(input as Record<string, string>) });
  const headers: Readonly<Record<string, string>> = isQuery
    ? { 'content-type': 'application/x-www-form-urlencoded' }
    : { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target(service, operation) };
  const { status, body } = await client.send(service, 'POST', '/', {
    headers,
    body: new TextEncoder().encode(isQuery ? form().toString() : JSON.stringify(input)),
    region: REGION,
  });
  return { status, text: new TextDecoder().decode(body).replace(/<RequestId>[^<]*<\/RequestId>/, '') };
}

async function made(client: Client, service: Service, operation: string, input: Input = {}): Promise<string> {
  const { status, text } = await call(client, service, operation, input);
  if (status !== 200) throw new Error(`${operation} was answered with ${status}: ${text}`);
  return text;
}

/** The text of the first element or member of this name. */
function pick(text: string, name: string): string {
  const found = new RegExp(`<${name}>([^<]*)<|"${name}":"([^"]*)"`).exec(text);
  if (found === null) throw new Error(`no ${name} in ${text}`);
  return (found[1] ?? found[2])!;
}

/** The name with another end, of the same form. */
function altered(name: string): string {
  return name.replace(/.{4}$/, (end) => (end === '2222' ? '3333' : '2222'));
}

async function clientOf(account: string): Promise<Client> {
  return new Client({ ...(await findServer({ dataDir: server.dataDir, account })), region: REGION });
}

const TRUST = (account: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: account }, Action: 'sts:AssumeRole' }],
  });
const ALL = JSON.stringify({ Version: '2012-10-17', Statement: [{ Sid: 'all', Effect: 'Allow', Action: '*', Resource: '*' }] });

/** Users, groups, roles, policies, devices, providers, keys and topics that are called `name-…`. */
async function furnish(client: Client, account: string, name: string): Promise<ReadonlyMap<string, string>> {
  const iam = (operation: string, input: Input) => made(client, 'iam', operation, input);
  const [UserName, GroupName, RoleName] = [`${name}-user`, `${name}-group`, `${name}-role`];
  await iam('CreateUser', { UserName, 'Tags.member.1.Key': 'Words', 'Tags.member.1.Value': SECRET });
  await iam('CreateGroup', { GroupName });
  await iam('CreateRole', { RoleName, AssumeRolePolicyDocument: TRUST(account), Description: SECRET });
  const policy = pick(await iam('CreatePolicy', { PolicyName: `${name}-policy`, PolicyDocument: ALL, Description: SECRET }), 'Arn');
  for (const [operation, of] of [
    ['User', { UserName }],
    ['Group', { GroupName }],
    ['Role', { RoleName }],
  ] as const) {
    await iam(`Put${operation}Policy`, { ...of, PolicyName: 'inline', PolicyDocument: ALL });
    await iam(`Attach${operation}Policy`, { ...of, PolicyArn: policy });
  }
  await iam('AddUserToGroup', { UserName, GroupName });
  const device = pick(await iam('CreateVirtualMFADevice', { VirtualMFADeviceName: `${name}-device` }), 'SerialNumber');
  const provider = pick(
    await iam('CreateOpenIDConnectProvider', { Url: `https://${name}.example`, 'ClientIDList.member.1': 'client' }),
    'OpenIDConnectProviderArn',
  );
  const accessKey = pick(await iam('CreateAccessKey', { UserName }), 'AccessKeyId');
  const kms = (operation: string, input: Input = {}) => made(client, 'kms', operation, input);
  const keyText = await kms('CreateKey', { Description: SECRET });
  const [key, keyId] = [pick(keyText, 'Arn'), pick(keyText, 'KeyId')];
  const signer = pick(await kms('CreateKey', { KeyUsage: 'SIGN_VERIFY', KeySpec: 'ECC_NIST_P256' }), 'Arn');
  await kms('CreateAlias', { AliasName: `alias/${name}`, TargetKeyId: keyId });
  const blob = pick(await kms('Encrypt', { KeyId: key, Plaintext: Buffer.from(SECRET).toString('base64') }), 'CiphertextBlob');
  const message = Buffer.from('message').toString('base64');
  const signature = pick(await kms('Sign', { KeyId: signer, Message: message, SigningAlgorithm: 'ECDSA_SHA_256' }), 'Signature');
  const topic = pick(
    await made(client, 'sns', 'CreateTopic', {
      Name: `${name}-topic`,
      'Attributes.entry.1.key': 'DisplayName',
      'Attributes.entry.1.value': SECRET,
    }),
    'TopicArn',
  );
  const subscription = pick(
    await made(client, 'sns', 'Subscribe', {
      ...{ TopicArn: topic, Protocol: 'https', Endpoint: `https://${name}.example/${SECRET}`, ReturnSubscriptionArn: 'true' },
    }),
    'SubscriptionArn',
  );
  const role = `arn:aws:iam::${account}:role/${RoleName}`;
  const alias = `arn:aws:kms:${REGION}:${account}:alias/${name}`;
  return new Map(
    Object.entries({
      ...{ user: UserName, group: GroupName, roleName: RoleName, role, policy, device, provider, accessKey },
      ...{ key, keyId, signer, alias, blob, signature, topic, subscription },
    }),
  );
}

beforeAll(async () => {
  server = await startServer({ flags: ['--account-id', ADMINISTRATOR] });
  const administrator = await clientOf(ADMINISTRATOR);
  for (const account of [VICTIM, STRANGER, MEMBER, OWN_MEMBER, GUEST]) await administrator.call('CreateAccount', { Account: account });
  victim = await clientOf(VICTIM);
  const root = await clientOf(STRANGER);
  const theirs = await furnish(victim, VICTIM, 'there-it-is');
  for (const [name, value] of theirs) things.set(name, [value, altered(value)]);
  // A blob says which key it was made with, so that one of a key that is not there is made by hand.
  const blob = Buffer.from(theirs.get('blob')!, 'base64');
  blob.set(Buffer.from(altered(theirs.get('keyId')!).replaceAll('-', ''), 'hex'), 13);
  things.set('blob', [theirs.get('blob')!, blob.toString('base64')]);
  for (const [name, value] of await furnish(root, STRANGER, 'own')) own.set(name, value);

  // The victim and the stranger manage an organization each.
  for (const [manager, member, keep] of [
    [VICTIM, MEMBER, (name: string, value: string) => void things.set(name, [value, altered(value)])],
    [STRANGER, OWN_MEMBER, (name: string, value: string) => void own.set(name, value)],
  ] as const) {
    const manage = await clientOf(manager);
    const organizations = (operation: string, input: Input = {}) => made(manage, 'organizations', operation, input);
    await organizations('CreateOrganization');
    const rootId = pick(await organizations('ListRoots'), 'Id');
    await organizations('EnablePolicyType', { RootId: rootId, PolicyType: 'SERVICE_CONTROL_POLICY' });
    await organizations('EnableAWSServiceAccess', { ServicePrincipal: 'cloudtrail.amazonaws.com' });
    const unit = pick(await organizations('CreateOrganizationalUnit', { ParentId: rootId, Name: SECRET }), 'Id');
    const control = { Name: SECRET, Description: SECRET, Content: ALL, Type: 'SERVICE_CONTROL_POLICY' };
    const controlPolicy = pick(await organizations('CreatePolicy', control), 'Id');
    await organizations('AttachPolicy', { PolicyId: controlPolicy, TargetId: unit });
    const invited = await organizations('InviteAccountToOrganization', { Target: { Type: 'ACCOUNT', Id: member } });
    await made(await clientOf(member), 'organizations', 'AcceptHandshake', { HandshakeId: pick(invited, 'Id') });
    await organizations('RegisterDelegatedAdministrator', { AccountId: member, ServicePrincipal: 'cloudtrail.amazonaws.com' });
    const open = await organizations('InviteAccountToOrganization', { Target: { Type: 'ACCOUNT', Id: GUEST }, Notes: SECRET });
    for (const [name, value] of Object.entries({ member, rootId, unit, controlPolicy, handshake: pick(open, 'Id') })) keep(name, value);
  }

  await putTrailBucket(victim, BUCKET, VICTIM);
  await victim.send('s3', 'PUT', `/${BUCKET}/there`, { body: new TextEncoder().encode(SECRET) });
  upload = pick(new TextDecoder().decode((await victim.send('s3', 'POST', `/${BUCKET}/there?uploads=`)).body), 'UploadId');
  await root.send('s3', 'PUT', `/${OWN_BUCKET}`);

  // All that a policy of its own can give: what others have is not among it.
  await made(root, 'iam', 'CreateUser', { UserName: 'stranger' });
  await made(root, 'iam', 'AttachUserPolicy', { UserName: 'stranger', PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' });
  const key = await made(root, 'iam', 'CreateAccessKey', { UserName: 'stranger' });
  stranger = new Client({ ...root.access, accessKeyId: pick(key, 'AccessKeyId'), secretAccessKey: pick(key, 'SecretAccessKey') });
}, 120_000);

afterAll(async () => {
  await server.stop();
  await rm(server.dataDir, { recursive: true, force: true });
});

/** Names a thing of the victim; `own` names one of the stranger. */
type Their = (thing: string) => string;
/** How an operation is asked about a thing, in every way; or why there is no such way. */
type Probe = readonly ((their: Their) => Input)[] | string;

const OWN: Their = (thing) => own.get(thing)!;
const OWN_LIST = 'lists what the caller has';
const OWN_NAME = 'makes something of the caller, under any name';

const ofUser = (more: Input = {}): Probe => [(their) => ({ UserName: their('user'), ...more })];
const ofGroup = (more: Input = {}): Probe => [(their) => ({ GroupName: their('group'), ...more })];
const ofRole = (more: Input = {}): Probe => [(their) => ({ RoleName: their('roleName'), ...more })];
const ofPolicy = (more: Input = {}): Probe => [(their) => ({ PolicyArn: their('policy'), ...more })];
const ofKey = (more: Input = {}) => [
  (their: Their) => ({ KeyId: their('key'), ...more }),
  (their: Their) => ({ KeyId: their('keyId'), ...more }),
];
/** Who uses a key may name it by an alias as well. */
const ofUsedKey = (more: Input = {}): Probe => [...ofKey(more), (their) => ({ KeyId: their('alias'), ...more })];
const inline = { PolicyName: 'inline' };
const document = { PolicyDocument: ALL };
const tag = { 'Tags.member.1.Key': 'Team', 'Tags.member.1.Value': 'Snow' };
const tagKey = { 'TagKeys.member.1': 'Words' };
const message = { Message: Buffer.from('message').toString('base64'), SigningAlgorithm: 'ECDSA_SHA_256' };

/** Operations that there are for users, groups and roles. */
function ofEach(member: string, thing: string): Record<string, Probe> {
  const kind = member.slice(0, -4);
  const of = (more: Input = {}): Probe => [(their) => ({ [member]: their(thing), ...more })];
  const withPolicy: Probe = [
    (their) => ({ [member]: OWN(thing), PolicyArn: their('policy') }),
    (their) => ({ [member]: their(thing), PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }),
  ];
  return {
    [`Put${kind}Policy`]: of({ ...inline, ...document }),
    [`Get${kind}Policy`]: of(inline),
    [`List${kind}Policies`]: of(),
    [`Delete${kind}Policy`]: of(inline),
    [`Attach${kind}Policy`]: withPolicy,
    [`Detach${kind}Policy`]: withPolicy,
    [`ListAttached${kind}Policies`]: of(),
  };
}

function ofUsersAndRoles(member: string, thing: string): Record<string, Probe> {
  const kind = member.slice(0, -4);
  const of = (more: Input = {}): Probe => [(their) => ({ [member]: their(thing), ...more })];
  return {
    [`Put${kind}PermissionsBoundary`]: [(their) => ({ [member]: OWN(thing), PermissionsBoundary: their('policy') })],
    [`Delete${kind}PermissionsBoundary`]: of(),
    [`Tag${kind}`]: of(tag),
    [`Untag${kind}`]: of(tagKey),
    [`List${kind}Tags`]: of(),
  };
}

const PROBES: Readonly<Record<Service, Readonly<Record<string, Probe>>>> = {
  iam: {
    ...ofEach('UserName', 'user'),
    ...ofEach('GroupName', 'group'),
    ...ofEach('RoleName', 'roleName'),
    ...ofUsersAndRoles('UserName', 'user'),
    ...ofUsersAndRoles('RoleName', 'roleName'),
    CreateUser: [(their) => ({ UserName: 'new-user', PermissionsBoundary: their('policy') })],
    GetUser: ofUser(),
    ListUsers: OWN_LIST,
    UpdateUser: ofUser({ NewUserName: 'taken-over' }),
    DeleteUser: ofUser(),
    CreateGroup: OWN_NAME,
    GetGroup: ofGroup(),
    ListGroups: OWN_LIST,
    UpdateGroup: ofGroup({ NewGroupName: 'taken-over' }),
    DeleteGroup: ofGroup(),
    AddUserToGroup: [
      (their) => ({ UserName: their('user'), GroupName: OWN('group') }),
      (their) => ({ UserName: OWN('user'), GroupName: their('group') }),
    ],
    RemoveUserFromGroup: [
      (their) => ({ UserName: their('user'), GroupName: OWN('group') }),
      (their) => ({ UserName: OWN('user'), GroupName: their('group') }),
    ],
    ListGroupsForUser: ofUser(),
    CreateRole: [(their) => ({ RoleName: 'new-role', AssumeRolePolicyDocument: TRUST(STRANGER), PermissionsBoundary: their('policy') })],
    GetRole: ofRole(),
    ListRoles: OWN_LIST,
    ListInstanceProfilesForRole: ofRole(),
    UpdateRole: ofRole({ Description: 'taken over' }),
    UpdateAssumeRolePolicy: ofRole({ PolicyDocument: TRUST(STRANGER) }),
    DeleteRole: ofRole(),
    CreatePolicy: OWN_NAME,
    GetPolicy: ofPolicy(),
    ListPolicies: OWN_LIST,
    DeletePolicy: ofPolicy(),
    ListEntitiesForPolicy: ofPolicy(),
    CreatePolicyVersion: ofPolicy(document),
    GetPolicyVersion: ofPolicy({ VersionId: 'v1' }),
    ListPolicyVersions: ofPolicy(),
    DeletePolicyVersion: ofPolicy({ VersionId: 'v1' }),
    SetDefaultPolicyVersion: ofPolicy({ VersionId: 'v1' }),
    CreateAccessKey: ofUser(),
    ListAccessKeys: ofUser(),
    UpdateAccessKey: [
      (their) => ({ UserName: their('user'), AccessKeyId: their('accessKey'), Status: 'Inactive' }),
      (their) => ({ UserName: OWN('user'), AccessKeyId: their('accessKey'), Status: 'Inactive' }),
    ],
    DeleteAccessKey: [
      (their) => ({ UserName: their('user'), AccessKeyId: their('accessKey') }),
      (their) => ({ UserName: OWN('user'), AccessKeyId: their('accessKey') }),
    ],
    GetAccessKeyLastUsed: [(their) => ({ AccessKeyId: their('accessKey') })],
    CreateVirtualMFADevice: OWN_NAME,
    EnableMFADevice: [
      (their) => ({ UserName: OWN('user'), SerialNumber: their('device'), AuthenticationCode1: '123456', AuthenticationCode2: '654321' }),
    ],
    DeactivateMFADevice: [(their) => ({ UserName: OWN('user'), SerialNumber: their('device') })],
    DeleteVirtualMFADevice: [(their) => ({ SerialNumber: their('device') })],
    ListMFADevices: ofUser(),
    ListVirtualMFADevices: OWN_LIST,
    CreateOpenIDConnectProvider: OWN_NAME,
    GetOpenIDConnectProvider: [(their) => ({ OpenIDConnectProviderArn: their('provider') })],
    ListOpenIDConnectProviders: OWN_LIST,
    DeleteOpenIDConnectProvider: [(their) => ({ OpenIDConnectProviderArn: their('provider') })],
    GetAccountSummary: OWN_LIST,
  },
  sts: {
    GetCallerIdentity: 'says who calls',
    AssumeRole: [
      (their) => ({ RoleArn: their('role'), RoleSessionName: 'session' }),
      (their) => ({ RoleArn: OWN('role'), RoleSessionName: 'session', 'PolicyArns.member.1.arn': their('policy') }),
      (their) => ({ RoleArn: OWN('role'), RoleSessionName: 'session', SerialNumber: their('device'), TokenCode: '123456' }),
    ],
    AssumeRoleWithWebIdentity: [(their) => ({ RoleArn: their('role'), RoleSessionName: 'session', WebIdentityToken: 'e30.e30.e30' })],
    GetSessionToken: [(their) => ({ SerialNumber: their('device'), TokenCode: '123456' })],
  },
  kms: {
    CreateKey: OWN_NAME,
    DescribeKey: ofUsedKey(),
    ListKeys: OWN_LIST,
    UpdateKeyDescription: ofKey({ Description: 'taken over' }),
    CreateAlias: [
      (their) => ({ AliasName: 'alias/new', TargetKeyId: their('key') }),
      (their) => ({ AliasName: 'alias/new', TargetKeyId: their('keyId') }),
    ],
    UpdateAlias: [
      (their) => ({ AliasName: 'alias/own', TargetKeyId: their('key') }),
      (their) => ({ AliasName: their('alias').replace(/^.*:/, ''), TargetKeyId: OWN('key') }),
    ],
    DeleteAlias: [(their) => ({ AliasName: their('alias').replace(/^.*:/, '') })],
    ListAliases: ofKey(),
    GetKeyPolicy: ofKey(),
    PutKeyPolicy: ofKey({ Policy: ALL }),
    ListKeyPolicies: ofKey(),
    Encrypt: ofUsedKey({ Plaintext: 'AAAA' }),
    Decrypt: [(their) => ({ CiphertextBlob: their('blob') }), (their) => ({ CiphertextBlob: their('blob'), KeyId: OWN('key') })],
    ReEncrypt: [
      (their) => ({ CiphertextBlob: their('blob'), DestinationKeyId: OWN('key') }),
      (their) => ({ CiphertextBlob: OWN('blob'), DestinationKeyId: their('key') }),
    ],
    GenerateDataKey: ofUsedKey({ KeySpec: 'AES_256' }),
    GenerateDataKeyWithoutPlaintext: ofUsedKey({ KeySpec: 'AES_256' }),
    GenerateDataKeyPair: ofUsedKey({ KeyPairSpec: 'ECC_NIST_P256' }),
    GenerateDataKeyPairWithoutPlaintext: ofUsedKey({ KeyPairSpec: 'ECC_NIST_P256' }),
    GenerateRandom: 'names nothing',
    EnableKey: ofKey(),
    DisableKey: ofKey(),
    ScheduleKeyDeletion: ofKey(),
    CancelKeyDeletion: ofKey(),
    GetKeyRotationStatus: ofKey(),
    EnableKeyRotation: ofKey(),
    DisableKeyRotation: ofKey(),
    RotateKeyOnDemand: ofKey(),
    ListKeyRotations: ofKey(),
    GetPublicKey: [(their) => ({ KeyId: their('signer') })],
    Sign: [(their) => ({ KeyId: their('signer'), ...message })],
    Verify: [(their) => ({ KeyId: their('signer'), Signature: OWN('signature'), ...message })],
    TagResource: ofKey({ Tags: [{ TagKey: 'Team', TagValue: 'Snow' }] }),
    UntagResource: ofKey({ TagKeys: ['Team'] }),
    ListResourceTags: ofKey(),
  },
  sns: {
    CreateTopic: OWN_NAME,
    DeleteTopic: [(their) => ({ TopicArn: their('topic') })],
    ListTopics: OWN_LIST,
    GetTopicAttributes: [(their) => ({ TopicArn: their('topic') })],
    SetTopicAttributes: [(their) => ({ TopicArn: their('topic'), AttributeName: 'DisplayName', AttributeValue: 'taken over' })],
    Subscribe: [(their) => ({ TopicArn: their('topic'), Protocol: 'https', Endpoint: 'https://stranger.example/' })],
    ConfirmSubscription: [(their) => ({ TopicArn: their('topic'), Token: 'a'.repeat(96) })],
    Unsubscribe: [(their) => ({ SubscriptionArn: their('subscription') })],
    ListSubscriptions: OWN_LIST,
    ListSubscriptionsByTopic: [(their) => ({ TopicArn: their('topic') })],
    GetSubscriptionAttributes: [(their) => ({ SubscriptionArn: their('subscription') })],
    SetSubscriptionAttributes: [
      (their) => ({ SubscriptionArn: their('subscription'), AttributeName: 'RawMessageDelivery', AttributeValue: 'true' }),
    ],
    Publish: [
      (their) => ({ TopicArn: their('topic'), Message: 'planted' }),
      (their) => ({ TargetArn: their('topic'), Message: 'planted' }),
    ],
    TagResource: [(their) => ({ ResourceArn: their('topic'), ...tag })],
    UntagResource: [(their) => ({ ResourceArn: their('topic'), 'TagKeys.member.1': 'Team' })],
    ListTagsForResource: [(their) => ({ ResourceArn: their('topic') })],
  },
  organizations: {
    CreateOrganization: OWN_NAME,
    DescribeOrganization: OWN_LIST,
    DeleteOrganization: 'is about the organization of the caller',
    ListRoots: OWN_LIST,
    ListAccounts: OWN_LIST,
    DescribeAccount: [(their) => ({ AccountId: their('member') })],
    CreateAccount: 'is for the administrators of the installation alone',
    DescribeCreateAccountStatus: 'is about requests, which the administrators of the installation make alone',
    ListCreateAccountStatus: OWN_LIST,
    RemoveAccountFromOrganization: [(their) => ({ AccountId: their('member') })],
    LeaveOrganization: 'is about the organization of the caller',
    InviteAccountToOrganization: [(their) => ({ Target: { Type: 'ACCOUNT', Id: their('member') } })],
    AcceptHandshake: [(their) => ({ HandshakeId: their('handshake') })],
    DeclineHandshake: [(their) => ({ HandshakeId: their('handshake') })],
    CancelHandshake: [(their) => ({ HandshakeId: their('handshake') })],
    DescribeHandshake: [(their) => ({ HandshakeId: their('handshake') })],
    ListHandshakesForAccount: OWN_LIST,
    ListHandshakesForOrganization: OWN_LIST,
    CreateOrganizationalUnit: [
      (their) => ({ ParentId: their('unit'), Name: 'new' }),
      (their) => ({ ParentId: their('rootId'), Name: 'new' }),
    ],
    DescribeOrganizationalUnit: [(their) => ({ OrganizationalUnitId: their('unit') })],
    UpdateOrganizationalUnit: [(their) => ({ OrganizationalUnitId: their('unit'), Name: 'taken over' })],
    DeleteOrganizationalUnit: [(their) => ({ OrganizationalUnitId: their('unit') })],
    MoveAccount: [
      (their) => ({ AccountId: their('member'), SourceParentId: OWN('rootId'), DestinationParentId: OWN('unit') }),
      (their) => ({ AccountId: OWN('member'), SourceParentId: their('rootId'), DestinationParentId: OWN('unit') }),
      (their) => ({ AccountId: OWN('member'), SourceParentId: OWN('rootId'), DestinationParentId: their('unit') }),
    ],
    ListOrganizationalUnitsForParent: [(their) => ({ ParentId: their('rootId') }), (their) => ({ ParentId: their('unit') })],
    ListAccountsForParent: [(their) => ({ ParentId: their('rootId') }), (their) => ({ ParentId: their('unit') })],
    ListParents: [(their) => ({ ChildId: their('member') }), (their) => ({ ChildId: their('unit') })],
    ListChildren: [(their) => ({ ParentId: their('rootId'), ChildType: 'ACCOUNT' })],
    EnableAWSServiceAccess: 'names a service, which belongs to nobody',
    DisableAWSServiceAccess: 'names a service, which belongs to nobody',
    ListAWSServiceAccessForOrganization: OWN_LIST,
    RegisterDelegatedAdministrator: [(their) => ({ AccountId: their('member'), ServicePrincipal: 'cloudtrail.amazonaws.com' })],
    DeregisterDelegatedAdministrator: [(their) => ({ AccountId: their('member'), ServicePrincipal: 'cloudtrail.amazonaws.com' })],
    ListDelegatedAdministrators: OWN_LIST,
    ListDelegatedServicesForAccount: [(their) => ({ AccountId: their('member') })],
    CreatePolicy: OWN_NAME,
    UpdatePolicy: [(their) => ({ PolicyId: their('controlPolicy'), Description: 'taken over' })],
    DescribePolicy: [(their) => ({ PolicyId: their('controlPolicy') })],
    DeletePolicy: [(their) => ({ PolicyId: their('controlPolicy') })],
    ListPolicies: OWN_LIST,
    AttachPolicy: [
      (their) => ({ PolicyId: their('controlPolicy'), TargetId: OWN('unit') }),
      (their) => ({ PolicyId: OWN('controlPolicy'), TargetId: their('unit') }),
      (their) => ({ PolicyId: OWN('controlPolicy'), TargetId: their('member') }),
    ],
    DetachPolicy: [
      (their) => ({ PolicyId: their('controlPolicy'), TargetId: OWN('unit') }),
      (their) => ({ PolicyId: OWN('controlPolicy'), TargetId: their('unit') }),
    ],
    ListPoliciesForTarget: [(their) => ({ TargetId: their('unit'), Filter: 'SERVICE_CONTROL_POLICY' })],
    ListTargetsForPolicy: [(their) => ({ PolicyId: their('controlPolicy') })],
    EnablePolicyType: [(their) => ({ RootId: their('rootId'), PolicyType: 'SERVICE_CONTROL_POLICY' })],
    DisablePolicyType: [(their) => ({ RootId: their('rootId'), PolicyType: 'SERVICE_CONTROL_POLICY' })],
    TagResource: ['rootId', 'unit', 'controlPolicy', 'member'].map((thing) => (their) => ({
      ResourceId: their(thing),
      Tags: [{ Key: 'Team', Value: 'planted' }],
    })),
    UntagResource: ['rootId', 'unit', 'controlPolicy', 'member'].map((thing) => (their) => ({
      ResourceId: their(thing),
      TagKeys: ['Team'],
    })),
    ListTagsForResource: ['rootId', 'unit', 'controlPolicy', 'member'].map((thing) => (their) => ({ ResourceId: their(thing) })),
  },
};

/** For their names alone: nothing is carried out, so what the operations work with is left out. */
const TABLES: Readonly<Record<Service, readonly { readonly name: string; readonly isReadOnly: boolean }[]>> = {
  iam: iamOperations({} as IamDeps),
  sts: stsOperations({} as StsDeps),
  kms: kmsOperations({} as KmsDeps),
  sns: snsOperations({} as SnsDeps),
  organizations: organizationsOperations({} as OrganizationsDeps).organizations,
};
const SERVICES = Object.keys(TABLES) as readonly Service[];

/** The calls of an operation about a thing that exists, or about one that does not. */
function calls(service: Service, operation: string, which: 0 | 1): readonly Input[] {
  const probe = PROBES[service][operation]!;
  return typeof probe === 'string' ? [] : probe.map((input) => input((thing) => things.get(thing)![which]));
}

/** The answer without the names that were asked for, and what is another in every answer. */
function nameless({ status, text: whole }: Answer): Answer {
  const text = whole.replace(/\bh-[0-9a-z]{32}/g, 'HANDSHAKE').replace(/\b\d{10}\.\d+/g, 'TIME');
  const names = [...things.values()].flat().sort((one, other) => other.length - one.length);
  return { status, text: names.reduce((rest, name) => rest.replaceAll(name, 'NAME').replaceAll(name.replace(/^.*:/, ''), 'NAME'), text) };
}

/** What the victim sees of all that it has. */
async function victimsView(): Promise<ReadonlyMap<string, string>> {
  const seen = new Map<string, string>();
  for (const service of SERVICES.filter((each) => each !== 'sts'))
    for (const { name } of TABLES[service].filter((each) => each.isReadOnly && /^(?:Describe|Get|List)/.test(each.name)))
      for (const [index, input] of calls(service, name, 0).entries()) {
        const { status, text: whole } = await call(victim, service, name, input);
        // What became of the request to confirm is known only when nobody was found there: it comes with time, not by what is asked.
        const text = whole.replace(/<entry><key>(?:Latest|Messages)\w+<\/key><value>[^<]*<\/value><\/entry>/g, '');
        seen.set(`${service} ${name} ${index}`, status === 200 ? text : `${status} ${text}`);
      }
  return seen;
}

/** What a call is refused with that did not come as far as the thing. */
const UNREAD = /Validation|Malformed|Serialization|MissingParameter|InvalidInput|InvalidParameter|Unsupported|Throttl/;
/** Refused so for the thing itself: a session policy that is not there, a token that nobody was sent. */
const READ = new Set(['sts AssumeRole 1', 'sns ConfirmSubscription 0']);
/** It invites an account, there or not, which is free to accept. */
const LET_THROUGH = new Set(['organizations InviteAccountToOrganization 0']);

describe('A12: what belongs to another account looks as if it were not there', () => {
  test.each(SERVICES)('each operation of %s says here how it names something, or why it does not', (service) => {
    const names = TABLES[service].map(({ name }) => name);
    expect(Object.keys(PROBES[service]).sort()).toEqual(names.toSorted());
  });

  test('to every operation that names something, and nothing of it is changed or shown', async () => {
    const before = await victimsView();
    // What its owner is shown is there: the questions are the right ones.
    expect([...before].filter(([, text]) => /^\d/.test(text))).toEqual([]);
    const wrong: string[] = [];
    for (const service of SERVICES)
      for (const { name } of TABLES[service]) {
        const nothing = calls(service, name, 1);
        for (const [index, input] of calls(service, name, 0).entries()) {
          const asked = await call(stranger, service, name, input);
          const [theirs, other] = [nameless(asked), nameless(await call(stranger, service, name, nothing[index]!))];
          const question = `${service} ${name} ${index}`;
          const told = `${question}: ${JSON.stringify([theirs, other])}`;
          if (JSON.stringify(theirs) !== JSON.stringify(other)) wrong.push(`unlike: ${told}`);
          if (theirs.status < 400 && !LET_THROUGH.has(question)) wrong.push(`let through: ${told}`);
          if (UNREAD.test(theirs.text) && !READ.has(question)) wrong.push(`not read so far: ${told}`);
          if (asked.text.includes(SECRET)) wrong.push(`shown: ${told}`);
        }
      }
    expect(wrong).toEqual([]);
    expect(await victimsView()).toEqual(before);
  });

  const requests = s3Requests();

  test('to every operation of S3 on a bucket of another account, whether the object, version or upload is there or not', async () => {
    const name = (request: S3Request) => `${request.method} ${request.target}${request.headers === undefined ? '' : ' (copy)'}`;
    const before = await bucketView();
    const wrong: string[] = [];
    for (const request of requests) {
      const [theirs, other] = await Promise.all(['there', 'not-there'].map((key) => s3(request, { bucket: BUCKET, key })));
      const told = `${name(request)}: ${JSON.stringify([theirs, other])}`;
      if (JSON.stringify(theirs) !== JSON.stringify(other)) wrong.push(`unlike: ${told}`);
      // A bucket's name is taken for all, as with the service: whoever makes one of that name is told so.
      const expected = request.eventName === 'CreateBucket' ? [409] : [403, 501];
      if (!expected.includes(theirs!.status)) wrong.push(`let through: ${told}`);
      if (theirs!.text.includes(SECRET) || theirs!.text.includes(VICTIM)) wrong.push(`shown: ${told}`);
    }
    expect(wrong).toEqual([]);
    expect(await bucketView()).toEqual(before);
  });

  test('to copies into the bucket of the stranger', async () => {
    const of = (source: string) =>
      s3({ method: 'PUT', target: '/BUCKET/KEY', headers: { 'x-amz-copy-source': source } }, { bucket: OWN_BUCKET, key: 'k' });
    const theirs = await of(`/${BUCKET}/there`);
    expect(theirs).toEqual(await of(`/${BUCKET}/not-there`));
    expect(theirs).toMatchObject({ status: 403, text: expect.stringContaining('<Code>AccessDenied</Code>') });
  });

  test('and the operations of S3 that are asked are all of them', () => {
    expect(requests.length).toBeGreaterThan(100);
    expect(new Set(requests.map(({ eventName }) => eventName))).toContain('CompleteMultipartUpload');
  });
});

describe('A13: a page token', () => {
  /** An operation that gives one, of each service, with the input for the smallest page and the name of the token. */
  const GIVERS = [
    { service: 'iam', operation: 'ListPolicies', size: { MaxItems: '1' }, token: 'Marker', code: 'ValidationError' },
    { service: 'kms', operation: 'ListKeys', size: { Limit: 1 }, token: 'Marker', code: 'InvalidMarkerException' },
    {
      service: 'organizations',
      operation: 'ListPolicies',
      size: { Filter: 'SERVICE_CONTROL_POLICY', MaxResults: 1 },
      token: 'NextToken',
      code: 'InvalidInputException',
    },
  ] as const;
  /** They have one page alone, and no such member. */
  const UNPAGED = new Set([
    'iam ListOpenIDConnectProviders',
    'kms ListKeyPolicies',
    'organizations ListParents',
    'sns ListTagsForResource',
  ]);

  test.each(GIVERS)(
    'of $service opens the one list that it was given for, to who got it',
    async ({ service, operation, size, token, code }) => {
      const first = await made(victim, service, operation, size);
      const given = pick(first, service === 'kms' ? 'NextMarker' : token);
      expect((await call(victim, service, operation, { ...size, [token]: given })).status).toBe(200);
      expect(await call(stranger, service, operation, { ...size, [token]: given })).toEqual({
        status: 400,
        text: expect.stringContaining(code),
      });
      for (const name of listsOf(service).filter((each) => each !== operation)) {
        const [input = {}] = calls(service, name, 0);
        const answer = await call(victim, service, name, { ...filterOf(name), ...input, [token]: given });
        expect([name, answer]).toEqual([name, { status: 400, text: expect.stringContaining(code) }]);
      }
    },
  );

  test('of SNS that is none of its own is refused by each list', async () => {
    for (const name of listsOf('sns')) {
      const [input = {}] = calls('sns', name, 0);
      const answer = await call(victim, 'sns', name, { ...input, NextToken: 'AAAA' });
      expect([name, answer]).toEqual([name, { status: 400, text: expect.stringContaining('<Code>InvalidParameter</Code>') }]);
    }
  });

  function listsOf(service: Service): readonly string[] {
    return TABLES[service].map(({ name }) => name).filter((name) => name.startsWith('List') && !UNPAGED.has(`${service} ${name}`));
  }

  function filterOf(operation: string): Input {
    return operation === 'ListPolicies' ? { Filter: 'SERVICE_CONTROL_POLICY' } : {};
  }
});

interface S3Request {
  readonly eventName: string;
  readonly method: string;
  /** With `BUCKET` and `KEY` in it. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request for each operation on a bucket or an object: every method with every sub-resource that the server looks for. */
function s3Requests(): readonly S3Request[] {
  const found: S3Request[] = [];
  const looked = new Set<string>();
  const find = (method: string, objectKey: string | undefined, given: string | undefined, isCopy: boolean): string | undefined => {
    const request = { parts: { method } };
    const hasParam = (name: string) => {
      looked.add(name);
      return name === given;
    };
    const asked = { request, bucketName: 'bucket', objectKey, hasParam, rawHeader: () => (isCopy ? '/bucket/key' : undefined) };
    try {
      // Of an `S3Call`, which is made of a whole signed request, no more than this is read to find its operation.
      return findOperation(asked as unknown as S3Call, async () => undefined).eventName;
    } catch {
      return undefined;
    }
  };
  const methods = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'];
  for (const method of methods) for (const key of [undefined, 'KEY']) find(method, key, undefined, false);
  for (const method of methods)
    for (const key of [undefined, 'KEY'])
      for (const parameter of [undefined, ...looked])
        for (const isCopy of [false, true]) {
          const eventName = find(method, key, parameter, isCopy);
          if (eventName === undefined || (isCopy && (method !== 'PUT' || key === undefined))) continue;
          const query = parameter === undefined ? '' : `?${parameter}=${parameter === 'uploadId' ? 'UPLOAD' : ''}`;
          const target = `/BUCKET${key === undefined ? '' : '/KEY'}${query}`;
          found.push({ eventName, method, target, ...(isCopy ? { headers: { 'x-amz-copy-source': '/BUCKET/KEY' } } : {}) });
        }
  return found;
}

interface Place {
  readonly bucket: string;
  readonly key: string;
}

async function s3({ method, target: form, headers }: Omit<S3Request, 'eventName'>, { bucket, key }: Place): Promise<Answer> {
  const place = (text: string) =>
    text
      .replace('BUCKET', bucket)
      .replace('KEY', key)
      .replace('UPLOAD', key === 'there' ? upload : altered(upload));
  const placed = Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, place(value)]));
  const { status, body } = await stranger.send('s3', method, place(form), { headers: placed });
  const text = new TextDecoder().decode(body).replace(/<RequestId>.*<\/HostId>/, '');
  return { status, text: text.replaceAll(/\b(?:not-)?there\b/g, 'KEY') };
}

/** What the victim sees of its bucket. */
async function bucketView(): Promise<readonly string[]> {
  const seen: string[] = [];
  for (const path of ['', '?versions=', '?policy=', '?versioning=', '?tagging=', '?acl=', '?uploads=', '/there', '/there?acl='])
    seen.push(
      `${path} ${new TextDecoder().decode((await victim.send('s3', 'GET', `/${BUCKET}${path}`, {})).body)}`.replace(/<RequestId>.*/, ''),
    );
  return seen;
}
