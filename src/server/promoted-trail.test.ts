/**
 * A multi-Region trail of an account that becomes one of its organization, in a member that has trails of its own.
 *
 * Source: CloudTrail User Guide, "Creating a trail for an organization": it appears in every member, whatever the member's quota.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OWNER } from '../../test/support/intake-rig.ts';
import { WholeServer } from '../../test/support/whole-server.ts';

let whole: WholeServer;
beforeAll(async () => {
  whole = await WholeServer.open();
  await whole.organizations('CreateOrganization', { FeatureSet: 'ALL' });
  const { output } = await whole.organizations('InviteAccountToOrganization', { Target: { Type: 'ACCOUNT', Id: OWNER } });
  await whole.organizations('AcceptHandshake', { HandshakeId: output.Handshake.Id }, OWNER);
  await whole.organizations('EnableAWSServiceAccess', { ServicePrincipal: 'cloudtrail.amazonaws.com' });
  await whole.createBucket('logs');
  await whole.createBucket('members', { account: OWNER });
});
afterAll(() => whole.close());

test('appears beyond the quota of 5, and beside the same name, and hides none', async () => {
  const made = await whole.cloudtrail('CreateTrail', { Name: 'main', S3BucketName: 'logs', IsMultiRegionTrail: true });
  const ownTrail = (name: string) => whole.cloudtrail('CreateTrail', { Name: name, S3BucketName: 'members' }, { account: OWNER });
  for (const name of ['main', 'aaa', 'bbb', 'ccc', 'ddd']) expect([name, (await ownTrail(name)).code]).toEqual([name, 'OK']);
  expect((await ownTrail('eee')).code).toBe('MaximumNumberOfTrailsExceededException');
  const promoted = await whole.cloudtrail('UpdateTrail', { Name: 'main', IsOrganizationTrail: true });
  expect([promoted.code, promoted.message]).toEqual(['OK', '']);
  // The member sees its own by the name, and the organization's by its ARN.
  const seen = async (Name: string) => (await whole.cloudtrail('GetTrail', { Name }, { account: OWNER })).output.Trail.TrailARN;
  expect(await seen('main')).toBe(made.output.TrailARN.replace(/\d{12}/, OWNER));
  expect(await seen(made.output.TrailARN)).toBe(made.output.TrailARN);
});
