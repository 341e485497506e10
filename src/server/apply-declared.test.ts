import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ADMINISTRATOR, callOf, OWNER, STRANGER } from '../../test/support/intake-rig.ts';
import { WholeServer } from '../../test/support/whole-server.ts';
import type { AccountId, JsonObject } from '../event/types.ts';
import type { NewUserKey } from './file-calls.ts';
import { readSettings } from './settings.ts';

let whole: WholeServer;
let kept: NewUserKey[];

beforeEach(async () => {
  whole = await WholeServer.open();
  kept = [];
});
afterEach(() => whole.close());

const folder = mkdtempSync(join(tmpdir(), 'snowtrail-declared-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The settings of a file of these sections. */
function settingsOf(sections: object): ReturnType<typeof readSettings> {
  const config = join(folder, 'config.yaml');
  writeFileSync(config, JSON.stringify(sections));
  return readSettings({ config }, {});
}

/** Applies a file as a start does. @returns the calls that this made, with their account and the user agent that the record names. */
async function start(sections: object): Promise<readonly string[]> {
  const { journal } = whole.rig;
  const before = journal.head();
  await whole.server.applyDeclared(settingsOf(sections), async (key) => void kept.push(key));
  return (await recordsAfter(before)).map(({ eventName, errorCode }) => `${eventName}${errorCode === undefined ? '' : ` ${errorCode}`}`);
}

async function recordsAfter(sequence: bigint): Promise<readonly JsonObject[]> {
  const { journal } = whole.rig;
  const entries = journal.head() === sequence ? [] : await journal.read(sequence, 1_000);
  return entries
    .filter(({ source }) => source === 'own-call')
    .map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)) as JsonObject);
}

/** Calls an operation of Organizations as the root of the first account, unrecorded. */
// biome-ignore lint/suspicious/noExplicitAny: outputs of any operation, looked at by tests.
async function organizations(name: string, input: object = {}): Promise<any> {
  const { operations } = whole.server.ports.services.get('organizations')!;
  const { output, apply } = await operations.get(name)!.decide(callOf(ADMINISTRATOR), input);
  await apply?.();
  return output;
}

const of = (identities: object, account: AccountId = OWNER) => ({ identities: { [account]: identities } });
const allow = (action: string) => ({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: '*' }] });
const trust = (account: AccountId) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'sts:AssumeRole' }],
});

describe('what the configuration file names', () => {
  const everything = {
    accounts: [{ id: STRANGER, name: 'audit' }, { id: OWNER }],
    organization: { accounts: [OWNER, STRANGER] },
    ...of({
      policies: { reader: allow('s3:Get*') },
      groups: { staff: { path: '/people/', policies: ['reader'], inline: { look: allow('s3:List*') } } },
      users: {
        alice: {
          ...{ path: '/people/', tags: { team: 'blue' }, groups: ['staff'], policies: ['arn:aws:iam::aws:policy/ReadOnlyAccess'] },
          ...{ inline: { own: allow('sqs:*') }, boundary: 'reader', accessKey: true },
        },
      },
      roles: { auditor: { trust: trust(STRANGER), policies: ['reader'], maxSession: 7_200, description: 'looks', tags: { team: 'red' } } },
    }),
  };

  test('is made by calls of the account that it is in, each with a record, and a second start makes none', async () => {
    expect(await start(everything)).toEqual([
      'CreateAccount',
      ...['CreateOrganization', 'InviteAccountToOrganization', 'AcceptHandshake', 'InviteAccountToOrganization', 'AcceptHandshake'],
      'CreatePolicy',
      ...['CreateGroup', 'AttachGroupPolicy', 'PutGroupPolicy'],
      ...['CreateUser', 'AttachUserPolicy', 'PutUserPolicy', 'AddUserToGroup', 'CreateAccessKey'],
      ...['CreateRole', 'AttachRolePolicy'],
    ]);
    const head = whole.rig.journal.head();
    expect(await start(everything)).toEqual([]);
    expect(whole.rig.journal.head()).toBe(head);
  });

  test('is told in the record as the root of the account, and as the file', async () => {
    await start(of({ users: { alice: {} } }));
    expect((await recordsAfter(0n)).at(-1)).toMatchObject({
      eventName: 'CreateUser',
      userIdentity: { type: 'Root', arn: `arn:aws:iam::${OWNER}:root`, accountId: OWNER, accessKeyId: 'snowtrail.yaml' },
      sourceIPAddress: 'AWS Internal',
      userAgent: 'snowtrail.yaml',
      awsRegion: 'us-east-1',
      requestParameters: { userName: 'alice' },
      recipientAccountId: OWNER,
    });
  });

  test('is changed where the file has changed, and nowhere else', async () => {
    await start(everything);
    const { policies, groups, users, roles } = everything.identities[OWNER] as Record<string, Record<string, object>>;
    const changed = {
      policies: { ...policies, reader: allow('s3:*') },
      groups: { staff: { ...groups!['staff'], path: '/all/' } },
      users: {
        alice: {
          ...users!['alice'],
          tags: { team: 'green' },
          boundary: 'arn:aws:iam::aws:policy/ReadOnlyAccess',
          inline: { own: allow('s3:*') },
        },
      },
      roles: { auditor: { ...roles!['auditor'], trust: trust(ADMINISTRATOR), maxSession: 3_600 } },
    };
    expect(await start(of(changed))).toEqual([
      'CreatePolicyVersion',
      'UpdateGroup',
      ...['PutUserPermissionsBoundary', 'TagUser', 'PutUserPolicy'],
      ...['UpdateAssumeRolePolicy', 'UpdateRole'],
    ]);
    const update = (await recordsAfter(0n)).at(-1);
    expect(update).toMatchObject({ requestParameters: { roleName: 'auditor', description: 'looks', maxSessionDuration: 3_600 } });
    expect(await start(of(changed))).toEqual([]);
  });

  test('of a policy that had it before makes that version the default; of a sixth one deletes the oldest', async () => {
    const withPolicy = (action: string) => of({ policies: { reader: allow(action) } });
    await start(withPolicy('s3:Get*'));
    expect(await start(withPolicy('s3:*'))).toEqual(['CreatePolicyVersion']);
    expect(await start(withPolicy('s3:Get*'))).toEqual(['SetDefaultPolicyVersion']);
    for (const action of ['s3:A*', 's3:B*', 's3:C*']) expect(await start(withPolicy(action))).toEqual(['CreatePolicyVersion']);
    expect(await start(withPolicy('s3:D*'))).toEqual(['DeletePolicyVersion', 'CreatePolicyVersion']);
  });

  test('is the same policy with other white space and another order of members', async () => {
    await start(of({ policies: { reader: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}' } }));
    const again = '{ "Statement": {"Action":"s3:*", "Resource":"*", "Effect":"Allow"}, "Version":"2012-10-17" }';
    expect(await start(of({ policies: { reader: again } }))).toEqual([]);
  });

  test('stays when the file names it no more', async () => {
    await start(everything);
    expect(await start(of({ users: { alice: {} } }))).toEqual([]);
    expect(await start({})).toEqual([]);
    expect(await start(everything)).toEqual([]);
  });

  test('has one key for a user that is to have one, which is kept before it can be used', async () => {
    const file = of({ users: { alice: { accessKey: true } } });
    await start(file);
    const { accessKeyId } = kept[0]!;
    expect(await start(file)).toEqual([]);
    expect(kept).toEqual([{ account: OWNER, userName: 'alice', accessKeyId, secretAccessKey: expect.any(String) }]);
    expect(await whole.server.ports.findCredentials(accessKeyId)).toMatchObject({ status: 'Active', principal: { userName: 'alice' } });
    expect(JSON.stringify(await recordsAfter(0n))).not.toContain(kept[0]!.secretAccessKey);
  });

  test('leaves no key behind that nobody was given', async () => {
    const file = settingsOf(of({ users: { alice: { accessKey: true } } }));
    const full = new Error('the disk is full');
    await expect(whole.server.applyDeclared(file, () => Promise.reject(full))).rejects.toThrow('the disk is full');
    expect(await start(of({ users: { alice: { accessKey: true } } }))).toEqual(['CreateAccessKey']);
    expect(kept).toHaveLength(1);
  });

  test('goes on with an invitation that a crash left open', async () => {
    await start({ organization: {} });
    await organizations('InviteAccountToOrganization', { Target: { Type: 'ACCOUNT', Id: OWNER } });
    expect(await start({ organization: { accounts: [OWNER] } })).toEqual(['AcceptHandshake']);
  });

  test.each([
    [{ accounts: [{ id: OWNER, name: 'another' }] }, 'accounts.0.name', 'called `owner`'],
    [of({ users: { alice: {} } }, STRANGER), `identities.${STRANGER}`, 'name it in `accounts`'],
    [{ organization: { accounts: [STRANGER] } }, 'organization.accounts.0', 'name it in `accounts`'],
    [of({ users: { Alice: {} } }), `identities.${OWNER}.users.Alice`, 'written `alice` here already'],
    [of({ users: { bob: { policies: ['none'] } } }), `identities.${OWNER}.users.bob`, 'no managed policy `none`'],
    [of({ users: { bob: { policies: ['arn:aws:iam::aws:policy/None'] } } }), `identities.${OWNER}.users.bob`, 'NoSuchEntity'],
    [of({ users: { bob: { groups: ['none'] } } }), `identities.${OWNER}.users.bob`, 'NoSuchEntity'],
    [
      of({ roles: { auditor: { trust: trust(OWNER), path: '/other/' } } }),
      `identities.${OWNER}.roles.auditor.path`,
      'no call moves a role',
    ],
  ])('that cannot be stops the start: %j names `%s` and what to do', async (file, place, reason) => {
    await start(of({ users: { alice: {} }, roles: { auditor: { trust: trust(OWNER) } } }));
    const starting = start(file);
    await expect(starting).rejects.toThrow(`cannot be applied at \`${place}\``);
    await expect(starting).rejects.toThrow(reason);
  });

  test('that a service control policy denies stops the start: no file stands above it', async () => {
    await start({ organization: { accounts: [OWNER] } });
    const RootId = (await organizations('ListRoots')).Roots[0].Id as string;
    await organizations('EnablePolicyType', { RootId, PolicyType: 'SERVICE_CONTROL_POLICY' });
    const Content = JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Deny', Action: 'iam:CreateUser', Resource: '*' } });
    const input = { Name: 'no-users', Description: 'none', Type: 'SERVICE_CONTROL_POLICY', Content };
    const PolicyId = (await organizations('CreatePolicy', input)).Policy.PolicySummary.Id as string;
    await organizations('AttachPolicy', { PolicyId, TargetId: OWNER });
    const place = `identities.${OWNER}.users.alice`;
    await expect(start(of({ users: { alice: {} } }))).rejects.toThrow(new RegExp(`\`${place}\`: CreateUser: .*AccessDenied`));
    expect((await recordsAfter(0n)).at(-1)).toMatchObject({ eventName: 'CreateUser', errorCode: 'AccessDenied' });
  });

  test('is not made while its record cannot be written, and made by the next start (F37)', async () => {
    const file = of({ users: { alice: { accessKey: true } } });
    whole.rig.journal.pretend('full');
    await expect(start(file)).rejects.toThrow('could not be made durable');
    whole.rig.journal.pretend('ok');
    expect([await whole.rig.catalog.list(['iam-user']), kept]).toEqual([[], []]);
    expect(await start(file)).toEqual(['CreateUser', 'CreateAccessKey']);
  });

  test('that is refused is on record as every refused call is', async () => {
    await expect(start(of({ users: { bob: { groups: ['none'] } } }))).rejects.toThrow('AddUserToGroup');
    expect((await recordsAfter(0n)).at(-1)).toMatchObject({ eventName: 'AddUserToGroup', errorCode: 'NoSuchEntity' });
  });
});
