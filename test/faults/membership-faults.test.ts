/**
 * The process dies at each step of a trail becoming the organization's, of an account joining and of its leaving: at every call of
 * every store meanwhile, before it or with its answer lost. Whoever asked asks again. Each event of a member is delivered once, none
 * of one that is none yet or no more, and the chains hold. reliability.md F23, F24, A15.
 */
import { describe, expect, test } from 'vitest';
import type { AccountId } from '../../src/event/types.ts';
import { Directory } from '../../src/organizations/directory.ts';
import { hashSha256 } from '../../src/server/sha256.ts';
import { type Membership, membershipKey, type Organization, organizationKey } from '../../src/store/organization.ts';
import { checkTrail } from '../support/check-trail.ts';
import { everyFault } from '../support/planned-faults.ts';
import { IS_SWEEP } from '../support/sweep.ts';
import { BUCKET, DIGEST_MS, FLUSH_MS, HOME, type PlannedFault, TRAIL_ACCOUNT, TrailRig } from '../support/trail-rig.ts';

const MEMBER = '222222222222' as AccountId;
const STRIDE = IS_SWEEP ? 1 : 7;
const ORGANIZATION: Organization = {
  ...{ id: 'o-winterday01', management: TRAIL_ACCOUNT, rootId: 'r-root', rootPolicies: ['p-FullAWSAccess'], featureSet: 'ALL' },
  ...{ arePoliciesEnabled: false, createdAtMs: 0 },
  trustedServices: [{ servicePrincipal: 'cloudtrail.amazonaws.com', enabledAtMs: 0 }],
};

/** The bucket takes what is put for any account. */
const POLICY = {
  Version: '2012-10-17',
  Statement: ['s3:GetBucketAcl', 's3:PutObject'].map((Action) => ({
    ...{ Effect: 'Allow', Principal: { Service: 'cloudtrail.amazonaws.com' }, Action },
    Resource: `arn:aws:s3:::${BUCKET}${Action === 's3:PutObject' ? '/AWSLogs/*' : ''}`,
  })),
};

function memberOf(account: AccountId): Membership {
  const { id: organizationId, management, rootId: parent, rootPolicies: policies } = ORGANIZATION;
  return { account, organizationId, management, name: account, joinedMethod: 'INVITED', joinedAtMs: 0, parent, policies, delegations: [] };
}

/** @returns what is wrong, and how often each store was called while members changed. */
async function live(fault?: PlannedFault) {
  const rig = new TrailRig();
  const { catalog, journal } = rig;
  await rig.createBucket({ policy: POLICY });
  await catalog.commit([
    { key: organizationKey(ORGANIZATION.id), value: ORGANIZATION, expected: 0 },
    { key: membershipKey(TRAIL_ACCOUNT), value: memberOf(TRAIL_ACCOUNT), expected: 0 },
  ]);
  let trails = await rig.open();
  let directory!: Directory;
  const open = async () => {
    directory = await Directory.open({ catalog, journal, sha256: hashSha256, changeMembers: (change) => trails.changeMembers(change) });
  };
  await open();
  const settle = async () => {
    await rig.outlive(trails, async () => {
      trails = await rig.open();
      await open();
      return trails;
    });
  };
  /** Asks until it is done; the process that died is there again. */
  const insist = async (isDone: () => Promise<boolean>, ask: () => Promise<unknown>) => {
    for (let tries = 0; !(await isDone()); tries++) {
      expect(tries).toBeLessThan(4);
      await ask().catch(() => undefined);
      await settle();
    }
  };
  const change = (value: Membership | undefined) =>
    insist(
      async () => (directory.membership(MEMBER) === undefined) === (value === undefined),
      () =>
        directory.change(rig.call(), value === undefined ? 'LeaveOrganization' : 'AcceptHandshake', () => ({
          organization: ORGANIZATION,
          changes: [{ key: membershipKey(MEMBER), value }],
          output: {},
        })),
    );
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += FLUSH_MS) {
      await rig.clock.advance(FLUSH_MS);
      await settle();
    }
  };
  const wanted: string[] = [];
  const unwanted: string[] = [];
  const record = async (isMember: boolean) => {
    wanted.push(await rig.record(HOME));
    (isMember ? wanted : unwanted).push(await rig.record(HOME, { account: MEMBER }));
  };

  rig.isQuiet = true;
  await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, EnableLogFileValidation: true, IsMultiRegionTrail: true });
  await rig.send(trails, 'StartLogging', { Name: 'main' });
  await record(false);
  await pass(DIGEST_MS);
  await record(false);
  rig.isQuiet = false;
  if (fault !== undefined) rig.fault = fault;

  await insist(
    async () =>
      (await catalog.list<{ organizationId?: string }>(['trail', TRAIL_ACCOUNT])).some(({ value }) => value.organizationId !== undefined),
    () => rig.send(trails, 'UpdateTrail', { Name: 'main', IsOrganizationTrail: true }),
  );
  await record(false);
  await change(memberOf(MEMBER));
  await record(true);
  await pass(FLUSH_MS);
  await record(true);
  await change(undefined);
  await record(false);
  await pass(2 * DIGEST_MS);

  rig.isQuiet = true;
  const { faults, events } = await checkTrail(rig, BUCKET);
  const ofTest = events.filter((id) => wanted.includes(id) || unwanted.includes(id));
  return { verdict: { faults, events: ofTest.sort() }, wanted: wanted.sort(), calls: rig.calls };
}

describe('a change of members', () => {
  test('is delivered by, to the event, whichever call of a store the process dies at (A15)', async () => {
    const clean = await live();
    expect(clean.verdict).toEqual({ faults: [], events: clean.wanted });
    const faults = everyFault(clean.calls).map((fault) => ({ ...fault, isCrash: true }));
    const wrong: unknown[] = [];
    for (const [index, fault] of faults.entries()) {
      if (index % STRIDE !== 0) continue;
      const { verdict, wanted } = await live(fault);
      if (JSON.stringify(verdict) !== JSON.stringify({ faults: [], events: wanted })) wrong.push([fault, verdict, wanted]);
    }
    expect(faults.length).toBeGreaterThan(50);
    expect(wrong).toEqual([]);
  }, 600_000);
});
