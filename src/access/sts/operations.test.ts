import { describe, expect, test } from 'vitest';
import { IdentityRig, type Keys } from '../../../test/support/identity-rig.ts';
import { callOf, OWNER, STRANGER } from '../../../test/support/intake-rig.ts';
import { queryService } from '../../api/model.ts';
import type { Principal } from '../../api/operation.ts';
import { stsOperations } from './operations.ts';

async function open(): Promise<{ rig: IdentityRig; alice: Principal; role: string }> {
  const rig = await IdentityRig.open();
  return { rig, alice: await rig.user('alice'), role: await rig.role('deploy') };
}

describe('stsOperations', () => {
  test('has exactly the operations whose shapes are in the model', () => {
    const names = stsOperations({} as never).map(({ name }) => name);
    expect(names.sort()).toEqual(Object.keys(queryService('sts').operations).sort());
  });

  test('GetCallerIdentity says who calls', async () => {
    const { rig, alice, role } = await open();
    const session = await rig.assume(alice, role);
    const answers = [];
    for (const caller of [OWNER, alice, session]) answers.push(await rig.send('GetCallerIdentity', {}, caller));
    expect(answers).toEqual([
      { Account: OWNER, Arn: `arn:aws:iam::${OWNER}:root`, UserId: OWNER },
      { Account: OWNER, Arn: `arn:aws:iam::${OWNER}:user/alice`, UserId: alice.principalId },
      { Account: OWNER, Arn: `arn:aws:sts::${OWNER}:assumed-role/deploy/session`, UserId: session.principalId },
    ]);
  });
});

describe('AssumeRole', () => {
  test('gives keys of the role, for the time that was asked for', async () => {
    const { rig, alice, role } = await open();
    const answer = await rig.send<{ Credentials: Keys & { Expiration: Date } }>(
      'AssumeRole',
      { RoleArn: role, RoleSessionName: 'laptop', DurationSeconds: 900 },
      alice,
    );
    const { Credentials: keys } = answer;
    expect(answer).toMatchObject({ AssumedRoleUser: { Arn: `arn:aws:sts::${OWNER}:assumed-role/deploy/laptop` } });
    expect(keys.AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(keys.Expiration.getTime()).toBe(rig.intake.clock.nowMs() + 900_000);
    const credentials = (await rig.findCredentials(keys.AccessKeyId, keys.SessionToken))!;
    expect(credentials).toMatchObject({ secretAccessKey: keys.SecretAccessKey, expiresAtMs: keys.Expiration.getTime() });
    expect(await rig.findCredentials(keys.AccessKeyId)).toBeUndefined();
  });

  test('the keys end with the role, also when it is made again under its name (A10)', async () => {
    const { rig, alice, role } = await open();
    const { Credentials } = await rig.send<{ Credentials: Keys }>('AssumeRole', { RoleArn: role, RoleSessionName: 'laptop' }, alice);
    expect(await rig.principal(Credentials)).toBeDefined();
    await rig.send('DeleteRole', { RoleName: 'deploy' });
    expect(await rig.principal(Credentials)).toBeUndefined();
    await rig.role('deploy');
    expect(await rig.principal(Credentials)).toBeUndefined();
  });

  test('hands on what was transitive, and who is behind the session, through a chain of roles (ID2)', async () => {
    const { rig, alice, role } = await open();
    const first = await rig.assume(alice, role, {
      Tags: [
        { Key: 'Project', Value: 'snow' },
        { Key: 'mood', Value: 'good' },
      ],
      TransitiveTagKeys: ['project'],
      SourceIdentity: 'alice',
    });
    const second = await rig.assume(first, await rig.role('audit'), { Tags: [{ Key: 'step', Value: '2' }] });
    expect(second.session).toMatchObject({
      sourceIdentity: 'alice',
      tags: [
        { Key: 'Project', Value: 'snow' },
        { Key: 'step', Value: '2' },
      ],
      transitiveTagKeys: ['Project'],
      role: { name: 'audit' },
    });
    const call = { ...callOf(OWNER), principal: first };
    const { requestParameters } = await rig.decide('AssumeRole', { RoleArn: role, RoleSessionName: 'again' }, call);
    expect(requestParameters).toEqual({ incomingTransitiveTags: { Project: 'snow' }, roleArn: role, roleSessionName: 'again' });
  });

  test.each([
    ['InvalidParameterValue', { Tags: [{ Key: 'PROJECT', Value: 'ice' }] }],
    [
      'InvalidParameterValue',
      {
        Tags: [
          { Key: 'a', Value: '1' },
          { Key: 'A', Value: '2' },
        ],
      },
    ],
    ['InvalidParameterValue', { TransitiveTagKeys: ['absent'] }],
    ['AccessDenied', { SourceIdentity: 'mallory' }],
    ['ValidationError', { DurationSeconds: 3_601 }],
    ['MalformedPolicyDocument', { Policy: '{' }],
    ['ValidationError', { PolicyArns: [{ arn: `arn:aws:iam::${OWNER}:policy/absent` }] }],
    [
      'PackedPolicyTooLarge',
      {
        Policy: JSON.stringify({
          Version: '2012-10-17',
          Statement: [
            { Effect: 'Allow', Action: 's3:*', Resource: ['a', 'b', 'c', 'd'].map((letter) => `arn:aws:s3:::${letter.repeat(600)}`) },
          ],
        }),
      },
    ],
    ['AccessDenied', { SerialNumber: `arn:aws:iam::${OWNER}:mfa/phone`, TokenCode: '123456' }],
  ])('%s is the answer in a chain to %j', async (code, more) => {
    const { rig, alice, role } = await open();
    const first = await rig.assume(alice, role, {
      Tags: [{ Key: 'project', Value: 'snow' }],
      TransitiveTagKeys: ['project'],
      SourceIdentity: 'alice',
    });
    expect(await rig.refusal('AssumeRole', { RoleArn: role, RoleSessionName: 'session', ...more }, first)).toBe(code);
  });

  test('the longest session is what the role says', async () => {
    const { rig, alice, role } = await open();
    const ask = { RoleArn: role, RoleSessionName: 'session', DurationSeconds: 7_200 };
    expect(await rig.refusal('AssumeRole', ask, alice)).toBe('ValidationError');
    await rig.send('UpdateRole', { RoleName: 'deploy', MaxSessionDuration: 7_200 });
    expect(await rig.refusal('AssumeRole', ask, alice)).toBe('not refused');
  });

  test('the record has the session and its end, and no secret', async () => {
    const { rig, alice, role } = await open();
    const call = { ...callOf(OWNER), principal: alice };
    const decision = await rig.decide('AssumeRole', { RoleArn: role, RoleSessionName: 'laptop', SourceIdentity: 'alice' }, call);
    const { Credentials } = decision.output as { Credentials: Keys };
    expect(decision.responseElements).toMatchObject({
      credentials: { accessKeyId: Credentials.AccessKeyId, expiration: 'Jan 2, 2026 4:30:00 AM' },
      assumedRoleUser: { arn: `arn:aws:sts::${OWNER}:assumed-role/deploy/laptop` },
      sourceIdentity: 'alice',
    });
    expect(decision.resources).toEqual([{ account: OWNER, type: 'AWS::IAM::Role', name: role }]);
    expect(JSON.stringify(decision.responseElements)).not.toContain(Credentials.SecretAccessKey);
  });

  test('of a role of another account is copied to that account', async () => {
    const { rig, alice } = await open();
    await (await rig.intake.accounts.prepareAccount(STRANGER, 'stranger')).save();
    const theirs = await rig.role('shared', STRANGER);
    const call = { ...callOf(OWNER), principal: alice };
    expect((await rig.decide('AssumeRole', { RoleArn: theirs, RoleSessionName: 'visit' }, call)).copyTo).toEqual([STRANGER]);
    expect(await rig.assume(alice, theirs)).toMatchObject({
      account: STRANGER,
      arn: `arn:aws:sts::${STRANGER}:assumed-role/shared/session`,
    });
  });
});

describe('GetSessionToken', () => {
  test('gives keys of the user itself, which end with it', async () => {
    const { rig, alice } = await open();
    const { Credentials } = await rig.send<{ Credentials: Keys }>('GetSessionToken', {}, alice);
    const session = (await rig.principal(Credentials))!;
    expect(session).toMatchObject({ type: 'IAMUser', userName: 'alice', principalId: alice.principalId, session: { tags: [] } });
    expect(session.session).not.toHaveProperty('mfaAuthenticatedAtMs');
    expect(await rig.refusal('GetSessionToken', {}, session)).toBe('AccessDenied');
    await rig.send('DeleteAccessKey', { UserName: 'alice', AccessKeyId: alice.accessKeyId });
    await rig.send('DeleteUser', { UserName: 'alice' });
    expect(await rig.principal(Credentials)).toBeUndefined();
  });

  test('of a root is good for an hour', async () => {
    const { rig } = await open();
    const { Credentials } = await rig.send<{ Credentials: Keys & { Expiration: Date } }>('GetSessionToken', { DurationSeconds: 43_200 });
    expect(Credentials.Expiration.getTime()).toBe(rig.intake.clock.nowMs() + 3_600_000);
    expect(await rig.principal(Credentials)).toMatchObject({ type: 'Root', account: OWNER });
  });
});
