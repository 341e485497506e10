import { describe, expect, test } from 'vitest';
import { IdentityRig } from '../../test/support/identity-rig.ts';
import { OWNER } from '../../test/support/intake-rig.ts';
import { principalPoliciesFinder } from './find-principal-policies.ts';
import { changed } from './identity-changes.ts';

const document = (action: string) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: '*' }] });

const NO_ORGANIZATIONS = { changes: () => 0, of: () => ({ serviceControl: [] }) };

describe('principalPoliciesFinder', () => {
  test('finds inline and managed policies of a user and its groups, in the default version, its boundary and its tags', async () => {
    const rig = await IdentityRig.open();
    const alice = await rig.user('alice');
    const { Policy } = await rig.send<{ Policy: { Arn: string } }>('CreatePolicy', {
      PolicyName: 'managed',
      PolicyDocument: document('a:Old'),
    });
    await rig.send('CreatePolicyVersion', { PolicyArn: Policy.Arn, PolicyDocument: document('a:New'), SetAsDefault: true });
    await rig.send('CreateGroup', { GroupName: 'staff' });
    await rig.send('AddUserToGroup', { GroupName: 'staff', UserName: 'alice' });
    await rig.send('AttachGroupPolicy', { GroupName: 'staff', PolicyArn: Policy.Arn });
    await rig.send('PutUserPolicy', { UserName: 'alice', PolicyName: 'own', PolicyDocument: document('b:Own') });
    await rig.send('PutUserPermissionsBoundary', { UserName: 'alice', PermissionsBoundary: 'arn:aws:iam::aws:policy/ReadOnlyAccess' });
    await rig.send('TagUser', { UserName: 'alice', Tags: [{ Key: 'Team', Value: 'blue' }] });
    expect(await principalPoliciesFinder(rig.identities, NO_ORGANIZATIONS)(alice)).toMatchObject({
      identity: [
        { name: 'inline policy own of user alice', document: document('b:Own') },
        { name: Policy.Arn, document: document('a:New') },
      ],
      boundary: { name: 'arn:aws:iam::aws:policy/ReadOnlyAccess' },
      tags: new Map([['Team', 'blue']]),
    });
  });

  test("a session has its role's policies, its own ones to narrow them, and its tags in the role's place", async () => {
    const rig = await IdentityRig.open();
    const role = await rig.role('deploy');
    await rig.send('TagRole', {
      RoleName: 'deploy',
      Tags: [
        { Key: 'team', Value: 'red' },
        { Key: 'stage', Value: 'test' },
      ],
    });
    await rig.send('PutRolePolicy', { RoleName: 'deploy', PolicyName: 'work', PolicyDocument: document('a:*') });
    const session = await rig.assume(await rig.user('alice'), role, {
      Tags: [{ Key: 'Team', Value: 'blue' }],
      Policy: document('a:Get*'),
      PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }],
      SourceIdentity: 'alice',
    });
    const found = await principalPoliciesFinder(rig.identities, NO_ORGANIZATIONS)(session);
    expect(found).toMatchObject({
      identity: [{ name: 'inline policy work of role deploy' }],
      session: [{ name: 'session policy', document: document('a:Get*') }, { name: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }],
      roleArn: role,
      sourceIdentity: 'alice',
      sessionIssuedAtMs: rig.intake.clock.nowMs(),
    });
    expect(found.tags).toEqual(
      new Map([
        ['stage', 'test'],
        ['Team', 'blue'],
      ]),
    );
    expect(
      (await principalPoliciesFinder(rig.identities, NO_ORGANIZATIONS)(await rig.assume(await rig.user('bob'), role))).session,
    ).toBeUndefined();
  });

  test('is the same answer until something changes, and another one for the next call (A10)', async () => {
    const rig = await IdentityRig.open();
    const alice = await rig.user('alice');
    const find = principalPoliciesFinder(rig.identities, NO_ORGANIZATIONS);
    const before = await find(alice);
    expect(await find(alice)).toBe(before);
    await rig.send('PutUserPolicy', { UserName: 'alice', PolicyName: 'own', PolicyDocument: document('b:Own') });
    expect((await find(alice)).identity).toHaveLength(1);
    await rig.send('DeleteUserPolicy', { UserName: 'alice', PolicyName: 'own' });
    expect((await find(alice)).identity).toEqual([]);
  });

  test('a boundary that is gone allows nothing', async () => {
    const rig = await IdentityRig.open();
    const alice = await rig.user('alice');
    const user = (await rig.identities.find('User', OWNER, 'alice'))!;
    const boundary = `arn:aws:iam::${OWNER}:policy/gone`;
    await rig.identities.save([changed(user, { boundary })]).apply();
    const found = await principalPoliciesFinder(rig.identities, NO_ORGANIZATIONS)(alice);
    expect(JSON.parse(found.boundary!.document)).toMatchObject({ Statement: [{ Effect: 'Deny', Action: '*' }] });
  });
});
