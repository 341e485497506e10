/** Who of the first account reaches the others (docs/decisions/0023-reach-of-the-first-account.md). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMINISTRATOR, OWNER } from '../../test/support/intake-rig.ts';
import { type CallOptions, WholeServer } from '../../test/support/whole-server.ts';

let whole: WholeServer;
let auditor: CallOptions;

beforeAll(async () => {
  whole = await WholeServer.open();
  auditor = { credentials: await whole.createUser('auditor') };
});

afterAll(() => whole.close());

/** Gives the auditor these actions and no others. */
async function allow(...statements: object[]): Promise<void> {
  const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  const input = { Action: 'PutUserPolicy', Version: '2010-05-08', UserName: 'auditor', PolicyName: 'own', PolicyDocument };
  expect((await whole.query('iam', input, { region: 'us-east-1' })).code).toBe('OK');
}

const READ = ['snowtrail:Search*', 'snowtrail:Get*', 'snowtrail:List*', 'snowtrail:ExplainAccess'];
const read = { Effect: 'Allow', Action: READ, Resource: '*' };
const reach = { Effect: 'Allow', Action: 'snowtrail:ReachAllAccounts', Resource: '*' };
const accounts = async () =>
  (await whole.snowtrail('ListAccounts', {}, auditor)).output.Accounts.map(({ Account }: { Account: string }) => Account);
const health = async () => (await whole.snowtrail('GetHealth', {}, auditor)).code;
const explain = async () =>
  (await whole.snowtrail('ExplainAccess', { PrincipalArn: `arn:aws:iam::${OWNER}:root`, Action: 's3:GetObject' }, auditor)).code;

describe('a user of the first account', () => {
  test('who may read does not reach other accounts', async () => {
    await allow(read);
    expect(await accounts()).toEqual([ADMINISTRATOR]);
    expect(await health()).toBe('AccessDeniedException');
    expect(await explain()).toBe('NoSuchEntityException');
  });

  test('reaches them where a policy allows it, and still needs the right on the operation', async () => {
    await allow(read, reach);
    expect(await accounts()).toEqual([ADMINISTRATOR, OWNER]);
    expect([await health(), await explain()]).toEqual(['OK', 'OK']);
    await allow(reach);
    expect(await health()).toBe('AccessDeniedException');
  });

  test('reaches them under the conditions of that policy alone', async () => {
    await allow(read, { ...reach, Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } } });
    expect(await accounts()).toEqual([ADMINISTRATOR]);
    await allow(read, { ...reach, Condition: { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } } });
    expect(await accounts()).toEqual([ADMINISTRATOR, OWNER]);
    await allow(read, reach, { ...reach, Effect: 'Deny' });
    expect(await accounts()).toEqual([ADMINISTRATOR]);
  });

  test('that is its root reaches them, whatever policies there are', async () => {
    expect((await whole.snowtrail('ListAccounts')).output.Accounts).toHaveLength(2);
    expect((await whole.snowtrail('GetHealth')).code).toBe('OK');
  });
});
