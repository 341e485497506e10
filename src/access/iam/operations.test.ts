import { describe, expect, test } from 'vitest';
import { IdentityRig, type Keys } from '../../../test/support/identity-rig.ts';
import { callOf, OWNER, STRANGER } from '../../../test/support/intake-rig.ts';
import { queryService } from '../../api/model.ts';
import { encodeQuery } from '../../api/query-codec.ts';
import { totpCode } from '../mfa-device.ts';
import { iamOperations } from './operations.ts';

const ALLOW = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'cloudtrail:*', Resource: '*' }] });
const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: OWNER }, Action: 'sts:AssumeRole' }],
});

/** An entity of each kind, named `one`. */
async function openWithEntities(): Promise<IdentityRig> {
  const rig = await IdentityRig.open();
  await rig.send('CreateUser', { UserName: 'one' });
  await rig.send('CreateGroup', { GroupName: 'one' });
  await rig.send('CreateRole', { RoleName: 'one', AssumeRolePolicyDocument: TRUST });
  return rig;
}

async function policyArn(rig: IdentityRig, PolicyName = 'policy'): Promise<string> {
  return (await rig.send<{ Policy: { Arn: string } }>('CreatePolicy', { PolicyName, PolicyDocument: ALLOW })).Policy.Arn;
}

const KINDS = ['User', 'Group', 'Role'] as const;

describe('iamOperations', () => {
  test('has exactly the operations whose shapes are in the model', () => {
    const names = iamOperations({} as never).map(({ name }) => name);
    expect(names.sort()).toEqual(Object.keys(queryService('iam').operations).sort());
  });

  test.each(KINDS)('a %s is unique in any case, and found by its own name alone', async (kind) => {
    const rig = await openWithEntities();
    const more = kind === 'Role' ? { AssumeRolePolicyDocument: TRUST } : {};
    expect(await rig.refusal(`Create${kind}`, { [`${kind}Name`]: 'ONE', ...more })).toBe('EntityAlreadyExists');
    expect(await rig.refusal(`Get${kind}`, { [`${kind}Name`]: 'ONE' })).toBe('NoSuchEntity');
    expect(await rig.send(`Get${kind}`, { [`${kind}Name`]: 'one' })).toMatchObject({ [kind]: { [`${kind}Name`]: 'one', Path: '/' } });
  });

  test.each(KINDS)('a %s of one account is none in another (A12)', async (kind) => {
    const rig = await openWithEntities();
    for (const name of [`Get${kind}`, `Delete${kind}`, `List${kind}Policies`, `ListAttached${kind}Policies`])
      expect([name, await rig.refusal(name, { [`${kind}Name`]: 'one' }, STRANGER)]).toEqual([name, 'NoSuchEntity']);
    expect(await rig.send(`List${kind}s`, {}, STRANGER)).toMatchObject({ [`${kind}s`]: [], IsTruncated: false });
  });

  test.each(KINDS)('a %s cannot be deleted while it has policies', async (kind) => {
    const rig = await openWithEntities();
    const entity = { [`${kind}Name`]: 'one' };
    const PolicyArn = await policyArn(rig);
    await rig.send(`Attach${kind}Policy`, { ...entity, PolicyArn });
    expect(await rig.refusal(`Delete${kind}`, entity)).toBe('DeleteConflict');
    expect(await rig.refusal('DeletePolicy', { PolicyArn })).toBe('DeleteConflict');
    await rig.send(`Detach${kind}Policy`, { ...entity, PolicyArn });
    await rig.send(`Put${kind}Policy`, { ...entity, PolicyName: 'inline', PolicyDocument: ALLOW });
    expect(await rig.refusal(`Delete${kind}`, entity)).toBe('DeleteConflict');
    await rig.send(`Delete${kind}Policy`, { ...entity, PolicyName: 'inline' });
    await rig.send(`Delete${kind}`, entity);
    await rig.send('DeletePolicy', { PolicyArn });
    expect(await rig.refusal(`Get${kind}`, entity)).toBe('NoSuchEntity');
  });

  test.each(KINDS)('inline policies of a %s are read back, and bounded by their sum without blanks', async (kind) => {
    const rig = await openWithEntities();
    const entity = { [`${kind}Name`]: 'one' };
    await rig.send(`Put${kind}Policy`, { ...entity, PolicyName: 'a', PolicyDocument: ALLOW });
    expect(await rig.send(`Get${kind}Policy`, { ...entity, PolicyName: 'a' })).toEqual({
      ...entity,
      PolicyName: 'a',
      PolicyDocument: encodeURIComponent(ALLOW).replace(/\*/g, '%2A'),
    });
    const big = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: Array.from({ length: 600 }, (_, index) => `cloudtrail:GetTrail${index}`), Resource: '*' }],
    });
    expect(await rig.refusal(`Put${kind}Policy`, { ...entity, PolicyName: 'b', PolicyDocument: big })).toMatch(
      /LimitExceeded|MalformedPolicyDocument/,
    );
    const spaced = JSON.stringify(JSON.parse(ALLOW), null, 900);
    await rig.send(`Put${kind}Policy`, { ...entity, PolicyName: 'c', PolicyDocument: spaced });
    expect(await rig.send(`List${kind}Policies`, entity)).toEqual({ PolicyNames: ['a', 'c'], IsTruncated: false });
  });

  test.each(['User', 'Role'] as const)('tags of a %s have no case, and may not be the service’s own', async (kind) => {
    const rig = await openWithEntities();
    const entity = { [`${kind}Name`]: 'one' };
    await rig.send(`Tag${kind}`, {
      ...entity,
      Tags: [
        { Key: 'Team', Value: 'red' },
        { Key: 'b', Value: '' },
      ],
    });
    await rig.send(`Tag${kind}`, { ...entity, Tags: [{ Key: 'team', Value: 'blue' }] });
    expect(await rig.send(`List${kind}Tags`, entity)).toMatchObject({
      Tags: [
        { Key: 'b', Value: '' },
        { Key: 'team', Value: 'blue' },
      ],
    });
    await rig.send(`Untag${kind}`, { ...entity, TagKeys: ['TEAM'] });
    expect(await rig.send(`List${kind}Tags`, entity)).toMatchObject({ Tags: [{ Key: 'b' }] });
    expect(await rig.refusal(`Tag${kind}`, { ...entity, Tags: [{ Key: 'aws:x', Value: '1' }] })).toBe('InvalidInput');
    expect(
      await rig.refusal(`Tag${kind}`, {
        ...entity,
        Tags: [
          { Key: 'x', Value: '1' },
          { Key: 'X', Value: '1' },
        ],
      }),
    ).toBe('InvalidInput');
    const many = Array.from({ length: 51 }, (_, index) => ({ Key: `k${index}`, Value: '' }));
    expect(await rig.refusal(`Tag${kind}`, { ...entity, Tags: many })).toBe('LimitExceeded');
  });

  test.each(['User', 'Role'] as const)('a %s is bounded by a policy that stays while it bounds', async (kind) => {
    const rig = await openWithEntities();
    const entity = { [`${kind}Name`]: 'one' };
    const PolicyArn = await policyArn(rig);
    expect(await rig.refusal(`Delete${kind}PermissionsBoundary`, entity)).toBe('NoSuchEntity');
    await rig.send(`Put${kind}PermissionsBoundary`, { ...entity, PermissionsBoundary: PolicyArn });
    expect(await rig.send(`Get${kind}`, entity)).toMatchObject({ [kind]: { PermissionsBoundary: { PermissionsBoundaryArn: PolicyArn } } });
    expect(await rig.refusal('DeletePolicy', { PolicyArn })).toBe('DeleteConflict');
    await rig.send(`Delete${kind}PermissionsBoundary`, entity);
    await rig.send('DeletePolicy', { PolicyArn });
  });

  test.each(['User', 'Role'] as const)('who changes the rights of a %s is asked by its boundary (A18)', async (kind) => {
    const rig = await openWithEntities();
    const entity = { [`${kind}Name`]: 'one' };
    const boundary = await policyArn(rig);
    await rig.send(`Put${kind}PermissionsBoundary`, { ...entity, PermissionsBoundary: boundary });
    const askedOf = async (name: string, more: object = {}) =>
      (await rig.access(name, { ...entity, ...more }))[0]!.context?.get('iam:permissionsboundary');
    const other = { PolicyName: 'inline', PolicyDocument: ALLOW, PolicyArn: boundary };
    for (const name of [`Put${kind}Policy`, `Delete${kind}Policy`, `Attach${kind}Policy`, `Detach${kind}Policy`])
      expect([name, await askedOf(name, other)]).toEqual([name, [boundary]]);
    expect(await askedOf(`Delete${kind}PermissionsBoundary`)).toEqual([boundary]);
    expect(await askedOf(`Put${kind}PermissionsBoundary`, { PermissionsBoundary: 'another' })).toEqual(['another']);
    expect(await askedOf(`Get${kind}`)).toBeUndefined();
  });

  test('a role is in no instance profile, since none can be made', async () => {
    const rig = await openWithEntities();
    expect(await rig.send('ListInstanceProfilesForRole', { RoleName: 'one' })).toEqual({ InstanceProfiles: [], IsTruncated: false });
    expect(await rig.refusal('ListInstanceProfilesForRole', { RoleName: 'none' })).toBe('NoSuchEntity');
  });

  test('a policy has five versions, and the default one stays', async () => {
    const rig = await IdentityRig.open();
    const PolicyArn = await policyArn(rig);
    for (let count = 2; count <= 5; count += 1) await rig.send('CreatePolicyVersion', { PolicyArn, PolicyDocument: ALLOW });
    expect(await rig.refusal('CreatePolicyVersion', { PolicyArn, PolicyDocument: ALLOW })).toBe('LimitExceeded');
    expect(await rig.refusal('DeletePolicyVersion', { PolicyArn, VersionId: 'v1' })).toBe('DeleteConflict');
    await rig.send('SetDefaultPolicyVersion', { PolicyArn, VersionId: 'v3' });
    await rig.send('DeletePolicyVersion', { PolicyArn, VersionId: 'v1' });
    await rig.send('DeletePolicyVersion', { PolicyArn, VersionId: 'v5' });
    expect(await rig.send('CreatePolicyVersion', { PolicyArn, PolicyDocument: ALLOW })).toMatchObject({
      PolicyVersion: { VersionId: 'v6' },
    });
    expect(await rig.refusal('DeletePolicy', { PolicyArn })).toBe('DeleteConflict');
    expect(await rig.refusal('GetPolicyVersion', { PolicyArn, VersionId: 'v1' })).toBe('NoSuchEntity');
    const { Versions } = await rig.send<{ Versions: readonly object[] }>('ListPolicyVersions', { PolicyArn });
    expect(Versions).toMatchObject(['v6', 'v4', 'v3', 'v2'].map((VersionId) => ({ VersionId, IsDefaultVersion: VersionId === 'v3' })));
    expect(await rig.refusal('ListPolicyVersions', { PolicyArn: `${PolicyArn}-2` })).toBe('NoSuchEntity');
  });

  test('policies of AWS can be read and attached, and not changed', async () => {
    const rig = await openWithEntities();
    const PolicyArn = 'arn:aws:iam::aws:policy/AdministratorAccess';
    await rig.send('AttachRolePolicy', { RoleName: 'one', PolicyArn });
    expect(await rig.send('GetPolicy', { PolicyArn })).toMatchObject({ Policy: { AttachmentCount: 1, DefaultVersionId: 'v1' } });
    expect(await rig.send('ListEntitiesForPolicy', { PolicyArn })).toMatchObject({ PolicyRoles: [{ RoleName: 'one' }], PolicyUsers: [] });
    for (const [name, more] of [
      ['DeletePolicy', {}],
      ['CreatePolicyVersion', { PolicyDocument: ALLOW }],
      ['SetDefaultPolicyVersion', { VersionId: 'v1' }],
    ] as const)
      expect(await rig.refusal(name, { PolicyArn, ...more })).toBe('AccessDenied');
  });

  test('a policy that is attached and deleted at once is either', async () => {
    const rig = await openWithEntities();
    const PolicyArn = await policyArn(rig);
    const [attach, remove] = await Promise.all([
      rig.decide('AttachUserPolicy', { UserName: 'one', PolicyArn }),
      rig.decide('DeletePolicy', { PolicyArn }),
    ]);
    await attach.apply!();
    await expect(remove.apply!()).rejects.toMatchObject({ code: 'ConcurrentModification', status: 409 });
  });

  test('a user in a group cannot go, nor the group; a renamed group keeps its users', async () => {
    const rig = await openWithEntities();
    await rig.send('AddUserToGroup', { GroupName: 'one', UserName: 'one' });
    expect([await rig.refusal('DeleteUser', { UserName: 'one' }), await rig.refusal('DeleteGroup', { GroupName: 'one' })]).toEqual([
      'DeleteConflict',
      'DeleteConflict',
    ]);
    await rig.send('UpdateGroup', { GroupName: 'one', NewGroupName: 'two' });
    expect(await rig.send('ListGroupsForUser', { UserName: 'one' })).toMatchObject({ Groups: [{ GroupName: 'two' }] });
    expect(await rig.send('GetGroup', { GroupName: 'two' })).toMatchObject({ Users: [{ UserName: 'one' }] });
    await rig.send('RemoveUserFromGroup', { GroupName: 'two', UserName: 'one' });
    await rig.send('DeleteGroup', { GroupName: 'two' });
  });

  test('a renamed user keeps its id, keys and devices, and calls by its new name from then on', async () => {
    const rig = await IdentityRig.open();
    const before = await rig.user('alice');
    await rig.send('UpdateUser', { UserName: 'alice', NewUserName: 'alicia', NewPath: '/staff/' });
    const after = (await rig.findCredentials(before.accessKeyId))!.principal;
    expect(after).toEqual({ ...before, userName: 'alicia', arn: `arn:aws:iam::${OWNER}:user/staff/alicia` });
    expect(await rig.send('ListAccessKeys', {}, after)).toMatchObject({
      AccessKeyMetadata: [{ UserName: 'alicia', AccessKeyId: before.accessKeyId }],
    });
    expect(await rig.refusal('GetUser', { UserName: 'alice' })).toBe('NoSuchEntity');
  });
});

describe('access keys of users', () => {
  test('there are two at most, they are shown once, and are refused at once when deleted or off (A10)', async () => {
    const rig = await IdentityRig.open();
    await rig.send('CreateUser', { UserName: 'alice' });
    const made = await Promise.all([1, 2].map(async () => rig.decide('CreateAccessKey', { UserName: 'alice' })));
    await made[0]!.apply!();
    await expect(made[1]!.apply!()).rejects.toMatchObject({ code: 'ConcurrentModification' });
    const { AccessKeyId, SecretAccessKey } = (made[0]!.output as { AccessKey: Keys }).AccessKey;
    expect(JSON.stringify([made[0]!.responseElements, await rig.intake.catalog.list(['access-key'])])).not.toContain(SecretAccessKey);
    await rig.send('CreateAccessKey', { UserName: 'alice' });
    expect(await rig.refusal('CreateAccessKey', { UserName: 'alice' })).toBe('LimitExceeded');
    await rig.findCredentials(AccessKeyId);
    await rig.send('UpdateAccessKey', { UserName: 'alice', AccessKeyId, Status: 'Inactive' });
    expect((await rig.findCredentials(AccessKeyId))!.status).toBe('Inactive');
    await rig.send('UpdateAccessKey', { UserName: 'alice', AccessKeyId, Status: 'Active' });
    expect((await rig.findCredentials(AccessKeyId))!.status).toBe('Active');
    await rig.send('DeleteAccessKey', { UserName: 'alice', AccessKeyId });
    expect(await rig.findCredentials(AccessKeyId)).toBeUndefined();
  });

  test('they are no keys of the root, which keeps its own last one', async () => {
    const rig = await IdentityRig.open();
    const { accessKeyId } = await rig.user('alice');
    expect(await rig.send('ListAccessKeys', {})).toMatchObject({ AccessKeyMetadata: [{ Status: 'Active' }] });
    const rootKey = rig.intake.kept.at(-1)!.accessKeyId;
    expect(await rig.refusal('DeleteAccessKey', { AccessKeyId: rootKey })).toBe('ValidationError');
    for (const key of [{ AccessKeyId: accessKeyId }, { UserName: 'alice', AccessKeyId: rootKey }])
      expect(await rig.refusal('DeleteAccessKey', key)).toBe('NoSuchEntity');
  });

  test('a role has none of its own', async () => {
    const rig = await IdentityRig.open();
    const session = await rig.assume(await rig.user('alice'), await rig.role('deploy'));
    expect(await rig.refusal('ListAccessKeys', {}, session)).toBe('ValidationError');
    expect(await rig.refusal('GetUser', {}, session)).toBe('ValidationError');
  });

  test('their last use is known, also to the next start', async () => {
    const rig = await IdentityRig.open();
    const { accessKeyId: AccessKeyId } = await rig.user('alice');
    expect(await rig.send('GetAccessKeyLastUsed', { AccessKeyId })).toEqual({
      UserName: 'alice',
      AccessKeyLastUsed: { ServiceName: 'N/A', Region: 'N/A' },
    });
    const atMs = Date.UTC(2026, 0, 2);
    rig.keyUses.note(OWNER, AccessKeyId, { atMs, service: 's3', region: callOf(OWNER).region });
    expect(await rig.send('GetAccessKeyLastUsed', { AccessKeyId })).toEqual({
      UserName: 'alice',
      AccessKeyLastUsed: { LastUsedDate: new Date(atMs), ServiceName: 's3', Region: 'eu-central-1' },
    });
    expect(await rig.intake.catalog.get(['access-key-use', OWNER, AccessKeyId])).toMatchObject({ value: { atMs } });
    expect(await rig.refusal('GetAccessKeyLastUsed', { AccessKeyId }, STRANGER)).toBe('NoSuchEntity');
  });
});

describe('MFA devices', () => {
  /** A device and its secret. */
  async function device(rig: IdentityRig): Promise<{ SerialNumber: string; code: (offset: number) => string }> {
    const { VirtualMFADevice } = await rig.send<{ VirtualMFADevice: { SerialNumber: string; Base32StringSeed: Uint8Array } }>(
      'CreateVirtualMFADevice',
      { VirtualMFADeviceName: 'phone' },
    );
    const secret = fromBase32(Buffer.from(VirtualMFADevice.Base32StringSeed).toString());
    const code = (offset: number) => totpCode(secret, Math.floor(rig.intake.clock.nowMs() / 30_000) + offset);
    return { SerialNumber: VirtualMFADevice.SerialNumber, code };
  }

  test('one is enabled by two codes in a row, and then serves its user alone', async () => {
    const rig = await IdentityRig.open();
    const alice = await rig.user('alice');
    const { SerialNumber, code } = await device(rig);
    const enable = (one: number, two: number) => ({
      UserName: 'alice',
      SerialNumber,
      AuthenticationCode1: code(one),
      AuthenticationCode2: code(two),
    });
    expect(await rig.refusal('EnableMFADevice', enable(0, 0))).toBe('InvalidAuthenticationCode');
    await rig.send('EnableMFADevice', enable(-1, 0));
    expect(await rig.send('ListMFADevices', {}, alice)).toMatchObject({ MFADevices: [{ UserName: 'alice', SerialNumber }] });
    expect(await rig.refusal('DeleteVirtualMFADevice', { SerialNumber })).toBe('DeleteConflict');
    expect(await rig.refusal('DeleteUser', { UserName: 'alice' })).toBe('DeleteConflict');
    // The code that enabled it is used up.
    expect(await rig.refusal('GetSessionToken', { SerialNumber, TokenCode: code(0) }, alice)).toBe('AccessDenied');
    const { Credentials } = await rig.send<{ Credentials: Keys }>('GetSessionToken', { SerialNumber, TokenCode: code(1) }, alice);
    expect((await rig.principal(Credentials))!.session).toMatchObject({ mfaAuthenticatedAtMs: rig.intake.clock.nowMs() });
    expect(await rig.refusal('GetSessionToken', { SerialNumber, TokenCode: code(1) }, await rig.user('bob'))).toBe('AccessDenied');
    await rig.send('DeactivateMFADevice', { UserName: 'alice', SerialNumber });
    await rig.send('DeleteVirtualMFADevice', { SerialNumber });
  });

  test('five codes can be tried in half a minute, right or wrong from then on, one after the other or at once (A18)', async () => {
    const rig = await IdentityRig.open();
    const alice = await rig.user('alice');
    const { SerialNumber, code } = await device(rig);
    const enabling = { UserName: 'alice', SerialNumber, AuthenticationCode1: code(-1), AuthenticationCode2: code(0) };
    await rig.send('EnableMFADevice', enabling);
    const ask = (TokenCode: string) => rig.refusal('GetSessionToken', { SerialNumber, TokenCode }, alice);
    const tries = Array.from({ length: 6 }, (_, at) => ask(at === 5 ? code(1) : 'no-code'));
    expect(await Promise.all(tries)).toEqual(tries.map(() => 'AccessDenied'));
    await rig.intake.clock.advance(30_000);
    expect(await ask(code(0))).toBe('not refused');
  });

  test('devices of the account are listed, those of users apart from the others', async () => {
    const rig = await IdentityRig.open();
    await rig.send('CreateUser', { UserName: 'alice' });
    const { SerialNumber, code } = await device(rig);
    await rig.send('CreateVirtualMFADevice', { VirtualMFADeviceName: 'spare' });
    const codes = { AuthenticationCode1: code(-1), AuthenticationCode2: code(0) };
    await rig.send('EnableMFADevice', { UserName: 'alice', SerialNumber, ...codes });
    const listed = async (AssignmentStatus?: string, account = OWNER) =>
      (
        await rig.send<{ VirtualMFADevices: readonly { SerialNumber: string }[] }>(
          'ListVirtualMFADevices',
          AssignmentStatus === undefined ? {} : { AssignmentStatus },
          account,
        )
      ).VirtualMFADevices;
    expect(await listed('Assigned')).toMatchObject([{ SerialNumber, User: { UserName: 'alice' } }]);
    expect(await listed('Unassigned')).toEqual([{ SerialNumber: SerialNumber.replace('phone', 'spare') }]);
    expect((await listed()).map((each) => each.SerialNumber)).toEqual([SerialNumber, SerialNumber.replace('phone', 'spare')]);
    expect(await listed('Any', STRANGER)).toEqual([]);
    expect(await rig.refusal('DeleteVirtualMFADevice', { SerialNumber })).toBe('DeleteConflict');
  });

  test('the seed is in the answer alone', async () => {
    const rig = await IdentityRig.open();
    const { output, apply, responseElements } = await rig.decide('CreateVirtualMFADevice', { VirtualMFADeviceName: 'phone' });
    await apply!();
    const seed = (output as { VirtualMFADevice: { Base32StringSeed: Uint8Array } }).VirtualMFADevice.Base32StringSeed;
    expect(seed).toHaveLength(64);
    const elsewhere = JSON.stringify([responseElements, await rig.intake.catalog.list(['mfa-device'])]);
    expect(elsewhere).not.toContain(Buffer.from(seed).toString());
    expect(elsewhere).not.toContain(Buffer.from(fromBase32(Buffer.from(seed).toString())).toString('base64'));
  });
});

function fromBase32(text: string): Uint8Array {
  const bits = [...text].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Uint8Array.from(bits.match(/.{8}/g)!, (byte) => Number.parseInt(byte, 2));
}

describe('OIDC providers', () => {
  test('one is found by its ARN, in its account', async () => {
    const rig = await IdentityRig.open();
    const { OpenIDConnectProviderArn } = await rig.send<{ OpenIDConnectProviderArn: string }>('CreateOpenIDConnectProvider', {
      Url: 'https://issuer.example.com/tenant',
      ClientIDList: ['app'],
    });
    expect(OpenIDConnectProviderArn).toBe(`arn:aws:iam::${OWNER}:oidc-provider/issuer.example.com/tenant`);
    expect(await rig.send('GetOpenIDConnectProvider', { OpenIDConnectProviderArn })).toMatchObject({
      Url: 'issuer.example.com/tenant',
      ClientIDList: ['app'],
    });
    expect(await rig.refusal('GetOpenIDConnectProvider', { OpenIDConnectProviderArn }, STRANGER)).toBe('NoSuchEntity');
    expect(await rig.refusal('CreateOpenIDConnectProvider', { Url: 'https://issuer.example.com/tenant' })).toBe('EntityAlreadyExists');
    await rig.send('DeleteOpenIDConnectProvider', { OpenIDConnectProviderArn });
    expect(await rig.send('ListOpenIDConnectProviders', {})).toEqual({ OpenIDConnectProviderList: [] });
  });

  test.each([
    'http://issuer.example.com',
    'issuer.example.com',
    'https://user@issuer.example.com',
    'https://issuer.example.com/?a=b',
    'file:///etc/passwd',
  ])('%s is no issuer', async (Url) => {
    expect(await (await IdentityRig.open()).refusal('CreateOpenIDConnectProvider', { Url })).toBe('ValidationError');
  });
});

describe('outputs', () => {
  test('have the shapes of the model', async () => {
    const rig = await openWithEntities();
    const PolicyArn = await policyArn(rig);
    for (const kind of KINDS) await rig.send(`Attach${kind}Policy`, { [`${kind}Name`]: 'one', PolicyArn });
    for (const [name, input] of [
      ...KINDS.flatMap((kind) => [
        [`Get${kind}`, { [`${kind}Name`]: 'one' }],
        [`List${kind}s`, {}],
        [`ListAttached${kind}Policies`, { [`${kind}Name`]: 'one' }],
      ]),
      ['GetPolicy', { PolicyArn }],
      ['GetPolicyVersion', { PolicyArn, VersionId: 'v1' }],
      ['ListPolicies', {}],
      ['ListEntitiesForPolicy', { PolicyArn }],
      ['GetAccountSummary', {}],
      ['GetUser', {}],
    ] as [string, object][])
      expect(encodeQuery(queryService('iam'), name, (await rig.send(name, input)) as object)).toBeTypeOf('object');
  });
});
