/**
 * Every change of the configuration is a fact beside its record: each changing operation of each service is carried out once.
 *
 * What no fact is made of is listed with the reason. An operation that is in neither place fails the test.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMINISTRATOR, OWNER } from '../../test/support/intake-rig.ts';
import { WholeServer } from '../../test/support/whole-server.ts';
import { totpCode } from '../access/mfa-device.ts';
import type { Call, Principal } from '../api/operation.ts';
import type { AccountId, JsonObject, Region } from '../event/types.ts';
import type { ChangeView } from '../history/find-changes.ts';
import { MADE_HERE, runOperation } from '../http/dispatch.ts';
import { SETTINGS } from '../http/s3/find-operation.ts';
import { canonicalJson } from '../store/append-configuration.ts';
import type { JournalEntry } from '../store/journal.ts';
import { parametersOf } from './file-calls.ts';

interface Fact {
  readonly resource: string;
  readonly part?: string;
  readonly event: string;
  readonly principal: string;
  readonly requestId: string;
  readonly beforeSha256: string | null;
  readonly afterSha256: string | null;
}

/** Changing operations without a fact, and why. */
const WITHOUT_FACT: Readonly<Record<string, string>> = {
  'sns/Publish': 'tells subscribers something and changes no setting',
  'sns/ConfirmSubscription': 'has one: its token is sent, see src/sns/subscriptions.test.ts',
  'cloudtrail/PutResourcePolicy': 'nothing has a resource policy yet: it is always refused',
  'cloudtrail/DeleteResourcePolicy': 'the same',
  'snowtrail/RotateKey': 'has a fact of its own kind, `key`',
  's3/CopyObject': 'an object is data: its event says what it is made of',
  's3/CreateMultipartUpload': 'data',
  's3/UploadPart': 'data',
  's3/UploadPartCopy': 'data',
  's3/CompleteMultipartUpload': 'data',
  's3/AbortMultipartUpload': 'data',
  's3/PutObject': "data; what protects a new object is in its event, and the bucket's default has a fact",
  's3/DeleteObject': 'data; what is protected is not deleted',
  's3/DeleteObjects': 'data',
  's3/PutObjectAcl': 'takes no ACL but the one that is there',
  's3/PutBucketAcl': 'takes no ACL but the one that is there',
};

const decoder = new TextDecoder();
const factsOf = (entries: readonly JournalEntry[]): readonly Fact[] =>
  entries.filter(({ factKind }) => factKind === 'configuration').map(({ bytes }) => JSON.parse(decoder.decode(bytes)) as Fact);

class Caller {
  readonly whole: WholeServer;
  /** `service/operation` → the facts of its first run. */
  readonly facts = new Map<string, readonly Fact[]>();
  readonly all: Fact[] = [];

  constructor(whole: WholeServer) {
    this.whole = whole;
  }

  // biome-ignore lint/suspicious/noExplicitAny: outputs of any operation.
  async call(operation: string, input: JsonObject = {}, account: AccountId = ADMINISTRATOR, principal?: Principal): Promise<any> {
    const { server, rig } = this.whole;
    const [serviceName, name] = operation.split('/') as [string, string];
    const service = server.ports.services.get(serviceName)!;
    const call = {
      principal: principal ?? server.accounts.rootOf(account, 'AKIATEST'),
      account,
      region: 'eu-central-1' as Region,
      requestId: rig.chance.uuid(),
      sourceIpAddress: '127.0.0.1',
      userAgent: 'test',
      receivedAtMs: rig.clock.nowMs(),
    };
    const named = { name, readInput: () => (service.protocol === 'query' ? parametersOf(input) : input) };
    const { authorize, guard, recordCall, report } = server.ports;
    return this.#noting(operation, () =>
      runOperation({ authorize, guard, recordCall, report }, service, call, named, { body: new Uint8Array(), signed: MADE_HERE }),
    );
  }

  async s3(name: string, ...request: Parameters<WholeServer['s3']>): Promise<string> {
    return this.#noting(`s3/${name}`, async () => {
      const { status, message } = await this.whole.s3(...request);
      expect([name, status < 300, status < 300 ? '' : message]).toEqual([name, true, '']);
      return message;
    });
  }

  async #noting<T>(operation: string, work: () => Promise<T>): Promise<T> {
    const before = this.whole.rig.journal.head();
    const output = await work();
    const facts = factsOf(await this.whole.rig.journal.read(before, 1_000));
    this.all.push(...facts);
    if (!this.facts.has(operation) && facts.length > 0) this.facts.set(operation, facts);
    return output;
  }
}

const ALLOW = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }] });
const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: ADMINISTRATOR }, Action: 'sts:AssumeRole' }],
});
const BOUNDARY = 'arn:aws:iam::aws:policy/ReadOnlyAccess';
const TAG = { Key: 'team', Value: 'blue' };

let whole: WholeServer;
let caller: Caller;
beforeAll(async () => {
  whole = await WholeServer.open();
  caller = new Caller(whole);
});
afterAll(() => whole.close());

test('IAM: users, groups, roles, policies, keys, second factors and providers', async () => {
  const iam = (name: string, input: JsonObject) => caller.call(`iam/${name}`, input);
  const managed = (await iam('CreatePolicy', { PolicyName: 'managed', PolicyDocument: ALLOW })).Policy.Arn;
  for (const kind of ['User', 'Group', 'Role'] as const) {
    const named = { [`${kind}Name`]: kind };
    await iam(`Create${kind}`, { ...named, ...(kind === 'Role' ? { AssumeRolePolicyDocument: TRUST } : {}) });
    await iam(`Put${kind}Policy`, { ...named, PolicyName: 'own', PolicyDocument: ALLOW });
    await iam(`Attach${kind}Policy`, { ...named, PolicyArn: managed });
    if (kind !== 'Group') {
      await iam(`Put${kind}PermissionsBoundary`, { ...named, PermissionsBoundary: BOUNDARY });
      await iam(`Delete${kind}PermissionsBoundary`, named);
      await iam(`Tag${kind}`, { ...named, Tags: [TAG] });
      await iam(`Untag${kind}`, { ...named, TagKeys: ['team'] });
    }
    await iam(`Detach${kind}Policy`, { ...named, PolicyArn: managed });
    await iam(`Delete${kind}Policy`, { ...named, PolicyName: 'own' });
  }
  await iam('UpdateRole', { RoleName: 'Role', Description: 'reads' });
  await iam('UpdateAssumeRolePolicy', { RoleName: 'Role', PolicyDocument: TRUST.replace('sts:AssumeRole', 'sts:*') });
  await iam('CreatePolicyVersion', { PolicyArn: managed, PolicyDocument: ALLOW });
  await iam('SetDefaultPolicyVersion', { PolicyArn: managed, VersionId: 'v2' });
  await iam('DeletePolicyVersion', { PolicyArn: managed, VersionId: 'v1' });
  await iam('AddUserToGroup', { GroupName: 'Group', UserName: 'User' });
  await iam('UpdateGroup', { GroupName: 'Group', NewGroupName: 'Crew' });
  await iam('RemoveUserFromGroup', { GroupName: 'Crew', UserName: 'User' });
  const { AccessKeyId } = (await iam('CreateAccessKey', { UserName: 'User' })).AccessKey;
  await iam('UpdateAccessKey', { UserName: 'User', AccessKeyId, Status: 'Inactive' });
  const { SerialNumber, Base32StringSeed } = (await iam('CreateVirtualMFADevice', { VirtualMFADeviceName: 'phone' })).VirtualMFADevice;
  const seed = secretOf(Buffer.from(Base32StringSeed as string, 'base64').toString());
  const step = Math.floor(Date.now() / 30_000);
  const [AuthenticationCode1, AuthenticationCode2] = [totpCode(seed, step - 1), totpCode(seed, step)];
  await iam('EnableMFADevice', { UserName: 'User', SerialNumber, AuthenticationCode1, AuthenticationCode2 });
  await iam('UpdateUser', { UserName: 'User', NewUserName: 'Person' });
  await iam('DeactivateMFADevice', { UserName: 'Person', SerialNumber });
  await iam('DeleteVirtualMFADevice', { SerialNumber });
  await iam('DeleteAccessKey', { UserName: 'Person', AccessKeyId });
  const provider = await iam('CreateOpenIDConnectProvider', { Url: 'https://token.example.com', ClientIDList: ['a'] });
  await iam('DeleteOpenIDConnectProvider', { OpenIDConnectProviderArn: provider.OpenIDConnectProviderArn });
  await iam('DeleteUser', { UserName: 'Person' });
  await iam('DeleteGroup', { GroupName: 'Crew' });
  await iam('DeleteRole', { RoleName: 'Role' });
  await iam('DeletePolicy', { PolicyArn: managed });
});

function secretOf(base32: string): Uint8Array {
  const bits = [...base32].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Uint8Array.from((bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2)));
}

test('S3: buckets and their settings, and what protects a version', async () => {
  const set = (name: string, query: string, body: string) => caller.s3(name, 'PUT', `/settings?${query}`, body);
  await caller.s3('CreateBucket', 'PUT', '/settings', '', { 'x-amz-bucket-object-lock-enabled': 'true' });
  const statement = { Effect: 'Allow', Principal: { AWS: OWNER }, Action: 's3:GetObject', Resource: 'arn:aws:s3:::settings/*' };
  await set('PutBucketPolicy', 'policy', JSON.stringify({ Version: '2012-10-17', Statement: [statement] }));
  const rule =
    '<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>';
  await set('PutBucketObjectLockConfiguration', 'object-lock', `<ObjectLockConfiguration>${rule}</ObjectLockConfiguration>`);
  await set('PutBucketTagging', 'tagging', '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>');
  const expire = '<Rule><ID>old</ID><Filter/><Status>Enabled</Status><Expiration><Days>9</Days></Expiration></Rule>';
  await set('PutBucketLifecycle', 'lifecycle', `<LifecycleConfiguration>${expire}</LifecycleConfiguration>`);
  const sse = '<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>';
  await set('PutBucketEncryption', 'encryption', `<ServerSideEncryptionConfiguration>${sse}</ServerSideEncryptionConfiguration>`);
  const block = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'];
  const flags = block.map((name) => `<${name}>false</${name}>`).join('');
  await set('PutBucketPublicAccessBlock', 'publicAccessBlock', `<PublicAccessBlockConfiguration>${flags}</PublicAccessBlockConfiguration>`);
  const owner = '<Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule>';
  await set('PutBucketOwnershipControls', 'ownershipControls', `<OwnershipControls>${owner}</OwnershipControls>`);
  for (const [name, query] of [
    ['Policy', 'policy'],
    ['Tagging', 'tagging'],
    ['Lifecycle', 'lifecycle'],
    ['Encryption', 'encryption'],
    ['PublicAccessBlock', 'publicAccessBlock'],
    ['OwnershipControls', 'ownershipControls'],
  ])
    await caller.s3(`DeleteBucket${name}`, 'DELETE', `/settings?${query}`);
  await caller.s3('PutObject', 'PUT', '/settings/a', 'evidence');
  const until = new Date(whole.rig.clock.nowMs() + 9 * 86_400_000).toISOString();
  const retention = `<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`;
  await caller.s3('PutObjectRetention', 'PUT', '/settings/a?retention', retention);
  await caller.s3('PutObjectLegalHold', 'PUT', '/settings/a?legal-hold', '<LegalHold><Status>ON</Status></LegalHold>');
  await caller.s3('CreateBucket', 'PUT', '/short');
  await caller.s3(
    'PutBucketVersioning',
    'PUT',
    '/short?versioning',
    '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>',
  );
  await caller.s3('DeleteBucket', 'DELETE', '/short');
});

test('trails, topics, keys of KMS, accounts', async () => {
  await whole.createBucket('logs');
  const trail = (name: string, input: JsonObject) => caller.call(`cloudtrail/${name}`, input);
  const { TrailARN } = await trail('CreateTrail', { Name: 'main', S3BucketName: 'logs', TagsList: [{ Key: 'stage', Value: 'test' }] });
  await trail('UpdateTrail', { Name: 'main', IncludeGlobalServiceEvents: false });
  await trail('StartLogging', { Name: 'main' });
  await trail('StopLogging', { Name: 'main' });
  await trail('PutEventSelectors', {
    TrailName: 'main',
    EventSelectors: [{ ReadWriteType: 'WriteOnly', DataResources: [{ Type: 'AWS::S3::Object', Values: ['arn:aws:s3'] }] }],
  });
  await trail('PutEventConfiguration', {
    TrailName: 'main',
    AggregationConfigurations: [{ EventCategory: 'Data', Templates: ['API_ACTIVITY'] }],
  });
  await trail('AddTags', { ResourceId: TrailARN, TagsList: [TAG] });
  await trail('RemoveTags', { ResourceId: TrailARN, TagsList: [TAG] });
  await trail('DeleteTrail', { Name: 'main' });

  const sns = (name: string, input: JsonObject) => caller.call(`sns/${name}`, input);
  const { TopicArn } = await sns('CreateTopic', { Name: 'news' });
  await sns('SetTopicAttributes', { TopicArn, AttributeName: 'DisplayName', AttributeValue: 'News' });
  await sns('TagResource', { ResourceArn: TopicArn, Tags: [TAG] });
  await sns('UntagResource', { ResourceArn: TopicArn, TagKeys: ['team'] });
  await sns('Subscribe', { TopicArn, Protocol: 'https', Endpoint: 'https://example.com/', ReturnSubscriptionArn: 'true' });
  const [{ value: subscription }] = (await whole.rig.catalog.list(['sns-subscription'])) as unknown as [{ value: { id: string } }];
  const SubscriptionArn = `${TopicArn}:${subscription.id}`;
  await sns('SetSubscriptionAttributes', { SubscriptionArn, AttributeName: 'RawMessageDelivery', AttributeValue: 'true' });
  await sns('Unsubscribe', { SubscriptionArn });
  await sns('DeleteTopic', { TopicArn });

  const kms = (name: string, input: JsonObject) => caller.call(`kms/${name}`, input);
  const { KeyId } = (await kms('CreateKey', {})).KeyMetadata;
  const other = (await kms('CreateKey', {})).KeyMetadata.KeyId;
  await kms('UpdateKeyDescription', { KeyId, Description: 'logs' });
  await kms('CreateAlias', { AliasName: 'alias/logs', TargetKeyId: KeyId });
  await kms('UpdateAlias', { AliasName: 'alias/logs', TargetKeyId: other });
  await kms('DeleteAlias', { AliasName: 'alias/logs' });
  const { Policy } = await kms('GetKeyPolicy', { KeyId });
  await kms('PutKeyPolicy', { KeyId, Policy: `${Policy} ` });
  await kms('TagResource', { KeyId, Tags: [{ TagKey: 'a', TagValue: 'b' }] });
  await kms('UntagResource', { KeyId, TagKeys: ['a'] });
  await kms('EnableKeyRotation', { KeyId });
  await kms('DisableKeyRotation', { KeyId });
  await kms('RotateKeyOnDemand', { KeyId });
  await kms('DisableKey', { KeyId });
  await kms('EnableKey', { KeyId });
  await kms('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 });
  await kms('CancelKeyDeletion', { KeyId });

  await caller.call('snowtrail/CreateAccount', { Account: '444444444444' });
  const { AccessKeyId } = (await caller.call('snowtrail/CreateAccessKey')).AccessKey;
  await caller.call('snowtrail/UpdateAccessKey', { AccessKeyId, Status: 'Inactive' });
  await caller.call('snowtrail/DeleteAccessKey', { AccessKeyId });
});

test('organizations: who belongs to one, and what it restricts', async () => {
  const send = (name: string, input: JsonObject = {}, account?: AccountId) => caller.call(`organizations/${name}`, input, account);
  await send('CreateOrganization', { FeatureSet: 'ALL' });
  const invite = async (): Promise<string> =>
    (await send('InviteAccountToOrganization', { Target: { Type: 'ACCOUNT', Id: OWNER } })).Handshake.Id;
  await send('CancelHandshake', { HandshakeId: await invite() });
  await send('DeclineHandshake', { HandshakeId: await invite() }, OWNER);
  await send('AcceptHandshake', { HandshakeId: await invite() }, OWNER);
  const [root] = (await send('ListRoots')).Roots;
  const unit = (await send('CreateOrganizationalUnit', { ParentId: root.Id, Name: 'unit' })).OrganizationalUnit.Id;
  await send('UpdateOrganizationalUnit', { OrganizationalUnitId: unit, Name: 'team' });
  await send('TagResource', { ResourceId: unit, Tags: [{ Key: 'Team', Value: 'Red' }] });
  await send('UntagResource', { ResourceId: unit, TagKeys: ['Team'] });
  await send('MoveAccount', { AccountId: OWNER, SourceParentId: root.Id, DestinationParentId: unit });
  const made = (await send('CreateAccount', { AccountName: 'new', Email: 'new@example.com' })).CreateAccountStatus.AccountId;
  await send('EnablePolicyType', { RootId: root.Id, PolicyType: 'SERVICE_CONTROL_POLICY' });
  const policy = { Name: 'deny', Description: 'd', Type: 'SERVICE_CONTROL_POLICY', Content: ALLOW };
  const PolicyId = (await send('CreatePolicy', policy)).Policy.PolicySummary.Id;
  await send('UpdatePolicy', { PolicyId, Name: 'other' });
  await send('AttachPolicy', { PolicyId, TargetId: unit });
  await send('DetachPolicy', { PolicyId, TargetId: unit });
  await send('DeletePolicy', { PolicyId });
  await send('DisablePolicyType', { RootId: root.Id, PolicyType: 'SERVICE_CONTROL_POLICY' });
  const ServicePrincipal = 'cloudtrail.amazonaws.com';
  await send('EnableAWSServiceAccess', { ServicePrincipal });
  await send('RegisterDelegatedAdministrator', { AccountId: OWNER, ServicePrincipal });
  await send('DeregisterDelegatedAdministrator', { AccountId: OWNER, ServicePrincipal });
  await caller.call('cloudtrail/RegisterOrganizationDelegatedAdmin', { MemberAccountId: OWNER });
  await caller.call('cloudtrail/DeregisterOrganizationDelegatedAdmin', { DelegatedAdminAccountId: OWNER });
  await send('DisableAWSServiceAccess', { ServicePrincipal });
  await send('RemoveAccountFromOrganization', { AccountId: made });
  await send('LeaveOrganization', {}, OWNER);
  await send('DeleteOrganizationalUnit', { OrganizationalUnitId: unit });
  await send('DeleteOrganization');
});

test('approvals: what is asked for, approved, carried out, given back, and rejected', async () => {
  const two = await WholeServer.open({ approvals: { persons: 2, delayMs: 0 } });
  try {
    const rule = new Caller(two);
    await two.createBucket('logs');
    await two.createUser('alice');
    const alice = { ...two.server.accounts.userOf(ADMINISTRATOR, { name: 'alice', id: 'AIDAALICE', path: '/' }, 'AKIAALICE') };
    await rule.call('iam/AttachUserPolicy', { UserName: 'alice', PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' });
    await rule.call('cloudtrail/CreateTrail', { Name: 'main', S3BucketName: 'logs' });
    const factsSince = async (work: () => Promise<unknown>) => {
      const before = two.rig.journal.head();
      await work();
      return factsOf(await two.rig.journal.read(before, 100)).filter(({ resource }) => resource.includes(':approval/'));
    };
    const stop = () => rule.call('cloudtrail/StopLogging', { Name: 'main' });
    const decide = async (name: string) => {
      const [approval] = (await rule.call('snowtrail/ListApprovals')).Approvals.filter(
        ({ State }: { State: string }) => State === 'pending' || State === 'approved',
      );
      await rule.call(
        `snowtrail/${name}`,
        { ApprovalId: approval.ApprovalId },
        ADMINISTRATOR,
        name === 'ApproveChange' ? alice : undefined,
      );
    };
    await two.rig.clock.advance(1_000);
    await rule.call('cloudtrail/StartLogging', { Name: 'main' });

    const [asked, ...more] = await factsSince(() => expect(stop()).rejects.toThrow('Another person must approve it'));
    expect([asked?.event, asked?.beforeSha256, more.length]).toEqual(['StopLogging', null, 0]);
    // Asked once more, it is the same approval.
    expect(await factsSince(() => expect(stop()).rejects.toThrow('Another person must approve it'))).toEqual([]);
    const [approved] = await factsSince(() => decide('ApproveChange'));
    expect(approved).toMatchObject({ resource: asked!.resource, event: 'ApproveChange', beforeSha256: asked!.afterSha256 });
    const [used] = await factsSince(stop);
    expect(used).toMatchObject({ resource: asked!.resource, event: 'StopLogging', beforeSha256: approved!.afterSha256 });

    await rule.call('cloudtrail/StartLogging', { Name: 'main' });
    const [again] = await factsSince(() => expect(stop()).rejects.toThrow('Another person must approve it'));
    expect(again).toMatchObject({ resource: asked!.resource, beforeSha256: used!.afterSha256 });
    const [rejected] = await factsSince(() => decide('RejectChange'));
    expect(rejected).toMatchObject({ event: 'RejectChange', beforeSha256: again!.afterSha256 });
    for (const operation of ['ApproveChange', 'RejectChange'])
      caller.facts.set(`snowtrail/${operation}`, rule.facts.get(`snowtrail/${operation}`)!);
  } finally {
    await two.close();
  }
});

describe('all of them', () => {
  test('each changing operation has a fact, or a reason why it has none', async () => {
    const { services } = whole.server.ports;
    const built: string[] = [];
    for (const [service, { operations }] of services)
      for (const operation of operations.values()) {
        if (operation.isReadOnly) continue;
        const refusal = await operation.decide({} as Call, {}).catch((error: { code?: string }) => error.code);
        if (refusal !== 'UnsupportedOperationException') built.push(`${service}/${operation.name}`);
      }
    const source = readFileSync('src/http/s3/find-operation.ts', 'utf8');
    const ofS3 = [
      ...[...source.matchAll(/write\('(\w+)', '\w+', (?!buckets\.unsupported)/g)].map(([, name]) => name!),
      ...[...SETTINGS.values()].flatMap(([name, , put, remove]) => [...(put ? [`Put${name}`] : []), ...(remove ? [`Delete${name}`] : [])]),
    ].map((name) => `s3/${name}`);
    expect(built.length + ofS3.length).toBeGreaterThan(130);
    const reasons = Object.keys(WITHOUT_FACT);
    expect([...built, ...ofS3].filter((name) => !caller.facts.has(name) && !reasons.includes(name))).toEqual([]);
    expect(reasons.filter((name) => caller.facts.has(name) || ![...built, ...ofS3].includes(name))).toEqual([]);
  });

  test('each has another hash after than before, and begins where the one before of the same thing ended', () => {
    const last = new Map<string, string | null>();
    for (const fact of caller.all) {
      const { resource, part = '', beforeSha256, afterSha256 } = fact;
      const name = `${resource} ${part}`;
      // Retention begins with what the object was put with.
      const began = part.startsWith('retention/') ? beforeSha256 : null;
      expect(fact).toEqual({ ...fact, beforeSha256: last.get(name) ?? began });
      expect(afterSha256, `${fact.event} of ${name}`).not.toBe(beforeSha256);
      last.set(name, afterSha256);
    }
  });

  test('each names its resource, part, call and principal, lies right behind its record, and is the hash of canonical JSON', async () => {
    const statement = { Effect: 'Allow', Principal: { AWS: OWNER }, Action: 's3:GetObject', Resource: 'arn:aws:s3:::plain/*' };
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    await whole.createBucket('plain', { hasPolicy: false });
    const head = whole.rig.journal.head();
    await whole.s3('PUT', '/plain?policy', policy);
    const entries = await whole.rig.journal.read(head, 10);
    expect(entries.map(({ factKind, kind }) => factKind ?? kind)).toEqual(['event', 'configuration']);
    const record = JSON.parse(decoder.decode(entries[0]!.bytes)) as { requestID: string; eventID: string };
    expect(JSON.parse(decoder.decode(entries[1]!.bytes))).toEqual({
      version: 1,
      resource: 'arn:aws:s3:::plain',
      part: 'policy',
      event: 'PutBucketPolicy',
      principal: `arn:aws:iam::${ADMINISTRATOR}:root`,
      requestId: record.requestID,
      beforeSha256: null,
      afterSha256: createHash('sha256').update(JSON.stringify({ policy })).digest('hex'),
    });
  });

  test('an event shows the facts of its call, wherever they lie, and a submitted one that names the same call shows none', async () => {
    const shown = async (eventId: string) => (await caller.call('snowtrail/GetEvent', { EventId: eventId })).Event.Changes;
    const head = whole.rig.journal.head();
    await caller.call('cloudtrail/CreateTrail', { Name: 'shown', S3BucketName: 'logs', TagsList: [{ Key: 'a', Value: 'b' }] });
    const [event, ...facts] = await whole.rig.journal.read(head, 10);
    const changes = await shown(event!.id);
    expect(changes.map(({ Sequence, Part, Fact }: ChangeView) => [Sequence, Part, Fact])).toEqual(
      facts.map(({ sequence, bytes }, index) => [`${sequence}`, index === 0 ? undefined : 'tags', decoder.decode(bytes)]),
    );
    expect(changes[0]).toMatchObject({ Resource: expect.stringMatching(/trail\/shown$/), BeforeSha256: null });

    const bytes = Buffer.from(decoder.decode(event!.bytes).replace(event!.id, '00000000-0000-4000-8000-000000000000'));
    const entry = { ...event!, kind: 'event', source: 'record', eventId: '00000000-0000-4000-8000-000000000000', bytes } as const;
    await whole.rig.journal.append([entry]);
    expect(await shown(entry.eventId)).toBeUndefined();
    // A refused call changed nothing.
    const before = whole.rig.journal.head();
    await expect(caller.call('cloudtrail/CreateTrail', { Name: 'shown', S3BucketName: 'logs' })).rejects.toThrow();
    const [refused] = await whole.rig.journal.read(before, 10);
    expect(await shown(refused!.id)).toBeUndefined();
  });

  test('no secret is in what is hashed: who has the hash cannot even try one', async () => {
    const { AccessKeyId } = (await caller.call('snowtrail/CreateAccessKey')).AccessKey;
    const [made] = caller.all.slice(-1);
    const { value } = (await whole.rig.catalog.get<Record<string, unknown>>(['access-key', AccessKeyId]))!;
    const { wrappedSecret, ...settings } = value;
    expect(wrappedSecret).toBeDefined();
    expect(made!.afterSha256).toBe(createHash('sha256').update(canonicalJson(settings)).digest('hex'));
  });
});
